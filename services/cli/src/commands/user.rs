//! `ck8s user`: who may sign in.
use ck8s_proto::auth::v1::{
    AddUserRequest, ListUsersRequest, RemoveUserRequest, UpdateUserRequest, User,
};
use clap::{Args, Subcommand};

use crate::{
    Global,
    args::Limit,
    client::{pages, request_id},
    fault::{Answer, Exit, Fault},
    session::Session,
    table::{Rows, age, facts, moment},
};

/// What can be done with users.
#[derive(Subcommand, Clone, Debug)]
pub enum UserVerb {
    /// Lists users by address.
    #[command(after_help = "Example:\n  ck8s user list -o json")]
    List {
        /// How many.
        #[command(flatten)]
        limit: Limit,
    },
    /// Allows an address to sign in.
    #[command(after_help = "Example:\n  ck8s user add octo@example.com")]
    Add {
        /// The address; the identity provider must have verified it.
        email: String,
        /// May do everything, in every project.
        #[arg(long)]
        admin: bool,
    },
    /// Makes a user a platform admin or ends that, or forgets who they signed in as.
    #[command(
        after_help = "Example:\n  ck8s user set octo@example.com --admin\n  ck8s user set octo@example.com --forget-identity"
    )]
    Set(Change),
    /// Removes a user with their memberships, sessions and tokens, at once.
    #[command(after_help = "Example:\n  ck8s user remove octo@example.com")]
    Remove {
        /// Their id or address.
        user: String,
    },
}

/// What changes of a user.
#[derive(Args, Clone, Debug)]
pub struct Change {
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

pub(crate) async fn run(verb: UserVerb, global: &Global) -> Result<Exit, Fault> {
    let session = Session::open(global).await?;
    let (mut auth, client) = (session.client.auth(), &session.client);
    match verb {
        UserVerb::List { limit } => list(&session, limit).await?,
        UserVerb::Add { email, admin } => {
            let what = format!("cannot add user {email}");
            let request = AddUserRequest {
                request_id: request_id(),
                email,
                platform_admin: admin,
            };
            let answer = auth.add_user(client.ask(request)).await.or_say(what)?;
            show(&session, answer.user)?;
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
            let answer = auth.update_user(client.ask(request)).await.or_say(what)?;
            show(&session, answer.user)?;
        }
        UserVerb::Remove { user } => {
            let what = format!("cannot remove user {user}");
            let done = format!("user {user} is removed");
            let request = RemoveUserRequest {
                request_id: request_id(),
                user,
            };
            let answer = auth.remove_user(client.ask(request)).await.or_say(what)?;
            session.format.one(&answer, || done)?;
        }
    }
    Ok(Exit::Done)
}

async fn list(session: &Session, limit: Limit) -> Result<(), Fault> {
    let mut service = session.client.auth();
    let users = pages(limit.limit, async |page_size, page_token| {
        let request = session.client.ask(ListUsersRequest {
            page_size,
            page_token,
        });
        let answer = service.list_users(request).await;
        let answer = answer.or_say("cannot list users")?;
        Ok((answer.users, answer.next_page_token))
    })
    .await?;
    session.format.many(&users, || {
        let mut rows = Rows::new(&["EMAIL", "LOGIN", "ADMIN", "ID", "AGE", "SIGNED IN"]);
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

fn admin(user: &User) -> String {
    let word = if user.platform_admin { "yes" } else { "" };
    word.to_owned()
}

fn show(session: &Session, user: Option<User>) -> Result<(), Fault> {
    let u = user.unwrap_or_default();
    session.format.one(&u, || {
        facts(&[
            ("Email", u.email.clone()),
            ("Login", u.login.clone()),
            ("Admin", admin(&u)),
            ("Id", u.id.clone()),
            ("Created", moment(u.create_time.as_ref())),
            ("Signed in", moment(u.last_sign_in_time.as_ref())),
            ("Etag", u.etag.clone()),
        ])
    })
}
