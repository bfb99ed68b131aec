//! `ck8s repo`: the verbs about repositories.
mod add;
mod check;
mod credential;
mod list;
mod secret;
mod show;
mod update;
mod webhook_secret;

use std::{path::PathBuf, time::Duration};

use ck8s_proto::repositories::v1::RemoveRepositoryRequest;
use clap::Subcommand;

pub(super) use self::secret::print_secrets;
use crate::{
    args::{Limit, duration},
    client::request_id,
    connection::Connection,
    error::{CliError, ExitStatus, ResponseExt as _},
    options::GlobalOptions,
    output::{self, ForeignOutput},
};

/// The verbs about repositories.
#[derive(Subcommand, Clone, Debug)]
pub enum RepoVerb {
    /// Lists repositories by name.
    #[command(after_help = "Example:\n  ck8s repo list --project shop")]
    List {
        /// The project's id or slug; without it, all.
        #[arg(long)]
        project: Option<String>,
        /// How many.
        #[command(flatten)]
        limit: Limit,
    },
    /// Adds a repository. With a credential, ck8s makes its webhook and reads its services.yaml; without one, the
    /// webhook secret is shown, once.
    #[command(
        after_help = "Example:\n  ck8s repo add acme/shop --project shop --access-token-file token.txt\n  ck8s repo add acme/shop --project shop --external-id 123456 --services-file services.yaml"
    )]
    Add(add::Add),
    /// Shows one repository.
    #[command(
        after_help = "Example:\n  ck8s repo get acme/shop\n  ck8s repo get acme/shop --services > services.yaml"
    )]
    Get {
        /// Its id or owner/name.
        repository: String,
        /// Print only the text of its services.yaml.
        #[arg(long)]
        services: bool,
    },
    /// Changes a repository.
    #[command(after_help = "Example:\n  ck8s repo update acme/shop --services-file services.yaml")]
    Update(update::Update),
    /// Removes a repository, and its webhook if ck8s made it; its runs and deliveries stay.
    #[command(after_help = "Example:\n  ck8s repo remove acme/shop")]
    Remove {
        /// Its id or owner/name.
        repository: String,
    },
    /// Replaces the webhook secret; the old one stays valid for a while.
    #[command(after_help = "Example:\n  ck8s repo rotate-secret acme/shop --overlap 2h")]
    RotateSecret {
        /// Its id or owner/name.
        repository: String,
        /// Reads the new secret from a file (-: standard input); without it, a random one is made and shown.
        #[arg(long, value_name = "FILE")]
        webhook_secret_file: Option<PathBuf>,
        /// How long the old secret stays valid; without it, a day.
        #[arg(long, value_parser = duration, value_name = "TIME")]
        overlap: Option<Duration>,
    },
    /// Gives ck8s another credential for a repository.
    #[command(
        after_help = "Example:\n  ck8s repo rotate-token acme/shop --access-token-file token.txt"
    )]
    RotateToken {
        /// Its id or owner/name.
        repository: String,
        /// The credential that ck8s uses at GitHub.
        #[command(flatten)]
        credential: credential::CredentialArgs,
    },
    /// Says what is right and what is wrong with a repository; ends with 1 if something is wrong.
    #[command(after_help = "Example:\n  ck8s repo check acme/shop")]
    Check {
        /// Its id or owner/name.
        repository: String,
    },
    /// Makes, turns on or completes the webhook, reads services.yaml, and then says what is right and what is wrong.
    #[command(after_help = "Example:\n  ck8s repo mend acme/shop")]
    Mend {
        /// Its id or owner/name.
        repository: String,
    },
    /// Secrets that the repository's runs may ask for by name.
    #[command(
        subcommand,
        after_help = "Example:\n  ck8s repo secret set acme/shop API_KEY < key.txt"
    )]
    Secret(secret::SecretVerb),
}

pub(crate) async fn run(verb: RepoVerb, options: &GlobalOptions) -> Result<ExitStatus, CliError> {
    let connection = Connection::open(options).await?;
    match verb {
        RepoVerb::List { project, limit } => {
            list::run(&connection, project.unwrap_or_default(), limit).await?;
        }
        RepoVerb::Add(args) => add::run(&connection, args).await?,
        RepoVerb::Get {
            repository,
            services,
        } => {
            let repository = show::get(&connection, repository).await?;
            if services {
                let mut text = repository.services_text;
                if !text.is_empty() && !text.ends_with('\n') {
                    text.push('\n');
                }
                ForeignOutput::new().print(text.as_bytes())?;
            } else {
                show::print(&connection, &repository)?;
            }
        }
        RepoVerb::Update(args) => update::run(&connection, args).await?,
        RepoVerb::Remove { repository } => remove(&connection, repository).await?,
        RepoVerb::RotateToken {
            repository,
            credential,
        } => {
            let repository = credential::rotate(&connection, repository, &credential).await?;
            show::print(&connection, &repository)?;
        }
        RepoVerb::Check { repository } => return check::check(&connection, repository).await,
        RepoVerb::Mend { repository } => return check::mend(&connection, repository).await,
        RepoVerb::RotateSecret {
            repository,
            webhook_secret_file,
            overlap,
        } => {
            let file = webhook_secret_file.as_ref();
            webhook_secret::rotate(&connection, repository, file, overlap).await?;
        }
        RepoVerb::Secret(verb) => secret::run(&connection, verb).await?,
    }
    Ok(ExitStatus::Success)
}

async fn remove(connection: &Connection, repository: String) -> Result<(), CliError> {
    let what = format!("cannot remove repository {repository}");
    let done = format!("repository {repository} is removed");
    let request = RemoveRepositoryRequest {
        request_id: request_id(),
        repository,
    };
    let mut service = connection.client.repositories();
    let response = service
        .remove_repository(connection.client.request(request))
        .await
        .context(what)?;
    if !response.hook_left.is_empty() {
        output::note(&format!("its webhook stays: {}", response.hook_left));
    }
    connection.format.print_one(&response, || done)
}
