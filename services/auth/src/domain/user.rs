//! Users: the people who may sign in.
use ck8s_types::{Invalid, UserId};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::invalid::invalid;

/// The longest address. The table's CHECK has the same limit.
const MAX_EMAIL_BYTES: usize = 320;

/// An entry of the allow-list: an address that may sign in.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct User {
    pub id: UserId,
    pub email: String,
    pub login: Option<String>,
    pub external_id: Option<String>,
    pub platform_admin: bool,
    /// Grows with every change. The etag is its text.
    pub version: i64,
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339::option")]
    pub last_sign_in_at: Option<OffsetDateTime>,
}

impl User {
    /// Returns the etag, which every change changes.
    pub(crate) fn etag(&self) -> String {
        self.version.to_string()
    }
}

/// Checks the shape of an address and removes the space around it. More is not needed: only an address that the
/// identity provider verified lets anybody in.
pub(crate) fn checked_email(email: &str) -> Result<String, Invalid> {
    let email = email.trim();
    let valid = email.len() <= MAX_EMAIL_BYTES
        && !email.chars().any(|c| c.is_whitespace() || c.is_control())
        && email.rsplit_once('@').is_some_and(|(name, host)| {
            !name.is_empty() && !host.is_empty() && !name.contains('@')
        });
    if valid {
        Ok(email.to_owned())
    } else {
        Err(invalid("email", "must be an address, like ada@example.com"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_checked() {
        assert_eq!(
            checked_email(" Octo@Example.com ").unwrap(),
            "Octo@Example.com"
        );
        let long = format!("{}@example.com", "x".repeat(320));
        for bad in ["", "@", "a@", "@a", "a", "a b@c", "a@b@c", "a@b\0", &long] {
            assert!(checked_email(bad).is_err(), "{bad}");
        }
    }
}
