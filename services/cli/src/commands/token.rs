//! `ck8s token`.
use std::time::{Duration, SystemTime};

use ck8s_proto::{
    auth::v1::{
        CreateTokenRequest, ListTokensRequest, RevokeTokenRequest, Token, TokenKind, WhoAmIRequest,
    },
    policy::v1::{Caller, ProjectRole},
};
use clap::{Subcommand, ValueEnum};

use super::member::Role;
use crate::{
    Global,
    args::{Limit, duration},
    client::{pages, request_id},
    fault::{Answer, Exit, Fault},
    output,
    session::Session,
    table::{Rows, age, facts, moment, word},
};

/// What can be done with tokens.
#[derive(Subcommand, Clone, Debug)]
pub enum TokenVerb {
    /// Lists tokens, newest first; never their secrets.
    #[command(after_help = "Example:\n  ck8s token list --all")]
    List {
        /// Also those that were revoked or have expired.
        #[arg(long)]
        all: bool,
        /// How many.
        #[command(flatten)]
        limit: Limit,
    },
    /// Makes a token and shows its secret, once.
    #[command(
        after_help = "Example:\n  ck8s token create ci --kind admin --expires-in 30d\n  ck8s token create node-1 --kind join --expires-in 10m\n  ck8s token create read-shop --kind person --max-role read --project shop --expires-in 90d"
    )]
    Create {
        /// What people call it; unique among live tokens.
        name: String,
        /// What its bearer is.
        #[arg(long, value_enum)]
        kind: Kind,
        /// For a service: its role in the mesh.
        #[arg(long, value_name = "ROLE", required_if_eq("kind", "service"))]
        service: Option<String>,
        /// For a person: never more than this role, whatever you may; without it, as much as you.
        #[arg(long, value_enum, value_name = "ROLE")]
        max_role: Option<Role>,
        /// For a person: in this project alone, by id or slug; without it, wherever you may.
        #[arg(long, value_name = "PROJECT")]
        project: Option<String>,
        /// How long it lives (90s, 10m, 2h, 7d); without it, for ever, but a join token for an hour.
        #[arg(long, value_parser = duration, value_name = "TIME")]
        expires_in: Option<Duration>,
    },
    /// Ends a token at once.
    #[command(after_help = "Example:\n  ck8s token revoke ci")]
    Revoke {
        /// Its id or name.
        token: String,
    },
}

/// What a token's bearer is.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A platform admin.
    Admin,
    /// A worker node.
    Worker,
    /// A role of the mesh in another process.
    Service,
    /// A worker that joins, once: for `ck8s worker join`. Ends after an hour unless said.
    Join,
    /// You, within limits.
    Person,
}

pub(crate) async fn run(verb: TokenVerb, global: &Global) -> Result<Exit, Fault> {
    let session = Session::open(global).await?;
    let (mut auth, client) = (session.client.auth(), &session.client);
    match verb {
        TokenVerb::List { all, limit } => list(&session, all, limit).await?,
        TokenVerb::Create {
            name,
            kind,
            service,
            max_role,
            project,
            expires_in,
        } => {
            let what = format!("cannot create token {name}");
            let kind = match kind {
                Kind::Admin => TokenKind::Admin,
                Kind::Worker => TokenKind::Worker,
                Kind::Service => TokenKind::Service,
                Kind::Join => TokenKind::Join,
                Kind::Person => TokenKind::Person,
            };
            let request = CreateTokenRequest {
                request_id: request_id(),
                name,
                kind: kind.into(),
                service: service.unwrap_or_default(),
                expire_time: expires_in.map(|d| (SystemTime::now() + d).into()),
                max_role: max_role.map_or(0, |role| ProjectRole::from(role).into()),
                project: project.unwrap_or_default(),
            };
            let answer = auth.create_token(client.ask(request)).await.or_say(what)?;
            output::note("the secret is shown here and never again");
            session.format.one(&answer, || {
                let token = answer.token.clone().unwrap_or_default();
                about(&token, &answer.secret)
            })?;
        }
        TokenVerb::Revoke { token } => {
            let what = format!("cannot revoke token {token}");
            let request = RevokeTokenRequest {
                request_id: request_id(),
                token,
            };
            let answer = auth.revoke_token(client.ask(request)).await.or_say(what)?;
            let token = answer.token.unwrap_or_default();
            session.format.one(&token, || about(&token, ""))?;
        }
    }
    Ok(Exit::Done)
}

async fn list(session: &Session, include_ended: bool, limit: Limit) -> Result<(), Fault> {
    let mut service = session.client.auth();
    let tokens = pages(limit.limit, async |page_size, page_token| {
        let request = session.client.ask(ListTokensRequest {
            page_size,
            page_token,
            include_ended,
        });
        let answer = service
            .list_tokens(request)
            .await
            .or_say("cannot list tokens")?;
        Ok((answer.tokens, answer.next_page_token))
    })
    .await?;
    session.format.many(&tokens, || {
        let mut rows = Rows::new(&["NAME", "KIND", "ID", "AGE", "USED", "EXPIRES", "REVOKED"]);
        for t in &tokens {
            rows.row([
                t.name.clone(),
                kind(t),
                t.id.clone(),
                age(t.create_time.as_ref()),
                age(t.last_use_time.as_ref()),
                moment(t.expire_time.as_ref()),
                moment(t.revoke_time.as_ref()),
            ]);
        }
        rows
    })
}

fn kind(token: &Token) -> String {
    let kind = word(token.kind().as_str_name(), "TOKEN_KIND");
    let most = word(token.max_role().as_str_name(), "PROJECT_ROLE");
    if !most.is_empty() {
        return format!("{kind}, {most} at most");
    }
    if token.service.is_empty() {
        kind
    } else {
        format!("{kind} {}", token.service)
    }
}

/// A token in words, with a secret that is shown now.
fn about(token: &Token, secret: &str) -> String {
    facts(&[
        ("Name", token.name.clone()),
        ("Kind", kind(token)),
        ("Project", token.project_id.clone()),
        ("Id", token.id.clone()),
        ("Created", moment(token.create_time.as_ref())),
        ("Expires", moment(token.expire_time.as_ref())),
        ("Revoked", moment(token.revoke_time.as_ref())),
        ("Secret", secret.to_owned()),
    ])
}

/// That the caller is a platform admin; its name.
pub(super) async fn admin(session: &Session) -> Result<String, Fault> {
    let what = "cannot say who asks";
    let request = session.client.ask(WhoAmIRequest {});
    let answer = session.client.auth().who_am_i(request).await.or_say(what)?;
    if answer.caller() != Caller::Admin {
        let why = format!("{} is no platform admin", answer.name);
        let todo = "use a platform admin's token";
        return Err(Fault::new(Exit::NotAllowed, what, why, todo));
    }
    Ok(format!("{} is a platform admin", answer.name))
}
