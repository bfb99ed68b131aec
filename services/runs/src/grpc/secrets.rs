//! What a workload is given besides its spec, and the runs' own tokens: `ck8s_run_<run>_<mac>`. Nothing of a token is stored: the mac
//! follows from the key, and the token dies with its run.
use ck8s_proto::runs::v1 as pb;
use ck8s_rpc::{caller::caller, status};
use ck8s_types::RunId;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use tonic::{Request, Status};

use crate::{
    RunTokenKey, RunsError,
    convert::parse_lease_ref,
    engine::Engine,
    store::{logs, runs},
};

const PREFIX: &str = "ck8s_run_";

/// OpenRunSecrets.
pub async fn open_run_secrets(
    engine: &Engine,
    request: &Request<pb::OpenRunSecretsRequest>,
) -> Result<pb::OpenRunSecretsResponse, Status> {
    let holder = caller(request);
    let (run_id, epoch) = parse_lease_ref(request.get_ref().lease.as_ref())?;
    let run = {
        let mut conn = engine.pool.acquire().await.map_err(RunsError::from)?;
        let lease = logs::end_of(&mut conn, run_id, epoch, holder.certified())
            .await
            .map_err(RunsError::from)?;
        lease.ok_or(RunsError::Stale(run_id))?;
        runs::get(&mut conn, run_id).await?
    };
    let mut secrets: std::collections::HashMap<String, String> =
        match (run.repository, run.spec.secrets.as_slice()) {
            (_, []) => std::collections::HashMap::new(),
            (Some(repository), names) => engine
                .peers
                .secrets(repository, names)
                .await?
                .into_iter()
                .collect(),
            (None, _) => {
                return Err(status::precondition(
                    "SECRET_MISSING",
                    "a run without a repository has no secrets",
                ));
            }
        };
    secrets.insert(
        "CK8S_TOKEN".to_owned(),
        token(&engine.config.run_token_key, run_id),
    );
    Ok(pb::OpenRunSecretsResponse { secrets })
}

/// AuthenticateRun.
pub async fn authenticate_run(
    engine: &Engine,
    request: &Request<pb::AuthenticateRunRequest>,
) -> Result<pb::AuthenticateRunResponse, Status> {
    let run_id = verify(&engine.config.run_token_key, &request.get_ref().token)
        .ok_or_else(status::unauthenticated)?;
    let alive = async { runs::alive(&mut *engine.pool.acquire().await?, run_id).await };
    let project = alive
        .await
        .map_err(RunsError::from)?
        .ok_or_else(status::unauthenticated)?;
    Ok(pb::AuthenticateRunResponse {
        run_id: run_id.to_string(),
        project_id: project.to_string(),
    })
}

fn mac(key: &RunTokenKey, run: RunId) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(&key.0).expect("HMAC takes a key of any length");
    mac.update(b"ck8s run token v1 ");
    mac.update(run.uuid().as_bytes());
    mac
}

fn token(key: &RunTokenKey, run: RunId) -> String {
    let mac = hex::encode(mac(key, run).finalize().into_bytes());
    format!("{PREFIX}{}_{mac}", run.uuid().simple())
}

fn verify(key: &RunTokenKey, token: &str) -> Option<RunId> {
    let (run, sent) = token.strip_prefix(PREFIX)?.split_once('_')?;
    let run: RunId = run.parse().ok()?;
    mac(key, run).verify_slice(&hex::decode(sent).ok()?).ok()?;
    Some(run)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_one_runs_alone() {
        let (key, run) = (RunTokenKey([7; 32]), RunId::new());
        let token = token(&key, run);
        assert_eq!(verify(&key, &token), Some(run));
        assert_eq!(verify(&RunTokenKey([8; 32]), &token), None);
        let other = token.replace(
            &run.uuid().simple().to_string(),
            &RunId::new().uuid().simple().to_string(),
        );
        assert_eq!(verify(&key, &other), None);
        for bad in ["", "ck8s_run_", "ck8s_run_x_y", &token[..token.len() - 2]] {
            assert_eq!(verify(&key, bad), None, "{bad}");
        }
    }
}
