//! `ck8s repo secret`.
use std::path::PathBuf;

use ck8s_proto::repositories::v1::SetSecretRequest;
use clap::Subcommand;

use super::repo::get;
use crate::{
    args::read_secret,
    client::request_id,
    fault::{Answer, Fault},
    output,
    session::Session,
};

/// What can be done with the secrets of a repository's runs.
#[derive(Subcommand, Clone, Debug)]
pub enum SecretVerb {
    /// Sets a secret; its value comes from a file or from standard input, never from an argument.
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

pub(super) async fn run(session: &Session, verb: SecretVerb) -> Result<(), Fault> {
    let (repository, name, value) = match verb {
        SecretVerb::List { repository } => {
            let repository = get(session, repository).await?;
            return match session.format {
                output::Format::Table => output::say(&repository.secret_names.join("\n")),
                format => format.value(&repository.secret_names),
            };
        }
        SecretVerb::Set {
            repository,
            name,
            from_file,
        } => (repository, name, read_secret(from_file.as_ref())?),
        SecretVerb::Remove { repository, name } => (repository, name, String::new()),
    };
    let (verb, state) = if value.is_empty() {
        ("remove", "is removed")
    } else {
        ("set", "is set")
    };
    let what = format!("cannot {verb} secret {name} of {repository}");
    let done = format!("secret {name} of {repository} {state}");
    let request = SetSecretRequest {
        request_id: request_id(),
        repository,
        name,
        value,
    };
    let answer = session
        .client
        .repositories()
        .set_secret(session.client.ask(request))
        .await
        .or_say(what)?;
    session
        .format
        .one(&answer.repository.unwrap_or_default(), || done)
}
