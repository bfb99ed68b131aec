//! `ck8s repo rotate-secret`, and webhook secrets that are read from files.
use std::{path::PathBuf, time::Duration};

use ck8s_proto::repositories::v1::RotateWebhookSecretRequest;

use super::show;
use crate::{
    args::{read_secret, seconds},
    client::request_id,
    connection::Connection,
    error::{CliError, ResponseExt as _},
    output,
};

/// Replaces a repository's webhook secret by the one in the file, or by a random one.
pub(super) async fn rotate(
    connection: &Connection,
    repository: String,
    file: Option<&PathBuf>,
    overlap: Option<Duration>,
) -> Result<(), CliError> {
    let what = format!("cannot rotate the webhook secret of {repository}");
    let request = RotateWebhookSecretRequest {
        request_id: request_id(),
        repository,
        webhook_secret: read(file)?,
        overlap_seconds: seconds(overlap),
    };
    let mut service = connection.client.repositories();
    let response = service
        .rotate_webhook_secret(connection.client.request(request))
        .await
        .context(what)?;
    if response.webhook_secret.is_empty() {
        output::note("GitHub has the new secret; the old one counts until a delivery shows it");
    } else {
        output::note("the secret is shown here and never again");
    }
    connection.format.print_one(&response, || {
        let repository = response.repository.clone().unwrap_or_default();
        show::describe(&repository, &response.webhook_secret)
    })
}

/// Reads a webhook secret from a file; empty without one, which asks the server for a random secret.
pub(super) fn read(file: Option<&PathBuf>) -> Result<String, CliError> {
    file.map_or_else(|| Ok(String::new()), |path| read_secret(Some(path)))
}
