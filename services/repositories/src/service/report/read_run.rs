//! Reads runs from the runs service.
use ck8s_proto::runs::v1::GetRunRequest;
use ck8s_types::RunId;
use tonic::Code;

use crate::{
    convert, domain::report::ReportedRun, error::Error, service::repositories::Repositories,
};

impl Repositories {
    /// Returns a run as it is now; none: it is not there any more.
    pub(super) async fn find_run(&self, id: RunId) -> Result<Option<ReportedRun>, Error> {
        let request = GetRunRequest {
            run_id: id.to_string(),
        };
        match self.runs.clone().get_run(request).await {
            Ok(response) => {
                let run = response.into_inner().run;
                Ok(run.map(|run| convert::reported_run(id, run)))
            }
            Err(status) if status.code() == Code::NotFound => Ok(None),
            Err(status) => Err(Error::from_peer(&status)),
        }
    }
}
