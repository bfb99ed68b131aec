//! The tokens of the local admin and of the local worker.
use anyhow::Result;
use ck8s_auth::Bootstrap;
use secrecy::{ExposeSecret, SecretString};

use super::data_dir::DataDir;

/// Returns the tokens of the local admin and of the local worker. They are stored in the directory, and made again if
/// they are no longer valid.
pub(super) async fn ensure(
    auth: &Bootstrap,
    dir: &DataDir,
) -> Result<(SecretString, SecretString)> {
    let stored = dir.stored("admin-token")?;
    let admin = auth
        .ensure_admin_token(
            "local-admin",
            stored.as_ref().map(ExposeSecret::expose_secret),
        )
        .await?;
    dir.store("admin-token", &admin)?;
    let stored = dir.stored("worker-token")?;
    let worker = auth
        .ensure_worker_token(
            "local-worker",
            stored.as_ref().map(ExposeSecret::expose_secret),
        )
        .await?;
    dir.store("worker-token", &worker)?;
    Ok((admin.into(), worker.into()))
}
