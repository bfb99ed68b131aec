//! `ck8s worker join`: a key that is made here and never leaves, and a certificate for it.
use std::path::Path;

use ck8s_pki::{Issued, PkiError, Request, write_public};
use ck8s_proto::auth::v1::JoinWorkerRequest;
use secrecy::ExposeSecret;
use serde_json::json;

use super::worker::JoinArgs;
use crate::{
    Global,
    fault::{Answer, Exit, Fault},
    global::{Target, Who},
    session::Session,
    table::{facts, moment},
};

/// The file that says that the certificates beside it are the worker's own to renew.
const JOINED: &str = "joined.json";

/// Whether the certificates of a directory came by `ck8s worker join`.
#[must_use]
pub fn has_joined(dir: &Path) -> bool {
    dir.join(JOINED).exists()
}

pub(crate) async fn run(args: JoinArgs, global: &Global) -> Result<Exit, Fault> {
    let JoinArgs { out, id } = args;
    let worker_id = id.unwrap_or_default();
    let what = format!("cannot join as worker {worker_id}");
    let Target { url, who, .. } = global.target()?;
    let token = who.token().ok_or_else(|| {
        Fault::usage(
            &what,
            "there is no join token",
            "make one with `ck8s token create NAME --kind join` and give --token-file or CK8S_TOKEN",
        )
    })?;
    // The token is what is asked with, not who asks.
    let nobody = Target {
        url: url.clone(),
        who: Who::Nobody,
        ready: None,
    };
    let session = Session::connect(&nobody, global.output).await?;
    let files = |error: PkiError| Fault::new(Exit::Failed, &what, error.to_string(), "see --out");
    let request = Request::new().map_err(files)?;
    let message = JoinWorkerRequest {
        token: token.expose_secret().to_owned(),
        worker_id: worker_id.clone(),
        certificate_request: request.csr.clone(),
    };
    let answer = session
        .client
        .auth()
        .join_worker(session.client.ask(message))
        .await
        .or_say(&what)?;
    let issued = Issued {
        certificate: answer.certificate.clone(),
        authority: answer.authority.clone(),
        until: std::time::SystemTime::now(),
    };
    request.bundle(&issued).write(&out).map_err(files)?;
    let joined = json!({ "worker_id": worker_id, "url": url });
    write_public(&out.join(JOINED), joined.to_string().as_bytes()).map_err(files)?;
    let dir = out.display().to_string();
    session.format.one(&answer, || {
        facts(&[
            ("Worker", worker_id.clone()),
            ("Directory", dir.clone()),
            ("Expires", moment(answer.expire_time.as_ref())),
        ])
    })?;
    Ok(Exit::Done)
}
