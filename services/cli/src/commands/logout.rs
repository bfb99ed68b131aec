//! `ck8s logout`: removes the stored credential, and ends the session at the server.
use ck8s_proto::auth::v1::SignOutRequest;
use serde_json::json;

use crate::{
    GlobalOptions,
    connection::Connection,
    credentials::{CredentialStore, StoredCredential},
    error::{CliError, ExitStatus, ResponseExt as _},
    output::{self, Format},
    target::Target,
};

pub(crate) async fn run(options: &GlobalOptions) -> Result<ExitStatus, CliError> {
    let url = options.url()?;
    let removed = match CredentialStore::of_user() {
        Some(store) => {
            // Under the lock: a command that refreshes the session would store it again.
            let locked = store.lock()?;
            locked.remove(&url)?
        }
        None => None,
    };
    // The credential stays removed even if the server cannot be reached.
    let ended = match &removed {
        Some(StoredCredential::Session(tokens)) => {
            end_session(&url, &tokens.refresh_token, options).await
        }
        Some(StoredCredential::Token { .. }) | None => Ok(()),
    };
    let (was, text) = match &removed {
        None => ("nobody", format!("nobody was signed in to {url}")),
        Some(StoredCredential::Token { .. }) => (
            "token",
            format!("the token for {url} is forgotten; it stays good until it is revoked"),
        ),
        Some(StoredCredential::Session(_)) if ended.is_ok() => {
            ("session", format!("signed out of {url}"))
        }
        Some(StoredCredential::Session(_)) => {
            ("session", format!("the session at {url} is forgotten"))
        }
    };
    match options.output {
        Format::Table => output::print(&text)?,
        format => format.print_value(&json!({ "server": url, "was": was }))?,
    }
    if std::env::var_os("CK8S_TOKEN").is_some_and(|token| !token.is_empty()) {
        output::note("CK8S_TOKEN is set and goes on to count");
    }
    ended.map(|()| ExitStatus::Success)
}

/// Ends a session at the server.
async fn end_session(
    url: &str,
    refresh_token: &str,
    options: &GlobalOptions,
) -> Result<(), CliError> {
    let anonymous = Target::anonymous(url);
    let connection = Connection::connect(&anonymous, options.output).await?;
    let request = connection.client.request(SignOutRequest {
        refresh_token: refresh_token.to_owned(),
    });
    let ended = connection.client.auth().sign_out(request).await;
    ended.context("cannot end the session at the server")?;
    Ok(())
}
