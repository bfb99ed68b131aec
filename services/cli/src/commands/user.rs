//! `ck8s user`: the verbs about users.
use ck8s_proto::auth::v1::{
    AddUserRequest, ListUsersRequest, RemoveUserRequest, UpdateUserRequest, User,
};
use clap::{Args, Subcommand};

use crate::{
    GlobalOptions,
    args::Limit,
    client::{collect_pages, request_id},
    connection::Connection,
    error::{CliError, ExitStatus, ResponseExt as _},
    table::{TextTable, age, key_values, timestamp},
};

/// The verbs about users.
#[derive(Subcommand, Clone, Debug)]
pub enum UserVerb {
    /// Lists users, ordered by address.
    #[command(after_help = "Example:\n  ck8s user list -o json")]
    List {
        /// How many.
        #[command(flatten)]
        limit: Limit,
    },
    /// Allows an address to sign in.
    #[command(after_help = "Example:\n  ck8s user add octo@example.com")]
    Add {
        /// The address, which the identity provider must have verified.
        email: String,
        /// May do everything, in every project.
        #[arg(long)]
        admin: bool,
    },
    /// Makes a user a platform admin or ends that, or forgets who they signed in as.
    #[command(
        after_help = "Example:\n  ck8s user set octo@example.com --admin\n  ck8s user set octo@example.com --forget-identity"
    )]
    Set(UserChange),
    /// Removes a user with their memberships, sessions and tokens, at once.
    #[command(after_help = "Example:\n  ck8s user remove octo@example.com")]
    Remove {
        /// Their id or address.
        user: String,
    },
}

/// The arguments of `ck8s user set`.
#[derive(Args, Clone, Debug)]
pub struct UserChange {
    /// Their id or address.
    pub user: String,
    /// May do everything, in every project.
    #[arg(long, required_unless_present_any = ["no_admin", "forget_identity"])]
    pub admin: bool,
    /// May do what their projects say.
    #[arg(long, conflicts_with = "admin")]
    pub no_admin: bool,
    /// Ends their sessions; the next sign-in with this address decides who they are.
    #[arg(long)]
    pub forget_identity: bool,
    /// Refuse the change if the user has changed since this etag was read.
    #[arg(long)]
    pub etag: Option<String>,
}

pub(crate) async fn run(verb: UserVerb, options: &GlobalOptions) -> Result<ExitStatus, CliError> {
    let connection = Connection::open(options).await?;
    let (mut auth, client) = (connection.client.auth(), &connection.client);
    match verb {
        UserVerb::List { limit } => list(&connection, limit).await?,
        UserVerb::Add { email, admin } => {
            let what = format!("cannot add user {email}");
            let request = AddUserRequest {
                request_id: request_id(),
                email,
                platform_admin: admin,
            };
            let response = auth.add_user(client.request(request)).await.context(what)?;
            show(&connection, response.user)?;
        }
        UserVerb::Set(change) => {
            let what = format!("cannot change user {}", change.user);
            let request = UpdateUserRequest {
                request_id: request_id(),
                user: change.user,
                platform_admin: (change.admin || change.no_admin).then_some(change.admin),
                forget_identity: change.forget_identity,
                etag: change.etag.unwrap_or_default(),
            };
            let response = auth
                .update_user(client.request(request))
                .await
                .context(what)?;
            show(&connection, response.user)?;
        }
        UserVerb::Remove { user } => {
            let what = format!("cannot remove user {user}");
            let done = format!("user {user} is removed");
            let request = RemoveUserRequest {
                request_id: request_id(),
                user,
            };
            let response = auth
                .remove_user(client.request(request))
                .await
                .context(what)?;
            connection.format.print_one(&response, || done)?;
        }
    }
    Ok(ExitStatus::Success)
}

async fn list(connection: &Connection, limit: Limit) -> Result<(), CliError> {
    let mut service = connection.client.auth();
    let users = collect_pages(limit.limit, async |page_size, page_token| {
        let request = connection.client.request(ListUsersRequest {
            page_size,
            page_token,
        });
        let response = service.list_users(request).await;
        let response = response.context("cannot list users")?;
        Ok((response.users, response.next_page_token))
    })
    .await?;
    connection.format.print_many(&users, || {
        let mut rows = TextTable::new(&["EMAIL", "LOGIN", "ADMIN", "ID", "AGE", "SIGNED IN"]);
        for u in &users {
            rows.row([
                u.email.clone(),
                u.login.clone(),
                admin(u),
                u.id.clone(),
                age(u.create_time.as_ref()),
                age(u.last_sign_in_time.as_ref()),
            ]);
        }
        rows
    })
}

/// Returns `yes` for a platform admin, else nothing.
fn admin(user: &User) -> String {
    let word = if user.platform_admin { "yes" } else { "" };
    word.to_owned()
}

fn show(connection: &Connection, user: Option<User>) -> Result<(), CliError> {
    let u = user.unwrap_or_default();
    connection.format.print_one(&u, || {
        key_values(&[
            ("Email", u.email.clone()),
            ("Login", u.login.clone()),
            ("Admin", admin(&u)),
            ("Id", u.id.clone()),
            ("Created", timestamp(u.create_time.as_ref())),
            ("Signed in", timestamp(u.last_sign_in_time.as_ref())),
            ("Etag", u.etag.clone()),
        ])
    })
}
