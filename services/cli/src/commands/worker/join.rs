//! `ck8s worker join`: makes a key, which never leaves this machine, and gets a certificate for it.
use std::path::{Path, PathBuf};

use ck8s_pki::{Issued, PkiError, Request, write_public};
use ck8s_proto::auth::v1::JoinWorkerRequest;
use secrecy::ExposeSecret;
use serde_json::json;

use crate::{
    GlobalOptions,
    connection::Connection,
    error::{CliError, ExitStatus, ResponseExt as _},
    table::{key_values, timestamp},
    target::Target,
};

/// The file that says that the worker itself renews the certificates beside it.
const MARKER_FILE_NAME: &str = "joined.json";

/// Returns whether the certificates of a directory came by `ck8s worker join`.
#[must_use]
pub fn has_joined(dir: &Path) -> bool {
    dir.join(MARKER_FILE_NAME).exists()
}

/// Arguments of `ck8s worker join`. The token comes by --token-file or CK8S_TOKEN.
#[derive(clap::Args, Clone, Debug)]
pub struct JoinArgs {
    /// Where the key and the certificate go: tls.key, tls.crt, ca.crt.
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// The worker's id; without it, the machine's name.
    #[arg(long, value_name = "ID")]
    pub id: Option<String>,
}

pub(super) async fn run(args: JoinArgs, options: &GlobalOptions) -> Result<ExitStatus, CliError> {
    let JoinArgs { out, id } = args;
    let worker_id = id.unwrap_or_default();
    let what = format!("cannot join as worker {worker_id}");
    let Target {
        url, credential, ..
    } = options.target()?;
    let token = credential.token().ok_or_else(|| {
        CliError::usage(
            &what,
            "there is no join token",
            "make one with `ck8s token create NAME --kind join` and give --token-file or CK8S_TOKEN",
        )
    })?;
    // The token is part of the request, not the credential of the call.
    let anonymous = Target::anonymous(&url);
    let connection = Connection::connect(&anonymous, options.output).await?;
    let file_error =
        |error: PkiError| CliError::new(ExitStatus::Failed, &what, error.to_string(), "see --out");
    let request = Request::new().map_err(file_error)?;
    let message = JoinWorkerRequest {
        token: token.expose_secret().to_owned(),
        worker_id: worker_id.clone(),
        certificate_request: request.csr.clone(),
    };
    let response = connection
        .client
        .auth()
        .join_worker(connection.client.request(message))
        .await
        .context(&what)?;
    let issued = Issued {
        certificate: response.certificate.clone(),
        authority: response.authority.clone(),
        until: std::time::SystemTime::now(),
    };
    request.bundle(&issued).write(&out).map_err(file_error)?;
    let joined = json!({ "worker_id": worker_id, "url": url });
    write_public(&out.join(MARKER_FILE_NAME), joined.to_string().as_bytes()).map_err(file_error)?;
    let dir = out.display().to_string();
    connection.format.print_one(&response, || {
        key_values(&[
            ("Worker", worker_id.clone()),
            ("Directory", dir.clone()),
            ("Expires", timestamp(response.expire_time.as_ref())),
        ])
    })?;
    Ok(ExitStatus::Success)
}
