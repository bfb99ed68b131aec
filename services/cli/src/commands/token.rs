//! `ck8s token`: the verbs about API tokens.
use std::time::{Duration, SystemTime};

use ck8s_proto::{
    auth::v1::{CreateTokenRequest, ListTokensRequest, RevokeTokenRequest, Token, TokenKind},
    policy::v1::ProjectRole,
};
use clap::{Subcommand, ValueEnum};

use super::member::Role;
use crate::{
    GlobalOptions,
    args::{Limit, duration},
    client::{collect_pages, request_id},
    connection::Connection,
    error::{CliError, ExitStatus, ResponseExt as _},
    output,
    table::{TextTable, age, enum_label, key_values, timestamp},
};

/// The verbs about API tokens.
#[derive(Subcommand, Clone, Debug)]
pub enum TokenVerb {
    /// Lists tokens, newest first; never their secrets.
    #[command(after_help = "Example:\n  ck8s token list --all")]
    List {
        /// Also list tokens that were revoked or have expired.
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
        /// The name that people read; unique among live tokens.
        name: String,
        /// The kind of caller that it stands for.
        #[arg(long, value_enum)]
        kind: TokenKindArg,
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
    /// Revokes a token at once.
    #[command(after_help = "Example:\n  ck8s token revoke ci")]
    Revoke {
        /// Its id or name.
        token: String,
    },
}

/// The kind of caller that a token stands for.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenKindArg {
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

impl From<TokenKindArg> for TokenKind {
    fn from(kind: TokenKindArg) -> Self {
        match kind {
            TokenKindArg::Admin => Self::Admin,
            TokenKindArg::Worker => Self::Worker,
            TokenKindArg::Service => Self::Service,
            TokenKindArg::Join => Self::Join,
            TokenKindArg::Person => Self::Person,
        }
    }
}

pub(crate) async fn run(verb: TokenVerb, options: &GlobalOptions) -> Result<ExitStatus, CliError> {
    let connection = Connection::open(options).await?;
    let (mut auth, client) = (connection.client.auth(), &connection.client);
    match verb {
        TokenVerb::List { all, limit } => list(&connection, all, limit).await?,
        TokenVerb::Create {
            name,
            kind,
            service,
            max_role,
            project,
            expires_in,
        } => {
            let what = format!("cannot create token {name}");
            let request = CreateTokenRequest {
                request_id: request_id(),
                name,
                kind: TokenKind::from(kind).into(),
                service: service.unwrap_or_default(),
                expire_time: expires_in.map(|d| (SystemTime::now() + d).into()),
                max_role: max_role.map_or(0, |role| ProjectRole::from(role).into()),
                project: project.unwrap_or_default(),
            };
            let response = auth
                .create_token(client.request(request))
                .await
                .context(what)?;
            output::note("the secret is shown here and never again");
            connection.format.print_one(&response, || {
                let token = response.token.clone().unwrap_or_default();
                describe(&token, &response.secret)
            })?;
        }
        TokenVerb::Revoke { token } => {
            let what = format!("cannot revoke token {token}");
            let request = RevokeTokenRequest {
                request_id: request_id(),
                token,
            };
            let response = auth
                .revoke_token(client.request(request))
                .await
                .context(what)?;
            let token = response.token.unwrap_or_default();
            connection
                .format
                .print_one(&token, || describe(&token, ""))?;
        }
    }
    Ok(ExitStatus::Success)
}

async fn list(connection: &Connection, include_ended: bool, limit: Limit) -> Result<(), CliError> {
    let mut service = connection.client.auth();
    let tokens = collect_pages(limit.limit, async |page_size, page_token| {
        let request = connection.client.request(ListTokensRequest {
            page_size,
            page_token,
            include_ended,
        });
        let response = service
            .list_tokens(request)
            .await
            .context("cannot list tokens")?;
        Ok((response.tokens, response.next_page_token))
    })
    .await?;
    connection.format.print_many(&tokens, || {
        let mut rows = TextTable::new(&["NAME", "KIND", "ID", "AGE", "USED", "EXPIRES", "REVOKED"]);
        for t in &tokens {
            rows.row([
                t.name.clone(),
                kind(t),
                t.id.clone(),
                age(t.create_time.as_ref()),
                age(t.last_use_time.as_ref()),
                timestamp(t.expire_time.as_ref()),
                timestamp(t.revoke_time.as_ref()),
            ]);
        }
        rows
    })
}

/// Returns a token's kind, and its limit or its service.
fn kind(token: &Token) -> String {
    let kind = enum_label(token.kind().as_str_name(), "TOKEN_KIND");
    let max_role = enum_label(token.max_role().as_str_name(), "PROJECT_ROLE");
    if !max_role.is_empty() {
        return format!("{kind}, {max_role} at most");
    }
    if token.service.is_empty() {
        kind
    } else {
        format!("{kind} {}", token.service)
    }
}

/// Describes a token, one field a line; the secret is empty unless the server has just shown it.
fn describe(token: &Token, secret: &str) -> String {
    key_values(&[
        ("Name", token.name.clone()),
        ("Kind", kind(token)),
        ("Project", token.project_id.clone()),
        ("Id", token.id.clone()),
        ("Created", timestamp(token.create_time.as_ref())),
        ("Expires", timestamp(token.expire_time.as_ref())),
        ("Revoked", timestamp(token.revoke_time.as_ref())),
        ("Secret", secret.to_owned()),
    ])
}
