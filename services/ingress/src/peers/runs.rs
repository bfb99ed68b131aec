//! Creates the runs of deliveries through the runs service, many in one call.
use ck8s_proto::runs::v1::{CreateRunsRequest, NewRun, runs_service_client::RunsServiceClient};
use ck8s_rpc::mesh::Channel;
use ck8s_types::RunId;
use prost::Message;
use tonic::{Code, Status};

use crate::{
    convert,
    domain::{run_request::PendingRun, unavailable::ServiceUnavailable},
};

/// Bounds the runs of one call; the contract sets it.
const MAX_RUNS_PER_CALL: usize = 1_000;
/// Bounds the bytes of one call: well below the largest message.
const MAX_CALL_BYTES: usize = 8 * 1024 * 1024;

/// What is wrong with an older version of the service: it would take the runs of several triggers for one.
const ONE_RUN_EACH: &str = "its version makes one run of a delivery; update it";

/// The run that was created, or why there is none and never will be.
pub(crate) type CreatedRun = Result<RunId, String>;

/// What became of the requested runs.
pub(crate) struct CreatedRuns {
    /// In the order of the requests. The rest is missing if the service became unavailable.
    pub(crate) results: Vec<CreatedRun>,
    pub(crate) unavailable: Option<ServiceUnavailable>,
}

/// The client of `CreateRuns`; a clone is the same client.
#[derive(Clone)]
pub(crate) struct RunsClient {
    client: RunsServiceClient<Channel>,
}

impl RunsClient {
    pub(crate) fn new(channel: Channel) -> Self {
        Self {
            client: RunsServiceClient::new(channel),
        }
    }

    /// Creates the runs of deliveries, in as many calls as their bounds need.
    pub(crate) async fn create(&self, pending: Vec<PendingRun>) -> CreatedRuns {
        let id = |run: &PendingRun| run.request.run_id(run.delivery_id);
        let ids: Vec<RunId> = pending.iter().map(id).collect();
        let mut created = self.create_all(pending).await;
        let is_other = |(expected, result): (&RunId, &CreatedRun)| {
            result.as_ref().is_ok_and(|run| run != expected)
        };
        if let Some(first) = ids.iter().zip(&created.results).position(is_other) {
            created.results.truncate(first);
            created.unavailable = Some(ServiceUnavailable::runs(ONE_RUN_EACH));
        }
        created
    }

    async fn create_all(&self, pending: Vec<PendingRun>) -> CreatedRuns {
        let mut results = Vec::with_capacity(pending.len());
        let mut batch: Vec<NewRun> = Vec::with_capacity(pending.len());
        let mut bytes = 0;
        let mut runs = pending.into_iter().map(convert::new_run).peekable();
        while let Some(run) = runs.next() {
            bytes += run.encoded_len();
            batch.push(run);
            let is_full = runs
                .peek()
                .is_none_or(|next| bytes + next.encoded_len() > MAX_CALL_BYTES);
            if is_full || batch.len() == MAX_RUNS_PER_CALL {
                match self.create_batch(std::mem::take(&mut batch)).await {
                    Ok(created) => results.extend(created),
                    Err(unavailable) => {
                        return CreatedRuns {
                            results,
                            unavailable: Some(unavailable),
                        };
                    }
                }
                bytes = 0;
            }
        }
        CreatedRuns {
            results,
            unavailable: None,
        }
    }

    async fn create_batch(&self, runs: Vec<NewRun>) -> Result<Vec<CreatedRun>, ServiceUnavailable> {
        let count = runs.len();
        match self.call(runs.clone()).await {
            Ok(results) if results.len() == count => Ok(results),
            Ok(_) => Err(ServiceUnavailable::runs("an answer of the wrong length")),
            Err(status) if !is_final(status.code()) => Err(unavailable(&status)),
            Err(status) if count == 1 => Ok(vec![Err(status.message().to_owned())]),
            // One run is refused in a way that fails the whole call. The others must not suffer.
            Err(_) => self.create_one_by_one(runs).await,
        }
    }

    async fn create_one_by_one(
        &self,
        runs: Vec<NewRun>,
    ) -> Result<Vec<CreatedRun>, ServiceUnavailable> {
        let mut created = Vec::with_capacity(runs.len());
        for run in runs {
            match self.call(vec![run]).await {
                Ok(results) => created.extend(results),
                Err(status) if is_final(status.code()) => {
                    created.push(Err(status.message().to_owned()));
                }
                Err(status) => return Err(unavailable(&status)),
            }
        }
        Ok(created)
    }

    async fn call(&self, runs: Vec<NewRun>) -> Result<Vec<CreatedRun>, Status> {
        let mut client = self.client.clone();
        let answer = client.create_runs(CreateRunsRequest { runs }).await?;
        let results = answer.into_inner().results;
        Ok(results.into_iter().map(convert::created_run).collect())
    }
}

/// Returns whether trying again cannot help.
fn is_final(code: Code) -> bool {
    matches!(
        code,
        Code::InvalidArgument | Code::FailedPrecondition | Code::NotFound | Code::OutOfRange
    )
}

fn unavailable(status: &Status) -> ServiceUnavailable {
    ServiceUnavailable::runs(status.code().to_string())
}
