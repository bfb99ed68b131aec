//! The request ids of this service's calls.
use ck8s_db::{
    ServiceRole,
    request_ids::{Claim, RequestError, RequestKey, Requests},
};
use ck8s_types::RunId;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::error::RunsError;

/// The request ids of this service.
pub(crate) const REQUESTS: Requests = Requests::of(ServiceRole::Runs);

/// Claims the request id of a call that makes or changes one run. Some: the same call was answered before, with this
/// run.
pub(crate) async fn claim_for_run(
    conn: &mut PgConnection,
    key: Option<&RequestKey>,
) -> Result<Option<RunId>, RunsError> {
    match REQUESTS.claim(conn, key).await? {
        Claim::First => Ok(None),
        Claim::Answered(response) => {
            let run = Uuid::from_slice(&response);
            let run = run.map_err(|error| RunsError::Corrupt(error.to_string()))?;
            Ok(Some(RunId::from(run)))
        }
    }
}

/// Keeps the run that a call is answered with.
pub(crate) async fn answer_with_run(
    conn: &mut PgConnection,
    key: Option<&RequestKey>,
    run: RunId,
) -> sqlx::Result<()> {
    REQUESTS.answer(conn, key, run.uuid().as_bytes()).await
}

impl From<RequestError> for RunsError {
    fn from(error: RequestError) -> Self {
        match error {
            RequestError::Reused(id) => Self::RequestIdReused(id),
            RequestError::Database(error) => Self::Database(error),
        }
    }
}
