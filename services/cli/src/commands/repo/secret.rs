//! `ck8s repo secret`: the secrets of a repository's runs.
use std::path::PathBuf;

use ck8s_proto::repositories::v1::SetSecretRequest;
use clap::Subcommand;

use super::show;
use crate::{
    args::read_secret,
    client::request_id,
    connection::Connection,
    error::{CliError, ResponseExt as _},
    output::{self, Format},
};

/// The verbs about the secrets of a repository's runs.
#[derive(Subcommand, Clone, Debug)]
pub enum SecretVerb {
    /// Sets a secret. Its value is read from a file or from standard input, never from an argument.
    #[command(
        after_help = "Example:\n  ck8s repo secret set acme/shop API_KEY --from-file key.txt"
    )]
    Set {
        /// The repository's id or owner/name.
        repository: String,
        /// The environment variable: upper case, digits and underscores; not CK8S_*.
        name: String,
        /// Reads the value from a file; without it, from standard input.
        #[arg(long, value_name = "FILE")]
        from_file: Option<PathBuf>,
    },
    /// Removes a secret.
    #[command(after_help = "Example:\n  ck8s repo secret remove acme/shop API_KEY")]
    Remove {
        /// The repository's id or owner/name.
        repository: String,
        /// The environment variable.
        name: String,
    },
    /// Lists the names of secrets, never their values.
    #[command(after_help = "Example:\n  ck8s repo secret list acme/shop")]
    List {
        /// The repository's id or owner/name.
        repository: String,
    },
}

pub(super) async fn run(connection: &Connection, verb: SecretVerb) -> Result<(), CliError> {
    match verb {
        SecretVerb::List { repository } => {
            let repository = show::get(connection, repository).await?;
            match connection.format {
                Format::Table => output::print(&repository.secret_names.join("\n")),
                format => format.print_value(&repository.secret_names),
            }
        }
        SecretVerb::Set {
            repository,
            name,
            from_file,
        } => {
            let what = format!("cannot set secret {name} of {repository}");
            let done = format!("secret {name} of {repository} is set");
            let value = read_secret(from_file.as_ref())?;
            set(connection, repository, name, value, what, done).await
        }
        SecretVerb::Remove { repository, name } => {
            let what = format!("cannot remove secret {name} of {repository}");
            let done = format!("secret {name} of {repository} is removed");
            set(connection, repository, name, String::new(), what, done).await
        }
    }
}

/// Sets a secret, or removes it if the value is empty.
async fn set(
    connection: &Connection,
    repository: String,
    name: String,
    value: String,
    what: String,
    done: String,
) -> Result<(), CliError> {
    let request = SetSecretRequest {
        request_id: request_id(),
        repository,
        name,
        value,
    };
    let response = connection
        .client
        .repositories()
        .set_secret(connection.client.request(request))
        .await
        .context(what)?;
    connection
        .format
        .print_one(&response.repository.unwrap_or_default(), || done)
}
