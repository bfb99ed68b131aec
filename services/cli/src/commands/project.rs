//! `ck8s project`.
use ck8s_proto::auth::v1::{
    CreateProjectRequest, DeleteProjectRequest, GetProjectRequest, ListProjectsRequest, Project,
    UpdateProjectRequest,
};
use clap::Subcommand;

use crate::{
    Global,
    args::Limit,
    client::{pages, request_id},
    fault::{Answer, Exit, Fault},
    session::Session,
    table::{Rows, age, facts, moment},
};

/// What can be done with projects.
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
        /// What people call it; without it, the slug.
        #[arg(long)]
        name: Option<String>,
    },
    /// Changes a project's name.
    #[command(after_help = "Example:\n  ck8s project update shop --name Store")]
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
    /// Removes a project that has no repositories and no runs.
    #[command(after_help = "Example:\n  ck8s project delete shop --confirm shop")]
    Delete {
        /// Its id or slug.
        project: String,
        /// Its slug once more, so that nobody removes the wrong one.
        #[arg(long, value_name = "SLUG")]
        confirm: String,
    },
}

pub(crate) async fn run(verb: ProjectVerb, global: &Global) -> Result<Exit, Fault> {
    let session = Session::open(global).await?;
    let mut projects = session.client.projects();
    let client = &session.client;
    match verb {
        ProjectVerb::List { limit } => list(&session, limit).await?,
        ProjectVerb::Get { project } => {
            let what = format!("cannot get project {project}");
            let answer = projects
                .get_project(client.ask(GetProjectRequest { project }))
                .await
                .or_say(what)?;
            show(&session, answer.project)?;
        }
        ProjectVerb::Create { slug, name } => {
            let what = format!("cannot create project {slug}");
            let request = CreateProjectRequest {
                request_id: request_id(),
                slug,
                name: name.unwrap_or_default(),
            };
            let answer = projects
                .create_project(client.ask(request))
                .await
                .or_say(what)?;
            show(&session, answer.project)?;
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
            let answer = projects
                .update_project(client.ask(request))
                .await
                .or_say(what)?;
            show(&session, answer.project)?;
        }
        ProjectVerb::Delete { project, confirm } => {
            let what = format!("cannot delete project {project}");
            let done = format!("project {project} is deleted");
            let request = DeleteProjectRequest {
                request_id: request_id(),
                project,
                confirm_slug: confirm,
                ..Default::default()
            };
            let answer = projects
                .delete_project(client.ask(request))
                .await
                .or_say(what)?;
            session.format.one(&answer, || done)?;
        }
    }
    Ok(Exit::Done)
}

async fn list(session: &Session, limit: Limit) -> Result<(), Fault> {
    let mut service = session.client.projects();
    let projects = pages(limit.limit, async |page_size, page_token| {
        let request = session.client.ask(ListProjectsRequest {
            page_size,
            page_token,
        });
        let answer = service
            .list_projects(request)
            .await
            .or_say("cannot list projects")?;
        Ok((answer.projects, answer.next_page_token))
    })
    .await?;
    session.format.many(&projects, || {
        let mut rows = Rows::new(&["SLUG", "NAME", "ID", "AGE"]);
        for p in &projects {
            rows.row([
                p.slug.clone(),
                p.name.clone(),
                p.id.clone(),
                age(p.create_time.as_ref()),
            ]);
        }
        rows
    })
}

fn show(session: &Session, project: Option<Project>) -> Result<(), Fault> {
    let p = project.unwrap_or_default();
    session.format.one(&p, || {
        facts(&[
            ("Slug", p.slug.clone()),
            ("Name", p.name.clone()),
            ("Id", p.id.clone()),
            ("Created", moment(p.create_time.as_ref())),
            ("Etag", p.etag.clone()),
        ])
    })
}
