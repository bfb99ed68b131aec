//! Makes runs of deliveries through the runs service, many in one call.
use ck8s_proto::runs::v1::{CreateRunsRequest, NewRun, runs_service_client::RunsServiceClient};
use ck8s_rpc::mesh::Channel;
use ck8s_types::{DeliveryId, ProjectId, RepositoryId, RunId};
use prost::Message;
use tonic::{Code, Request};

use super::{Away, DEADLINE};
use crate::{convert, domain::run::Wanted};

/// What the contract takes in one call.
const MOST: usize = 1_000;
/// Well below the largest message.
const LARGEST: usize = 8 * 1024 * 1024;

/// A run to make of a delivery.
#[derive(Clone, Debug)]
pub(crate) struct Order {
    /// The delivery; the run's id follows from it.
    pub(crate) delivery_id: DeliveryId,
    pub(crate) project_id: ProjectId,
    pub(crate) repository_id: RepositoryId,
    /// owner/name.
    pub(crate) repository_name: String,
    pub(crate) wanted: Wanted,
}

/// What became of an order: the run, or why there is none and never will be.
pub(crate) type Made = Result<RunId, String>;

/// The client.
#[derive(Clone)]
pub(crate) struct Runs {
    client: RunsServiceClient<Channel>,
}

impl Runs {
    pub(crate) fn new(channel: Channel) -> Self {
        Self {
            client: RunsServiceClient::new(channel),
        }
    }

    /// Makes runs. What each order came to, in order; the rest of the list is missing where the service went away meanwhile.
    pub(crate) async fn create(&self, orders: Vec<Order>) -> (Vec<Made>, Option<Away>) {
        let mut made = Vec::with_capacity(orders.len());
        let mut batch: Vec<NewRun> = Vec::with_capacity(orders.len());
        let mut size = 0;
        let mut orders = orders.into_iter().map(convert::new_run).peekable();
        while let Some(run) = orders.next() {
            size += run.encoded_len();
            batch.push(run);
            let full = orders
                .peek()
                .is_none_or(|next| size + next.encoded_len() > LARGEST);
            if full || batch.len() == MOST {
                match self.call(std::mem::take(&mut batch)).await {
                    Ok(results) => made.extend(results),
                    Err(away) => return (made, Some(away)),
                }
                size = 0;
            }
        }
        (made, None)
    }

    async fn call(&self, runs: Vec<NewRun>) -> Result<Vec<Made>, Away> {
        let alone = runs.len() == 1;
        let count = runs.len();
        match self.send(runs.clone()).await {
            Ok(results) if results.len() == count => Ok(results),
            Ok(_) => Err(away("an answer of the wrong length")),
            Err(status) if !is_final(status.code()) => Err(away(&status.code().to_string())),
            Err(status) if alone => Ok(vec![Err(status.message().to_owned())]),
            // One of them is refused in a way that takes the call with it: the others must not suffer.
            Err(_) => {
                let mut made = Vec::with_capacity(count);
                for run in runs {
                    match self.send(vec![run]).await {
                        Ok(results) => made.extend(results),
                        Err(status) if is_final(status.code()) => {
                            made.push(Err(status.message().to_owned()));
                        }
                        Err(status) => return Err(away(&status.code().to_string())),
                    }
                }
                Ok(made)
            }
        }
    }

    async fn send(&self, runs: Vec<NewRun>) -> Result<Vec<Made>, tonic::Status> {
        let mut request = Request::new(CreateRunsRequest { runs });
        request.set_timeout(DEADLINE);
        let mut client = self.client.clone();
        let answer = tokio::time::timeout(DEADLINE, client.create_runs(request))
            .await
            .map_err(|_| tonic::Status::deadline_exceeded("no answer in time"))??;
        Ok(answer
            .into_inner()
            .results
            .into_iter()
            .map(convert::made)
            .collect())
    }
}

/// Whether trying again cannot help.
fn is_final(code: Code) -> bool {
    matches!(
        code,
        Code::InvalidArgument | Code::FailedPrecondition | Code::NotFound | Code::OutOfRange
    )
}

fn away(cause: &str) -> Away {
    Away {
        service: "runs",
        cause: cause.to_owned(),
    }
}
