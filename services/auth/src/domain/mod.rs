//! Tokens, codes, people and projects: types and checks. No async, no SQL, no wire.
mod access;
mod identity;
mod person;
mod project;
mod return_to;
mod scope;
mod secret;
mod session;
mod token;
mod user;

pub(crate) use access::{Claims, PublicKey, SigningKey, generate, jwks, key_of, verified};
pub(crate) use identity::{Email, Identity, LOCAL_ADMIN};
pub(crate) use person::{Membership, Person, Scope};
pub(crate) use project::{Project, checked_name, checked_slug};
pub(crate) use return_to::checked_return_to;
pub(crate) use secret::{Hash, Secret, hash};
pub(crate) use session::{REFRESH, Session, Via};
pub(crate) use token::{NewToken, Owner, Token, TokenKind};
pub(crate) use user::{Member, User, checked_email};

/// What is wrong with a field that a caller gave.
pub(crate) fn invalid(field: &'static str, problem: &str) -> ck8s_types::Invalid {
    ck8s_types::Invalid {
        field,
        problem: problem.to_owned(),
    }
}
