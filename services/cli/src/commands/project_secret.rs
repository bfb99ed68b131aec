//! `ck8s project secret`: the secrets that the repositories of a project share.
use std::path::PathBuf;

use ck8s_proto::repositories::v1::{ListProjectSecretsRequest, SetProjectSecretRequest};
use clap::Subcommand;

use super::repo::print_secrets;
use crate::{
    args::{Limit, read_secret},
    client::{collect_pages, request_id},
    connection::Connection,
    error::{CliError, ResponseExt as _},
    output,
};

/// The verbs about the secrets of a project.
#[derive(Subcommand, Clone, Debug)]
pub enum ProjectSecretVerb {
    /// Sets a secret that runs of every repository of the project may ask for. Its value is read from a file or from
    /// standard input, never from an argument. A repository's own secret of the same name wins.
    #[command(after_help = "Example:\n  ck8s project secret set shop API_KEY --from-file key.txt")]
    Set {
        /// The project's id or slug.
        project: String,
        /// The environment variable: upper case, digits and underscores; not CK8S_*.
        name: String,
        /// Reads the value from a file; without it, from standard input.
        #[arg(long, value_name = "FILE")]
        from_file: Option<PathBuf>,
    },
    /// Removes a secret.
    #[command(after_help = "Example:\n  ck8s project secret remove shop API_KEY")]
    Remove {
        /// The project's id or slug.
        project: String,
        /// The environment variable.
        name: String,
    },
    /// Lists the names of secrets, never their values.
    #[command(after_help = "Example:\n  ck8s project secret list shop")]
    List {
        /// The project's id or slug.
        project: String,
        /// How many.
        #[command(flatten)]
        limit: Limit,
    },
}

pub(super) async fn run(connection: &Connection, verb: ProjectSecretVerb) -> Result<(), CliError> {
    match verb {
        ProjectSecretVerb::List { project, limit } => list(connection, project, limit).await,
        ProjectSecretVerb::Set {
            project,
            name,
            from_file,
        } => {
            let what = format!("cannot set secret {name} of project {project}");
            let done = format!("secret {name} of project {project} is set");
            let value = read_secret(from_file.as_ref())?;
            let request = SetProjectSecretRequest {
                request_id: request_id(),
                project,
                name,
                value,
            };
            set(connection, request, what, done).await
        }
        ProjectSecretVerb::Remove { project, name } => {
            let what = format!("cannot remove secret {name} of project {project}");
            let done = format!("secret {name} of project {project} is removed");
            let request = SetProjectSecretRequest {
                request_id: request_id(),
                project,
                name,
                value: String::new(),
            };
            set(connection, request, what, done).await
        }
    }
}

async fn set(
    connection: &Connection,
    request: SetProjectSecretRequest,
    what: String,
    done: String,
) -> Result<(), CliError> {
    let mut service = connection.client.repositories();
    let response = service
        .set_project_secret(connection.client.request(request))
        .await
        .context(what)?;
    for warning in &response.warnings {
        output::note(warning);
    }
    connection.format.print_one(&response, || done)
}

async fn list(connection: &Connection, project: String, limit: Limit) -> Result<(), CliError> {
    let mut service = connection.client.repositories();
    let what = format!("cannot list secrets of project {project}");
    let secrets = collect_pages(limit.limit, async |page_size, page_token| {
        let request = connection.client.request(ListProjectSecretsRequest {
            project: project.clone(),
            page_size,
            page_token,
        });
        let response = service.list_project_secrets(request).await.context(&what)?;
        Ok((response.secrets, response.next_page_token))
    })
    .await?;
    print_secrets(connection, &secrets)
}
