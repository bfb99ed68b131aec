//! `ck8s project`: the verbs about projects.
use std::io::{self, IsTerminal};

use ck8s_proto::auth::v1::{
    CreateProjectRequest, DeleteProjectRequest, GetProjectRequest, ListProjectsRequest, Project,
    UpdateProjectRequest,
};
use clap::Subcommand;

use super::project_secret::{self, ProjectSecretVerb};
use crate::{
    GlobalOptions,
    args::Limit,
    client::{collect_pages, request_id},
    connection::Connection,
    error::{CliError, ExitStatus, ResponseExt as _},
    output,
    table::{TextTable, age, enum_label, key_values, timestamp},
};

/// The verbs about projects.
#[derive(Subcommand, Clone, Debug)]
pub enum ProjectVerb {
    /// Lists projects by slug.
    #[command(after_help = "Example:\n  ck8s project list -o json")]
    List {
        /// How many.
        #[command(flatten)]
        limit: Limit,
    },
    /// Shows one project.
    #[command(after_help = "Example:\n  ck8s project get shop")]
    Get {
        /// Its id or slug.
        project: String,
    },
    /// Makes a project.
    #[command(after_help = "Example:\n  ck8s project create shop --name Shop")]
    Create {
        /// Lower case, digits and dashes, at most 40 characters.
        slug: String,
        /// The name that people read; without it, the slug.
        #[arg(long)]
        name: Option<String>,
    },
    /// Changes a project's name.
    #[command(after_help = "Example:\n  ck8s project update shop --name CredentialStore")]
    Update {
        /// Its id or slug.
        project: String,
        /// The new name.
        #[arg(long)]
        name: String,
        /// Refuse the change if the project has changed since this etag was read.
        #[arg(long)]
        etag: Option<String>,
    },
    /// Deletes a project that has no repositories and no runs. Says what is deleted with it, and asks for its slug.
    #[command(after_help = "Example:\n  ck8s project delete shop --confirm shop")]
    Delete {
        /// Its id or slug.
        project: String,
        /// Its slug once more, so that nobody deletes the wrong project; without it, it is asked for on the terminal.
        #[arg(long, value_name = "SLUG")]
        confirm: Option<String>,
    },
    /// Secrets that runs of every repository of the project may ask for by name.
    #[command(
        subcommand,
        after_help = "Example:\n  ck8s project secret set shop API_KEY < key.txt"
    )]
    Secret(ProjectSecretVerb),
}

pub(crate) async fn run(
    verb: ProjectVerb,
    options: &GlobalOptions,
) -> Result<ExitStatus, CliError> {
    let connection = Connection::open(options).await?;
    let mut projects = connection.client.projects();
    let client = &connection.client;
    match verb {
        ProjectVerb::List { limit } => list(&connection, limit).await?,
        ProjectVerb::Get { project } => {
            let what = format!("cannot get project {project}");
            let response = projects
                .get_project(client.request(GetProjectRequest { project }))
                .await
                .context(what)?;
            show(&connection, response.project)?;
        }
        ProjectVerb::Create { slug, name } => {
            let what = format!("cannot create project {slug}");
            let request = CreateProjectRequest {
                request_id: request_id(),
                slug,
                name: name.unwrap_or_default(),
            };
            let response = projects
                .create_project(client.request(request))
                .await
                .context(what)?;
            show(&connection, response.project)?;
        }
        ProjectVerb::Update {
            project,
            name,
            etag,
        } => {
            let what = format!("cannot update project {project}");
            let etag = etag.unwrap_or_default();
            let request = UpdateProjectRequest {
                request_id: request_id(),
                project,
                name,
                etag,
            };
            let response = projects
                .update_project(client.request(request))
                .await
                .context(what)?;
            show(&connection, response.project)?;
        }
        ProjectVerb::Delete { project, confirm } => delete(&connection, project, confirm).await?,
        ProjectVerb::Secret(verb) => project_secret::run(&connection, verb).await?,
    }
    Ok(ExitStatus::Success)
}

async fn delete(
    connection: &Connection,
    project: String,
    confirm: Option<String>,
) -> Result<(), CliError> {
    let what = format!("cannot delete project {project}");
    let done = format!("project {project} is deleted");
    let confirm_slug = match confirm {
        Some(slug) => slug,
        None => ask_for_slug(connection, &project).await?,
    };
    let request = DeleteProjectRequest {
        request_id: request_id(),
        project,
        confirm_slug,
        validate_only: false,
    };
    let mut projects = connection.client.projects();
    let response = projects
        .delete_project(connection.client.request(request))
        .await;
    connection
        .format
        .print_one(&response.context(what)?, || done)
}

/// Tells what is deleted with a project, and reads its slug from the terminal.
async fn ask_for_slug(connection: &Connection, project: &str) -> Result<String, CliError> {
    let what = format!("cannot delete project {project}");
    if !io::stdin().is_terminal() {
        let hint = format!("give --confirm {project}");
        return Err(CliError::usage(what, "it must be confirmed", hint));
    }
    let request = DeleteProjectRequest {
        project: project.to_owned(),
        validate_only: true,
        ..Default::default()
    };
    let mut projects = connection.client.projects();
    let response = projects
        .delete_project(connection.client.request(request))
        .await;
    let preview = response.context(&what)?;
    if !preview.obstacles.is_empty() {
        let hint = "remove that first";
        return Err(CliError::new(
            ExitStatus::Failed,
            what,
            preview.obstacles.join(", "),
            hint,
        ));
    }
    let (members, tokens) = (preview.members, preview.tokens);
    output::note(&format!(
        "with it go {members} memberships and {tokens} tokens for it alone; type its slug to delete it"
    ));
    let mut line = String::new();
    io::stdin().read_line(&mut line)?;
    Ok(line.trim().to_owned())
}

async fn list(connection: &Connection, limit: Limit) -> Result<(), CliError> {
    let mut service = connection.client.projects();
    let projects = collect_pages(limit.limit, async |page_size, page_token| {
        let request = connection.client.request(ListProjectsRequest {
            page_size,
            page_token,
        });
        let response = service
            .list_projects(request)
            .await
            .context("cannot list projects")?;
        Ok((response.projects, response.next_page_token))
    })
    .await?;
    connection.format.print_many(&projects, || {
        let mut rows = TextTable::new(&["SLUG", "NAME", "ROLE", "ID", "AGE"]);
        for p in &projects {
            rows.row([
                p.slug.clone(),
                p.name.clone(),
                role(p),
                p.id.clone(),
                age(p.create_time.as_ref()),
            ]);
        }
        rows
    })
}

/// Returns the name of the caller's role in a project; empty if the caller is not a person.
fn role(project: &Project) -> String {
    enum_label(project.role().as_str_name(), "PROJECT_ROLE")
}

fn show(connection: &Connection, project: Option<Project>) -> Result<(), CliError> {
    let p = project.unwrap_or_default();
    connection.format.print_one(&p, || {
        key_values(&[
            ("Slug", p.slug.clone()),
            ("Name", p.name.clone()),
            ("Your role", role(&p)),
            ("Id", p.id.clone()),
            ("Created", timestamp(p.create_time.as_ref())),
            ("Etag", p.etag.clone()),
        ])
    })
}
