//! `ck8s project`.
use std::io::{self, IsTerminal};

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
    output,
    session::Session,
    table::{Rows, age, facts, moment, word},
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
    /// Removes a project that has no repositories and no runs. Says what goes with it, and asks for its slug.
    #[command(after_help = "Example:\n  ck8s project delete shop --confirm shop")]
    Delete {
        /// Its id or slug.
        project: String,
        /// Its slug once more, so that nobody removes the wrong one; without it, it is asked for on the terminal.
        #[arg(long, value_name = "SLUG")]
        confirm: Option<String>,
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
        ProjectVerb::Delete { project, confirm } => delete(&session, project, confirm).await?,
    }
    Ok(Exit::Done)
}

async fn delete(session: &Session, project: String, confirm: Option<String>) -> Result<(), Fault> {
    let what = format!("cannot delete project {project}");
    let done = format!("project {project} is deleted");
    let confirm_slug = match confirm {
        Some(slug) => slug,
        None => asked(session, &project).await?,
    };
    let request = DeleteProjectRequest {
        request_id: request_id(),
        project,
        confirm_slug,
        validate_only: false,
    };
    let mut projects = session.client.projects();
    let answer = projects.delete_project(session.client.ask(request)).await;
    session.format.one(&answer.or_say(what)?, || done)
}

/// Says what goes with a project, and has its slug typed.
async fn asked(session: &Session, project: &str) -> Result<String, Fault> {
    let what = format!("cannot delete project {project}");
    if !io::stdin().is_terminal() {
        let todo = format!("give --confirm {project}");
        return Err(Fault::usage(what, "it must be confirmed", todo));
    }
    let request = DeleteProjectRequest {
        project: project.to_owned(),
        validate_only: true,
        ..Default::default()
    };
    let mut projects = session.client.projects();
    let answer = projects.delete_project(session.client.ask(request)).await;
    let goes = answer.or_say(&what)?;
    if !goes.obstacles.is_empty() {
        let todo = "remove that first";
        return Err(Fault::new(
            Exit::Failed,
            what,
            goes.obstacles.join(", "),
            todo,
        ));
    }
    let (members, tokens) = (goes.members, goes.tokens);
    output::note(&format!(
        "with it go {members} memberships and {tokens} tokens for it alone; type its slug to delete it"
    ));
    let mut line = String::new();
    io::stdin().read_line(&mut line)?;
    Ok(line.trim().to_owned())
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
        let mut rows = Rows::new(&["SLUG", "NAME", "ROLE", "ID", "AGE"]);
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

/// What you may do in it; empty for who is no person.
fn role(project: &Project) -> String {
    word(project.role().as_str_name(), "PROJECT_ROLE")
}

fn show(session: &Session, project: Option<Project>) -> Result<(), Fault> {
    let p = project.unwrap_or_default();
    session.format.one(&p, || {
        facts(&[
            ("Slug", p.slug.clone()),
            ("Name", p.name.clone()),
            ("Your role", role(&p)),
            ("Id", p.id.clone()),
            ("Created", moment(p.create_time.as_ref())),
            ("Etag", p.etag.clone()),
        ])
    })
}
