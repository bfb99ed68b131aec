//! AuthenticateRun: which run a token speaks for.
use ck8s_types::{ProjectId, RunId};

use crate::{domain::RunToken, engine::Engine, error::RunsError, store::runs};

/// A run and its project.
pub(crate) struct RunIdentity {
    pub run: RunId,
    pub project: ProjectId,
}

/// Returns the run that a token speaks for, as long as it lives.
pub(crate) async fn authenticate_run(
    engine: &Engine,
    token: &str,
) -> Result<RunIdentity, RunsError> {
    let run = RunToken::verify(&engine.config.run_token_key, token);
    let run = run.ok_or(RunsError::TokenRejected)?;
    let project = runs::project_if_alive(&mut *engine.pool.acquire().await?, run).await?;
    let project = project.ok_or(RunsError::TokenRejected)?;
    Ok(RunIdentity { run, project })
}
