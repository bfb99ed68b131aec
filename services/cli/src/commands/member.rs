//! `ck8s member`: the verbs about the members of a project.
use ck8s_proto::{
    auth::v1::{
        AddMemberRequest, ListMembersRequest, Member, RemoveMemberRequest, UpdateMemberRequest,
    },
    policy::v1::ProjectRole,
};
use clap::{Subcommand, ValueEnum};

use crate::{
    GlobalOptions,
    args::Limit,
    client::{collect_pages, request_id},
    connection::Connection,
    error::{CliError, ExitStatus, ResponseExt as _},
    table::{TextTable, age, enum_label, key_values, timestamp},
};

/// The verbs about the members of a project.
#[derive(Subcommand, Clone, Debug)]
pub enum MemberVerb {
    /// Lists a project's members, ordered by address.
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
        /// Their role there.
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
        /// Their new role there.
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

/// A member's role.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// May read.
    Read,
    /// May also start, cancel and retry runs.
    #[value(alias = "read_write")]
    ReadWrite,
    /// May also change repositories, secrets and members.
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

pub(crate) async fn run(verb: MemberVerb, options: &GlobalOptions) -> Result<ExitStatus, CliError> {
    let connection = Connection::open(options).await?;
    let (mut projects, client) = (connection.client.projects(), &connection.client);
    match verb {
        MemberVerb::List { project, limit } => list(&connection, &project, limit).await?,
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
            let response = projects.add_member(client.request(request)).await;
            show(&connection, response.context(what)?.member)?;
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
            let response = projects.update_member(client.request(request)).await;
            show(&connection, response.context(what)?.member)?;
        }
        MemberVerb::Remove { project, user } => {
            let what = format!("cannot remove {user} from {project}");
            let done = format!("{user} is no member of {project} any more");
            let request = RemoveMemberRequest {
                request_id: request_id(),
                project,
                user,
            };
            let response = projects.remove_member(client.request(request)).await;
            connection
                .format
                .print_one(&response.context(what)?, || done)?;
        }
    }
    Ok(ExitStatus::Success)
}

async fn list(connection: &Connection, project: &str, limit: Limit) -> Result<(), CliError> {
    let mut service = connection.client.projects();
    let members = collect_pages(limit.limit, async |page_size, page_token| {
        let request = connection.client.request(ListMembersRequest {
            project: project.to_owned(),
            page_size,
            page_token,
        });
        let response = service.list_members(request).await;
        let response = response.context(format!("cannot list the members of {project}"))?;
        Ok((response.members, response.next_page_token))
    })
    .await?;
    connection.format.print_many(&members, || {
        let mut rows = TextTable::new(&["EMAIL", "LOGIN", "ROLE", "USER ID", "SINCE"]);
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

/// Returns the name of a member's role.
fn role(member: &Member) -> String {
    enum_label(member.role().as_str_name(), "PROJECT_ROLE")
}

fn show(connection: &Connection, member: Option<Member>) -> Result<(), CliError> {
    let member = member.unwrap_or_default();
    connection.format.print_one(&member, || {
        let user = member.user.clone().unwrap_or_default();
        key_values(&[
            ("Email", user.email),
            ("Login", user.login),
            ("Role", role(&member)),
            ("User id", user.id),
            ("Since", timestamp(member.create_time.as_ref())),
        ])
    })
}
