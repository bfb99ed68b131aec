//! `ck8s logout`: the session ends at the server, and what was kept of it is forgotten here.
use ck8s_proto::auth::v1::SignOutRequest;
use serde_json::json;

use crate::{
    Global,
    credentials::{Kept, Store},
    fault::{Answer, Exit, Fault},
    global::{Target, Who},
    output::{self, Format},
    session::Session,
};

pub(crate) async fn run(global: &Global) -> Result<Exit, Fault> {
    let url = global.url()?;
    let forgotten = match Store::of_user() {
        Some(store) => {
            // Not while another command refreshes: it would bring the session back.
            let held = store.hold()?;
            held.forget(&url)?
        }
        None => None,
    };
    // Here it is forgotten, whatever the server says now.
    let told = match &forgotten {
        Some(Kept::Session(tokens)) => end(&url, &tokens.refresh_token, global).await,
        Some(Kept::Token { .. }) | None => Ok(()),
    };
    let (was, text) = match &forgotten {
        None => ("nobody", format!("nobody was signed in to {url}")),
        Some(Kept::Token { .. }) => (
            "token",
            format!("the token for {url} is forgotten; it stays good until it is revoked"),
        ),
        Some(Kept::Session(_)) if told.is_ok() => ("session", format!("signed out of {url}")),
        Some(Kept::Session(_)) => ("session", format!("the session at {url} is forgotten")),
    };
    match global.output {
        Format::Table => output::say(&text)?,
        format => format.value(&json!({ "server": url, "was": was }))?,
    }
    if std::env::var_os("CK8S_TOKEN").is_some_and(|token| !token.is_empty()) {
        output::note("CK8S_TOKEN is set and goes on to count");
    }
    told.map(|()| Exit::Done)
}

/// Ends a session at the server.
async fn end(url: &str, refresh_token: &str, global: &Global) -> Result<(), Fault> {
    let nobody = Target {
        url: url.to_owned(),
        who: Who::Nobody,
        ready: None,
    };
    let session = Session::connect(&nobody, global.output).await?;
    let request = session.client.ask(SignOutRequest {
        refresh_token: refresh_token.to_owned(),
    });
    let ended = session.client.auth().sign_out(request).await;
    ended.or_say("cannot end the session at the server")?;
    Ok(())
}
