//! Types and pure decisions: tokens, secrets, persons, users, projects. No async, no SQL, no wire types.
mod access_token;
mod identity;
mod invalid;
mod member;
mod person;
mod project;
mod return_to;
mod scope;
mod secret;
mod session;
mod sign_in;
mod signing_key;
mod token;
mod user;

pub(crate) use access_token::{Claims, MAX_ACCESS_TOKEN_TTL, signing_key_id, verify};
pub(crate) use identity::{Email, Identity, LOCAL_ADMIN_EMAIL};
pub(crate) use invalid::invalid;
pub(crate) use member::Member;
pub(crate) use person::{Membership, Person};
pub(crate) use project::{DeletionPreview, Project, ProjectContents, checked_name, checked_slug};
pub(crate) use return_to::checked_return_to;
pub(crate) use scope::Scope;
pub(crate) use secret::{Hash, Salt, Secret, hash};
pub(crate) use session::{REFRESH_TOKEN_PREFIX, Session, SignInMethod};
pub(crate) use sign_in::{AuthorizationCallback, BrowserSignIn, DevicePoll, DeviceSignIn};
pub(crate) use signing_key::{NewKeyPair, PublicKey, SigningKey, SigningKeyId, jwks};
pub(crate) use token::{
    NewToken, Owner, RequestedKind, Token, TokenBearer, TokenKind, TokenRequest,
};
pub(crate) use user::{User, checked_email};
