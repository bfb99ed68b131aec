//! `ck8s repo secret`: the secrets of a repository's runs.
use std::path::PathBuf;

use ck8s_proto::repositories::v1::{Secret, SecretBinding, SetSecretRequest};
use clap::Subcommand;

use super::show;
use crate::{
    args::read_secret,
    client::request_id,
    connection::Connection,
    error::{CliError, ResponseExt as _},
    output,
    table::{TextTable, age},
};

/// The verbs about the secrets of a repository's runs.
#[derive(Subcommand, Clone, Debug)]
pub enum SecretVerb {
    /// Sets a secret. Its value is read from a file or from standard input, never from an argument.
    #[command(
        after_help = "Example:\n  ck8s repo secret set acme/shop API_KEY --from-file key.txt\n  ck8s repo secret set acme/shop DEPLOY_KEY --triggers deploy,release < key.txt"
    )]
    Set {
        /// The repository's id or owner/name.
        repository: String,
        /// The environment variable: upper case, digits and underscores; not CK8S_*.
        name: String,
        /// Reads the value from a file; without it, from standard input.
        #[arg(long, value_name = "FILE")]
        from_file: Option<PathBuf>,
        /// Only runs of these triggers are given the secret. Without it, a secret that is there keeps its triggers.
        #[arg(long, value_name = "NAME,NAME", value_delimiter = ',')]
        triggers: Vec<String>,
        /// Runs of every trigger are given the secret.
        #[arg(long, conflicts_with = "triggers")]
        all_triggers: bool,
    },
    /// Removes a secret.
    #[command(after_help = "Example:\n  ck8s repo secret remove acme/shop API_KEY")]
    Remove {
        /// The repository's id or owner/name.
        repository: String,
        /// The environment variable.
        name: String,
    },
    /// Lists secrets and the triggers that they are bound to, never their values.
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
            print_secrets(connection, &repository.secrets)
        }
        SecretVerb::Set {
            repository,
            name,
            from_file,
            triggers,
            all_triggers,
        } => {
            let what = format!("cannot set secret {name} of {repository}");
            let done = format!("secret {name} of {repository} is set");
            let value = read_secret(from_file.as_ref())?;
            let is_bound = all_triggers || !triggers.is_empty();
            let request = SetSecretRequest {
                request_id: request_id(),
                repository,
                name,
                value,
                binding: is_bound.then_some(SecretBinding { triggers }),
            };
            set(connection, request, what, done).await
        }
        SecretVerb::Remove { repository, name } => {
            let what = format!("cannot remove secret {name} of {repository}");
            let done = format!("secret {name} of {repository} is removed");
            let request = SetSecretRequest {
                request_id: request_id(),
                repository,
                name,
                value: String::new(),
                binding: None,
            };
            set(connection, request, what, done).await
        }
    }
}

/// Sets a secret, or removes it if the value is empty.
async fn set(
    connection: &Connection,
    request: SetSecretRequest,
    what: String,
    done: String,
) -> Result<(), CliError> {
    let bound = request.binding.clone().unwrap_or_default().triggers;
    let response = connection
        .client
        .repositories()
        .set_secret(connection.client.request(request))
        .await
        .context(what)?;
    for warning in &response.warnings {
        output::note(warning);
    }
    let repository = response.repository.unwrap_or_default();
    let services = repository.services.clone().unwrap_or_default();
    for name in bound {
        if !services.triggers.iter().any(|trigger| trigger.name == name) {
            output::note(&format!("services.yaml has no trigger {name:?} now"));
        }
    }
    connection.format.print_one(&repository, || done)
}

/// Prints secrets, never their values.
pub(in crate::commands) fn print_secrets(
    connection: &Connection,
    secrets: &[Secret],
) -> Result<(), CliError> {
    connection.format.print_many(secrets, || {
        let mut rows = TextTable::new(&["NAME", "TRIGGERS", "SET"]);
        for secret in secrets {
            let triggers = match secret.triggers.as_slice() {
                [] => "all".to_owned(),
                names => names.join(", "),
            };
            rows.row([
                secret.name.clone(),
                triggers,
                age(secret.update_time.as_ref()),
            ]);
        }
        rows
    })
}
