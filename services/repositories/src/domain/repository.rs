//! What a repository's own fields may hold.
use ck8s_types::Invalid;

/// owner/name as GitHub takes it: letters, digits, dot, dash, underscore.
///
/// # Errors
/// [`Invalid`] for another text.
pub fn full_name(text: &str) -> Result<&str, Invalid> {
    let part = |part: &str| {
        (1..=100).contains(&part.len())
            && !matches!(part, "." | "..")
            && part
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
    };
    match text.split_once('/') {
        Some((owner, name)) if part(owner) && part(name) => Ok(text),
        _ => invalid("full_name", "must be owner/name"),
    }
}

/// GitHub's numeric id, as text.
///
/// # Errors
/// [`Invalid`] for another text.
pub fn external_id(text: &str) -> Result<&str, Invalid> {
    let digits = (1..=19).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    if digits && !text.starts_with('0') {
        Ok(text)
    } else {
        invalid("external_id", "must be GitHub's numeric repository id")
    }
}

/// A branch as git takes it; empty: main.
///
/// # Errors
/// [`Invalid`] for another text.
pub fn default_branch(text: &str) -> Result<&str, Invalid> {
    if text.is_empty() {
        return Ok("main");
    }
    let odd = |c: char| c.is_whitespace() || c.is_control() || "~^:?*[\\".contains(c);
    let fits = text.len() <= 255
        && !text.contains(odd)
        && !text.contains("..")
        && !text.starts_with(['-', '/'])
        && !text.ends_with(['/', '.']);
    if fits {
        Ok(text)
    } else {
        invalid("default_branch", "is no branch's name")
    }
}

/// Where services.yaml is: a path within the repository; empty: the usual one.
///
/// # Errors
/// [`Invalid`] for another text.
pub fn services_path(text: &str) -> Result<Option<&str>, Invalid> {
    if text.is_empty() {
        return Ok(None);
    }
    let fits = text.len() <= 500
        && !text.contains(|c: char| c.is_control() || "\\?#".contains(c))
        && text.split('/').all(|part| !matches!(part, "" | "." | ".."));
    if fits {
        Ok(Some(text))
    } else {
        invalid(
            "services_path",
            "must be a path in the repository: .ck8s/services.yaml",
        )
    }
}

/// Shorter ones can be guessed.
const SHORTEST_WEBHOOK_SECRET: usize = 16;
/// What a provider's form takes.
const LONGEST_WEBHOOK_SECRET: usize = 1_024;

/// A webhook secret that somebody chose. What is wrong does not show it.
///
/// # Errors
/// [`Invalid`] for a short, long or odd one.
pub fn webhook_secret(text: &str) -> Result<&str, Invalid> {
    if text.chars().count() < SHORTEST_WEBHOOK_SECRET {
        return invalid("webhook_secret", "must have at least 16 characters");
    }
    if text.len() > LONGEST_WEBHOOK_SECRET || text.contains(char::is_control) {
        return invalid("webhook_secret", "must be one line of at most 1,024 bytes");
    }
    Ok(text)
}

/// A day, where nothing is said.
const DEFAULT_OVERLAP: i64 = 86_400;
/// 30 days: two secrets are twice as much to lose.
const LONGEST_OVERLAP: i64 = 30 * 86_400;

/// How long the webhook secret before stays valid, in seconds.
///
/// # Errors
/// [`Invalid`] for what is negative or too long.
pub fn overlap_seconds(asked: i64) -> Result<i64, Invalid> {
    match asked {
        0 => Ok(DEFAULT_OVERLAP),
        1..=LONGEST_OVERLAP => Ok(asked),
        _ => invalid("overlap_seconds", "must be 0 to 2,592,000 (30 days)"),
    }
}

/// Whether a secret of runs may have this name.
#[must_use]
pub fn is_secret_name(name: &str) -> bool {
    (1..=100).contains(&name.len())
        && name.starts_with(|c: char| c.is_ascii_uppercase())
        && !name.starts_with("CK8S_")
        && name
            .bytes()
            .all(|b| b == b'_' || b.is_ascii_uppercase() || b.is_ascii_digit())
}

/// The name of a secret of runs.
///
/// # Errors
/// [`Invalid`] for another text.
pub fn secret_name(name: &str) -> Result<&str, Invalid> {
    if is_secret_name(name) {
        Ok(name)
    } else {
        invalid(
            "name",
            "must be upper case, digits and underscores, start with a letter, and not with CK8S_",
        )
    }
}

/// More does not fit an environment well.
const LARGEST_SECRET: usize = 32 * 1024;

/// The value of a secret of runs; empty removes it. What is wrong does not show it.
///
/// # Errors
/// [`Invalid`] for one that cannot be an environment variable's.
pub fn secret_value(value: &str) -> Result<&str, Invalid> {
    if value.len() > LARGEST_SECRET {
        return invalid("value", "larger than 32 KiB");
    }
    if value.contains('\0') {
        return invalid("value", "holds a NUL character");
    }
    Ok(value)
}

fn invalid<T>(field: &'static str, problem: &str) -> Result<T, Invalid> {
    let problem = problem.to_owned();
    Err(Invalid { field, problem })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_checked() {
        for good in ["acme/app", "a-b.c/d_e.js"] {
            assert!(full_name(good).is_ok(), "{good}");
        }
        for bad in [
            "", "acme", "acme/", "/app", "a/b/c", "a b/c", "a/..", "a/b\n", "ä/b",
        ] {
            assert!(full_name(bad).is_err(), "{bad}");
        }
        for bad in ["", "0", "01", "-1", "1.0", "12345678901234567890", "x"] {
            assert!(external_id(bad).is_err(), "{bad}");
        }
        assert_eq!(default_branch(""), Ok("main"));
        assert_eq!(default_branch("release/1.2"), Ok("release/1.2"));
        for bad in ["a b", "-x", "a..b", "/x", "x/", "a\tb", "a~1"] {
            assert!(default_branch(bad).is_err(), "{bad}");
        }
        assert_eq!(services_path(""), Ok(None));
        assert_eq!(services_path("a/b c.yaml"), Ok(Some("a/b c.yaml")));
        for bad in ["/a", "a/", "a//b", "../a", "a/./b", "a?b", "a\nb"] {
            assert!(services_path(bad).is_err(), "{bad}");
        }
        assert!(webhook_secret("0123456789abcdef").is_ok());
        assert!(webhook_secret("0123456789abcde").is_err());
        assert_eq!(overlap_seconds(0), Ok(86_400));
        assert!(overlap_seconds(-1).is_err());
        assert!(overlap_seconds(2_592_001).is_err());
        for bad in ["", "a", "1A", "_A", "CK8S_X", "A-B", "CK8S_"] {
            assert!(secret_name(bad).is_err(), "{bad}");
        }
        assert!(secret_name("ANTHROPIC_API_KEY").is_ok());
        assert!(secret_value("a\0b").is_err());
    }
}
