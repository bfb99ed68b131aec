//! `ck8s keys`: the verbs about the keys that seal secrets at rest.
use ck8s_proto::{auth::v1 as auth, repositories::v1 as repositories};
use ck8s_sealing::KeyRing;
use clap::Subcommand;
use secrecy::ExposeSecret;
use serde::Serialize;

use crate::{
    GlobalOptions,
    client::request_id,
    connection::Connection,
    error::{CliError, ExitStatus, ResponseExt as _},
    output::{self, Format},
    table::TextTable,
};

/// The verbs about keys.
#[derive(Subcommand, Clone, Debug)]
pub enum KeysVerb {
    /// Prints a fresh key for CK8S_KEY_RING. No server is contacted.
    #[command(after_help = "Example:\n  ck8s keys generate")]
    Generate,
    /// Seals everything again under the first key of CK8S_KEY_RING, and says which keys can be removed.
    #[command(
        after_help = "Example:\n  ck8s keys rotate\n\nBefore: add the new key at the end of CK8S_KEY_RING of every replica of auth and repositories, restart them; put it first, restart \
                      them again. After: take the old one out."
    )]
    Rotate,
}

/// The result of one service.
#[derive(Serialize)]
struct Resealed {
    service: &'static str,
    key_id: String,
    resealed: i64,
    idle_key_ids: Vec<String>,
}

pub(crate) async fn run(verb: KeysVerb, options: &GlobalOptions) -> Result<ExitStatus, CliError> {
    match verb {
        KeysVerb::Generate => output::print(KeyRing::generate_text().expose_secret())?,
        KeysVerb::Rotate => rotate(&Connection::open(options).await?).await?,
    }
    Ok(ExitStatus::Success)
}

async fn rotate(connection: &Connection) -> Result<(), CliError> {
    let client = &connection.client;
    let request = repositories::ResealRequest {
        request_id: request_id(),
    };
    let response = client.repositories().reseal(client.request(request)).await;
    let of_repositories = response.context("cannot seal the secrets of repositories again")?;
    let request = auth::ResealRequest {
        request_id: request_id(),
    };
    let response = client.auth().reseal(client.request(request)).await;
    let of_auth = response.context("cannot seal the keys of sign-in again")?;
    let results = [
        Resealed {
            service: "repositories",
            key_id: of_repositories.key_id,
            resealed: of_repositories.resealed,
            idle_key_ids: of_repositories.idle_key_ids,
        },
        Resealed {
            service: "auth",
            key_id: of_auth.key_id,
            resealed: of_auth.resealed,
            idle_key_ids: of_auth.idle_key_ids,
        },
    ];
    if connection.format != Format::Table {
        return connection.format.print_value(&results);
    }
    let mut rows = TextTable::new(&["SERVICE", "KEY", "SEALED AGAIN", "MAY GO"]);
    for result in results {
        rows.row([
            result.service.to_owned(),
            result.key_id,
            result.resealed.to_string(),
            result.idle_key_ids.join(", "),
        ]);
    }
    output::print_table(&rows)
}
