//! Projects, and the rules for their slugs and names.
use ck8s_types::{Invalid, ProjectId};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use uuid::Uuid;

use super::invalid::invalid;

/// The longest slug: a namespace's name of at most 63 characters begins with it.
const MAX_SLUG_BYTES: usize = 40;
/// The longest name of a project.
const MAX_NAME_CHARS: usize = 200;

/// A project.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Project {
    pub id: ProjectId,
    pub slug: String,
    pub name: String,
    /// Grows with every change. The etag is its text.
    pub version: i64,
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
}

impl Project {
    /// Returns the etag, which every change changes.
    pub(crate) fn etag(&self) -> String {
        self.version.to_string()
    }
}

/// What is deleted with a project.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct ProjectContents {
    pub members: i64,
    /// Live tokens that are limited to the project.
    pub tokens: i64,
}

/// What a deletion would do.
#[derive(Clone, Debug)]
pub(crate) struct DeletionPreview {
    pub contents: ProjectContents,
    /// Why the project cannot be deleted now; empty if it can.
    pub obstacles: Vec<String>,
}

/// Checks a slug. It may become part of a Kubernetes namespace's name, and must not look like an id.
pub(crate) fn checked_slug(slug: String) -> Result<String, Invalid> {
    let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    let valid = (1..=MAX_SLUG_BYTES).contains(&slug.len())
        && slug.bytes().all(inner)
        && !slug.starts_with('-')
        && !slug.ends_with('-');
    if !valid {
        let problem =
            "1 to 40 lower case letters, digits and dashes are needed, no dash first or last";
        return Err(invalid("slug", problem));
    }
    if Uuid::parse_str(&slug).is_ok() {
        return Err(invalid("slug", "must not look like an id"));
    }
    Ok(slug)
}

/// Checks a project's name.
pub(crate) fn checked_name(name: String) -> Result<String, Invalid> {
    let valid = (1..=MAX_NAME_CHARS).contains(&name.chars().count())
        && !name.chars().any(char::is_control)
        && !name.trim().is_empty();
    if valid {
        Ok(name)
    } else {
        let problem = "1 to 200 characters are needed, no control characters";
        Err(invalid("name", problem))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slugs_are_checked() {
        for good in ["a", "demo", "a-b-1", "0", &"x".repeat(40)] {
            assert!(checked_slug(good.to_owned()).is_ok(), "{good}");
        }
        let id = Uuid::now_v7();
        let (dashed, simple) = (id.to_string(), id.simple().to_string());
        for bad in [
            "",
            "-a",
            "a-",
            "A",
            "a_b",
            "a b",
            "ä",
            &"x".repeat(41),
            &dashed,
            &simple,
        ] {
            assert!(checked_slug(bad.to_owned()).is_err(), "{bad}");
        }
    }
}
