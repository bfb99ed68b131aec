//! Users: the allow-list, and their roles in projects.
use ck8s_types::{Invalid, ProjectId, ProjectRole, UserId};
use time::OffsetDateTime;

use super::invalid;

/// The longest address; the table's CHECK says the same.
const LONGEST_EMAIL: usize = 320;

/// A person who may sign in.
#[derive(Clone, Debug)]
pub(crate) struct User {
    pub id: UserId,
    pub email: String,
    pub login: Option<String>,
    pub external_id: Option<String>,
    pub platform_admin: bool,
    /// Grows with every change; its text is the etag.
    pub version: i64,
    pub created_at: OffsetDateTime,
    pub last_sign_in_at: Option<OffsetDateTime>,
}

impl User {
    /// Changes with every change.
    pub fn etag(&self) -> String {
        self.version.to_string()
    }
}

/// A user's role in a project.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    pub project_id: ProjectId,
    pub user_id: UserId,
    pub email: String,
    pub login: Option<String>,
    pub role: ProjectRole,
    pub created_at: OffsetDateTime,
}

/// An address, without the space around it. What is wrong with it beyond its shape, the identity provider has checked: only an
/// address that it verified lets anybody in.
pub(crate) fn checked_email(email: &str) -> Result<String, Invalid> {
    let email = email.trim();
    let sound = email.len() <= LONGEST_EMAIL
        && !email.chars().any(|c| c.is_whitespace() || c.is_control())
        && email.rsplit_once('@').is_some_and(|(name, host)| {
            !name.is_empty() && !host.is_empty() && !name.contains('@')
        });
    if sound {
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
