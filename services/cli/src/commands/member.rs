//! `ck8s member`: who may do what in a project.
use ck8s_proto::{
    auth::v1::{
        AddMemberRequest, ListMembersRequest, Member, RemoveMemberRequest, UpdateMemberRequest,
    },
    policy::v1::ProjectRole,
};
use clap::{Subcommand, ValueEnum};

use crate::{
    Global,
    args::Limit,
    client::{pages, request_id},
    fault::{Answer, Exit, Fault},
    session::Session,
    table::{Rows, age, facts, moment, word},
};

/// What can be done with a project's members.
#[derive(Subcommand, Clone, Debug)]
pub enum MemberVerb {
    /// Lists a project's members by address.
    #[command(after_help = "Example:\n  ck8s member list shop")]
    List {
        /// The project's id or slug.
        project: String,
        /// How many.
        #[command(flatten)]
        limit: Limit,
    },
    /// Makes a user a member.
    #[command(after_help = "Example:\n  ck8s member add shop octo@example.com --role read-write")]
    Add {
        /// The project's id or slug.
        project: String,
        /// The user's id or address.
        user: String,
        /// What they may do there.
        #[arg(long, value_enum)]
        role: Role,
    },
    /// Gives a member another role.
    #[command(after_help = "Example:\n  ck8s member set shop octo@example.com --role admin")]
    Set {
        /// The project's id or slug.
        project: String,
        /// The user's id or address.
        user: String,
        /// What they may do there from now on.
        #[arg(long, value_enum)]
        role: Role,
    },
    /// Ends a membership, at once.
    #[command(after_help = "Example:\n  ck8s member remove shop octo@example.com")]
    Remove {
        /// The project's id or slug.
        project: String,
        /// The user's id or address.
        user: String,
    },
}

/// What a member may do.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// May look.
    Read,
    /// May start, cancel and retry.
    #[value(alias = "read_write")]
    ReadWrite,
    /// May change repositories, secrets and members.
    Admin,
}

impl From<Role> for ProjectRole {
    fn from(role: Role) -> Self {
        match role {
            Role::Read => Self::Read,
            Role::ReadWrite => Self::ReadWrite,
            Role::Admin => Self::Admin,
        }
    }
}

pub(crate) async fn run(verb: MemberVerb, global: &Global) -> Result<Exit, Fault> {
    let session = Session::open(global).await?;
    let (mut projects, client) = (session.client.projects(), &session.client);
    match verb {
        MemberVerb::List { project, limit } => list(&session, &project, limit).await?,
        MemberVerb::Add {
            project,
            user,
            role,
        } => {
            let what = format!("cannot add {user} to {project}");
            let request = AddMemberRequest {
                request_id: request_id(),
                project,
                user,
                role: ProjectRole::from(role).into(),
            };
            let answer = projects.add_member(client.ask(request)).await;
            show(&session, answer.or_say(what)?.member)?;
        }
        MemberVerb::Set {
            project,
            user,
            role,
        } => {
            let what = format!("cannot change {user} in {project}");
            let request = UpdateMemberRequest {
                request_id: request_id(),
                project,
                user,
                role: ProjectRole::from(role).into(),
            };
            let answer = projects.update_member(client.ask(request)).await;
            show(&session, answer.or_say(what)?.member)?;
        }
        MemberVerb::Remove { project, user } => {
            let what = format!("cannot remove {user} from {project}");
            let done = format!("{user} is no member of {project} any more");
            let request = RemoveMemberRequest {
                request_id: request_id(),
                project,
                user,
            };
            let answer = projects.remove_member(client.ask(request)).await;
            session.format.one(&answer.or_say(what)?, || done)?;
        }
    }
    Ok(Exit::Done)
}

async fn list(session: &Session, project: &str, limit: Limit) -> Result<(), Fault> {
    let mut service = session.client.projects();
    let members = pages(limit.limit, async |page_size, page_token| {
        let request = session.client.ask(ListMembersRequest {
            project: project.to_owned(),
            page_size,
            page_token,
        });
        let answer = service.list_members(request).await;
        let answer = answer.or_say(format!("cannot list the members of {project}"))?;
        Ok((answer.members, answer.next_page_token))
    })
    .await?;
    session.format.many(&members, || {
        let mut rows = Rows::new(&["EMAIL", "LOGIN", "ROLE", "USER ID", "SINCE"]);
        for member in &members {
            let user = member.user.clone().unwrap_or_default();
            rows.row([
                user.email,
                user.login,
                role(member),
                user.id,
                age(member.create_time.as_ref()),
            ]);
        }
        rows
    })
}

fn role(member: &Member) -> String {
    word(member.role().as_str_name(), "PROJECT_ROLE")
}

fn show(session: &Session, member: Option<Member>) -> Result<(), Fault> {
    let member = member.unwrap_or_default();
    session.format.one(&member, || {
        let user = member.user.clone().unwrap_or_default();
        facts(&[
            ("Email", user.email),
            ("Login", user.login),
            ("Role", role(&member)),
            ("User id", user.id),
            ("Since", moment(member.create_time.as_ref())),
        ])
    })
}
