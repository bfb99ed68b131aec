//! OpenRunSecrets: what a workload is given besides its spec.
use std::collections::BTreeMap;

use ck8s_types::{LeaseRef, WorkerId};

use crate::{
    domain::RunToken,
    engine::Engine,
    error::RunsError,
    store::{logs, runs},
};

/// The name under which a workload finds its run's own token.
const RUN_TOKEN_VARIABLE: &str = "CK8S_TOKEN";

/// Returns the secrets and the token of a run, for the worker that holds its lease.
pub(crate) async fn open_run_secrets(
    engine: &Engine,
    lease: LeaseRef,
    holder: Option<&WorkerId>,
) -> Result<BTreeMap<String, String>, RunsError> {
    let run = {
        let mut conn = engine.pool.acquire().await?;
        let live = logs::end_of(&mut conn, lease, holder).await?;
        live.ok_or(RunsError::Stale(lease.run_id))?;
        runs::get(&mut conn, lease.run_id).await?
    };
    let mut secrets = match (run.repository, run.spec.secrets.as_slice()) {
        (_, []) => BTreeMap::new(),
        // Code of a fork: whatever its spec names, it gets its own token alone.
        _ if run.trigger.secrets_withheld => BTreeMap::new(),
        (Some(repository), _) => engine.peers.secrets(repository, &run).await?,
        (None, _) => {
            let message = "a run without a repository has no secrets";
            return Err(RunsError::SecretMissing(message.to_owned()));
        }
    };
    let token = RunToken::issue(&engine.config.run_token_key, lease.run_id);
    secrets.insert(RUN_TOKEN_VARIABLE.to_owned(), token);
    Ok(secrets)
}
