//! API tokens.
use ck8s_types::{Invalid, TokenId, UserId};
use time::{Duration, OffsetDateTime};

use super::{Scope, invalid};

/// The roles of the mesh that a token can stand for.
const ROLES: [&str; 6] = [
    "edge",
    "ingress",
    "runs",
    "repositories",
    "auth",
    "learning",
];
/// How long a join token works, unless its maker says: as long as it takes to start a worker.
const JOIN_LIFE: Duration = Duration::hours(1);
/// And at most: it makes a worker of whoever has it.
const LONGEST_JOIN: Duration = Duration::days(7);
/// The longest name of a token, in characters; the table's CHECK says the same.
const LONGEST_NAME: usize = 200;

/// What a token's bearer is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TokenKind {
    /// A platform admin.
    Admin,
    /// A worker node.
    Worker,
    /// A role of the mesh.
    Service(String),
    /// A worker that joins, once. Its bearer is nobody.
    Join,
    /// A person.
    Person(Owner),
}

/// Whose token it is, and what it is limited to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Owner {
    pub user_id: UserId,
    pub scope: Scope,
}

impl TokenKind {
    /// How its secrets begin.
    pub fn prefix(&self) -> &'static str {
        match self {
            Self::Admin => "ck8s_adm_",
            Self::Worker => "ck8s_wrk_",
            Self::Service(_) => "ck8s_svc_",
            Self::Join => "ck8s_join_",
            Self::Person(_) => "ck8s_usr_",
        }
    }

    /// Its word in the table.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Worker => "worker",
            Self::Service(_) => "service",
            Self::Join => "join",
            Self::Person(_) => "person",
        }
    }

    /// The role, for a service's token.
    pub fn service(&self) -> Option<&str> {
        match self {
            Self::Service(role) => Some(role),
            Self::Admin | Self::Worker | Self::Join | Self::Person(_) => None,
        }
    }

    /// The owner, for a person's token.
    pub fn owner(&self) -> Option<Owner> {
        match self {
            Self::Person(owner) => Some(*owner),
            _ => None,
        }
    }

    /// From the table's words; none if it is none of them.
    pub fn from_words(word: &str, service: Option<String>, owner: Option<Owner>) -> Option<Self> {
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

/// What is kept of a token.
#[derive(Clone, Debug)]
pub(crate) struct Token {
    pub id: TokenId,
    pub name: String,
    pub kind: TokenKind,
    pub created_at: OffsetDateTime,
    pub expires_at: Option<OffsetDateTime>,
    pub last_used_at: Option<OffsetDateTime>,
    pub revoked_at: Option<OffsetDateTime>,
}

/// A token to make.
#[derive(Clone, Debug)]
pub(crate) struct NewToken {
    pub name: String,
    pub kind: TokenKind,
    pub expires_at: Option<OffsetDateTime>,
}

impl NewToken {
    /// Checks what a caller asks for.
    pub fn checked(mut self, now: OffsetDateTime) -> Result<Self, Invalid> {
        let length = self.name.chars().count();
        let fault = |field, problem: &str| Err(invalid(field, problem));
        if !(1..=LONGEST_NAME).contains(&length) || self.name.chars().any(char::is_control) {
            return fault(
                "name",
                "1 to 200 characters are needed, no control characters",
            );
        }
        if self.name.trim() != self.name {
            return fault("name", "must not begin or end with a space");
        }
        if let TokenKind::Service(role) = &self.kind
            && !ROLES.contains(&role.as_str())
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
            let until = *self.expires_at.get_or_insert(now + JOIN_LIFE);
            if until > now + LONGEST_JOIN {
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
    fn what_is_asked_for_is_checked() {
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
        assert!(join.expires_at.is_some(), "a join token ends");
        let fault = token("x", TokenKind::Join, Some(8 * 24 * 3600)).unwrap_err();
        assert_eq!(fault.field, "expire_time");
    }
}
