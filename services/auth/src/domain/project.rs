//! Projects.
use ck8s_types::{Invalid, ProjectId};
use time::OffsetDateTime;
use uuid::Uuid;

use super::invalid;

/// A project.
#[derive(Clone, Debug)]
pub(crate) struct Project {
    pub id: ProjectId,
    pub slug: String,
    pub name: String,
    /// Grows with every change; its text is the etag.
    pub version: i64,
    pub created_at: OffsetDateTime,
}

impl Project {
    /// Changes with every change.
    pub fn etag(&self) -> String {
        self.version.to_string()
    }
}

/// A slug that can also be a part of a Kubernetes namespace's name. One that reads as an id would be mistaken for one.
pub(crate) fn checked_slug(slug: String) -> Result<String, Invalid> {
    let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    let sound = (1..=40).contains(&slug.len())
        && slug.bytes().all(inner)
        && !slug.starts_with('-')
        && !slug.ends_with('-');
    if !sound {
        let problem =
            "1 to 40 lower case letters, digits and dashes are needed, no dash first or last";
        return Err(invalid("slug", problem));
    }
    if Uuid::parse_str(&slug).is_ok() {
        return Err(invalid("slug", "must not look like an id"));
    }
    Ok(slug)
}

/// What people call a project.
pub(crate) fn checked_name(name: String) -> Result<String, Invalid> {
    let sound = (1..=200).contains(&name.chars().count())
        && !name.chars().any(char::is_control)
        && !name.trim().is_empty();
    if sound {
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
