//! API tokens.
use ck8s_types::{Invalid, ProjectRole, TokenId, UserId};
use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

use super::{invalid::invalid, person::Person, scope::Scope};

/// The roles of processes that a token can be for.
const SERVICE_ROLES: [&str; 6] = [
    "edge",
    "ingress",
    "runs",
    "repositories",
    "auth",
    "learning",
];
/// How long a join token works unless its creator says otherwise: long enough to start a worker.
const DEFAULT_JOIN_TOKEN_TTL: Duration = Duration::hours(1);
/// The longest life of a join token: whoever has it can become a worker.
const MAX_JOIN_TOKEN_TTL: Duration = Duration::days(7);
/// The longest name.
const MAX_NAME_CHARS: usize = 200;

/// Who the bearer of a token is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum TokenKind {
    /// A platform admin.
    Admin,
    /// A worker node.
    Worker,
    /// A process of this role.
    Service(String),
    /// A worker that joins, once. It authenticates nobody.
    Join,
    /// A person.
    Person(Owner),
}

/// The user of a person's token, and its limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Owner {
    pub user_id: UserId,
    pub scope: Scope,
}

impl TokenKind {
    /// Returns the prefix of its secrets.
    pub(crate) fn prefix(&self) -> &'static str {
        match self {
            Self::Admin => "ck8s_adm_",
            Self::Worker => "ck8s_wrk_",
            Self::Service(_) => "ck8s_svc_",
            Self::Join => "ck8s_join_",
            Self::Person(_) => "ck8s_usr_",
        }
    }

    /// Returns its word in the database and in flow events.
    pub(crate) fn as_str(&self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Worker => "worker",
            Self::Service(_) => "service",
            Self::Join => "join",
            Self::Person(_) => "person",
        }
    }

    /// Returns the role of a service's token.
    pub(crate) fn service(&self) -> Option<&str> {
        match self {
            Self::Service(role) => Some(role),
            Self::Admin | Self::Worker | Self::Join | Self::Person(_) => None,
        }
    }

    /// Returns the owner of a person's token.
    pub(crate) fn owner(&self) -> Option<Owner> {
        match self {
            Self::Person(owner) => Some(*owner),
            _ => None,
        }
    }

    /// Reads a kind from the database's columns; none if they are none of ours.
    pub(crate) fn from_columns(
        word: &str,
        service: Option<String>,
        owner: Option<Owner>,
    ) -> Option<Self> {
        match (word, service, owner) {
            ("admin", None, None) => Some(Self::Admin),
            ("worker", None, None) => Some(Self::Worker),
            ("join", None, None) => Some(Self::Join),
            ("service", Some(role), None) => Some(Self::Service(role)),
            ("person", None, Some(owner)) => Some(Self::Person(owner)),
            _ => None,
        }
    }
}

/// A token, without its secret.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Token {
    pub id: TokenId,
    pub name: String,
    pub kind: TokenKind,
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339::option")]
    pub expires_at: Option<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339::option")]
    pub last_used_at: Option<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339::option")]
    pub revoked_at: Option<OffsetDateTime>,
}

/// A valid token, and who its bearer is.
pub(crate) struct TokenBearer {
    pub token: Token,
    /// The person of a person's token, limited to its scope.
    pub person: Option<Person>,
}

/// A token that a caller asks for.
pub(crate) struct TokenRequest {
    pub name: String,
    pub kind: RequestedKind,
    pub expires_at: Option<OffsetDateTime>,
}

/// The kind of token that a caller asks for.
pub(crate) enum RequestedKind {
    /// A token of the platform, which only a platform admin creates.
    Platform(TokenKind),
    /// A token of the caller's own, with this role at most.
    Own { max_role: Option<ProjectRole> },
}

/// A token to create.
#[derive(Clone, Debug)]
pub(crate) struct NewToken {
    pub name: String,
    pub kind: TokenKind,
    pub expires_at: Option<OffsetDateTime>,
}

impl NewToken {
    /// Checks the fields, and gives a join token its default expiry.
    pub(crate) fn checked(mut self, now: OffsetDateTime) -> Result<Self, Invalid> {
        let length = self.name.chars().count();
        let fault = |field, problem: &str| Err(invalid(field, problem));
        if !(1..=MAX_NAME_CHARS).contains(&length) || self.name.chars().any(char::is_control) {
            return fault(
                "name",
                "1 to 200 characters are needed, no control characters",
            );
        }
        if self.name.trim() != self.name {
            return fault("name", "must not begin or end with a space");
        }
        if let TokenKind::Service(role) = &self.kind
            && !SERVICE_ROLES.contains(&role.as_str())
        {
            return fault(
                "service",
                "must be edge, ingress, runs, repositories, auth or learning",
            );
        }
        if self.expires_at.is_some_and(|at| at <= now) {
            return fault("expire_time", "must be in the future");
        }
        if self.kind == TokenKind::Join {
            let until = *self.expires_at.get_or_insert(now + DEFAULT_JOIN_TOKEN_TTL);
            if until > now + MAX_JOIN_TOKEN_TTL {
                return fault("expire_time", "must be within seven days for a join token");
            }
        }
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(name: &str, kind: TokenKind, expires_in: Option<i64>) -> Result<NewToken, Invalid> {
        let now = OffsetDateTime::now_utc();
        NewToken {
            name: name.to_owned(),
            kind,
            expires_at: expires_in.map(|s| now + Duration::seconds(s)),
        }
        .checked(now)
    }

    #[test]
    fn fields_are_checked() {
        assert!(token("ci", TokenKind::Admin, Some(60)).is_ok());
        assert!(token("ü", TokenKind::Service("runs".into()), None).is_ok());
        let long = "x".repeat(201);
        for name in ["", " ", " x", "a\nb", &long] {
            let fault = token(name, TokenKind::Admin, None).unwrap_err();
            assert_eq!(fault.field, "name");
        }
        let fault = token("x", TokenKind::Service("root".into()), None).unwrap_err();
        assert_eq!(fault.field, "service");
        let fault = token("x", TokenKind::Worker, Some(0)).unwrap_err();
        assert_eq!(fault.field, "expire_time");
        let join = token("x", TokenKind::Join, None).unwrap();
        assert!(join.expires_at.is_some(), "a join token expires");
        let fault = token("x", TokenKind::Join, Some(8 * 24 * 3600)).unwrap_err();
        assert_eq!(fault.field, "expire_time");
    }
}
