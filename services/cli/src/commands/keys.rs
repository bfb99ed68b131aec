//! `ck8s keys`: what seals secrets at rest.
use ck8s_proto::{auth::v1 as auth, repositories::v1 as repositories};
use ck8s_sealing::KeyRing;
use clap::Subcommand;
use secrecy::ExposeSecret;
use serde::Serialize;

use crate::{
    Global,
    client::request_id,
    fault::{Answer, Exit, Fault},
    output::{self, Format},
    session::Session,
    table::Rows,
};

/// What can be done with keys.
#[derive(Subcommand, Clone, Debug)]
pub enum KeysVerb {
    /// Prints a fresh key, to be put into CK8S_KEY_RING. It stays with you: no server hears of it.
    #[command(after_help = "Example:\n  ck8s keys generate")]
    Generate,
    /// Seals everything again under the first key of CK8S_KEY_RING, and says which keys may go.
    #[command(
        after_help = "Example:\n  ck8s keys rotate\n\nBefore: add the new key at the end of CK8S_KEY_RING of every replica of auth and repositories, restart them; put it first, restart \
                      them again. After: take the old one out."
    )]
    Rotate,
}

/// What one service sealed again.
#[derive(Serialize)]
struct Resealed {
    service: &'static str,
    key_id: String,
    resealed: i64,
    idle_key_ids: Vec<String>,
}

pub(crate) async fn run(verb: KeysVerb, global: &Global) -> Result<Exit, Fault> {
    match verb {
        KeysVerb::Generate => output::say(KeyRing::generate_text().expose_secret())?,
        KeysVerb::Rotate => rotate(&Session::open(global).await?).await?,
    }
    Ok(Exit::Done)
}

async fn rotate(session: &Session) -> Result<(), Fault> {
    let client = &session.client;
    let request = repositories::ResealRequest {
        request_id: request_id(),
    };
    let answer = client.repositories().reseal(client.ask(request)).await;
    let theirs = answer.or_say("cannot seal the secrets of repositories again")?;
    let request = auth::ResealRequest {
        request_id: request_id(),
    };
    let answer = client.auth().reseal(client.ask(request)).await;
    let ours = answer.or_say("cannot seal the keys of sign-in again")?;
    let all = [
        Resealed {
            service: "repositories",
            key_id: theirs.key_id,
            resealed: theirs.resealed,
            idle_key_ids: theirs.idle_key_ids,
        },
        Resealed {
            service: "auth",
            key_id: ours.key_id,
            resealed: ours.resealed,
            idle_key_ids: ours.idle_key_ids,
        },
    ];
    if session.format != Format::Table {
        return session.format.value(&all);
    }
    let mut rows = Rows::new(&["SERVICE", "KEY", "SEALED AGAIN", "MAY GO"]);
    for it in all {
        rows.row([
            it.service.to_owned(),
            it.key_id,
            it.resealed.to_string(),
            it.idle_key_ids.join(", "),
        ]);
    }
    output::say(&rows.to_string())
}
