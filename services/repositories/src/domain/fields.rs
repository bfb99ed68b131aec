//! What the fields of a repository and of its secrets may hold.
use ck8s_types::{Invalid, MIN_MASKED_SECRET_BYTES};

/// Checks a name: owner/name as GitHub takes it, of letters, digits, dot, dash and underscore.
///
/// # Errors
/// [`Invalid`] for another text.
pub(crate) fn full_name(text: &str) -> Result<&str, Invalid> {
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

/// Checks GitHub's numeric id, which is kept as a text.
///
/// # Errors
/// [`Invalid`] for another text.
pub(crate) fn external_id(text: &str) -> Result<&str, Invalid> {
    let digits = (1..=19).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    if digits && !text.starts_with('0') {
        Ok(text)
    } else {
        invalid("external_id", "must be GitHub's numeric repository id")
    }
}

/// Checks a branch's name, as git takes it; an empty one means main.
///
/// # Errors
/// [`Invalid`] for another text.
pub(crate) fn default_branch(text: &str) -> Result<&str, Invalid> {
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

/// Where services.yaml is, unless somebody says otherwise.
pub(crate) const DEFAULT_SERVICES_PATH: &str = ".ck8s/services.yaml";

/// Checks where services.yaml is: a path within the repository; an empty one means the default.
///
/// # Errors
/// [`Invalid`] for another text.
pub(crate) fn services_path(text: &str) -> Result<Option<&str>, Invalid> {
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

/// Bounds a webhook secret from below: a shorter one can be guessed.
const MIN_WEBHOOK_SECRET_CHARS: usize = 16;
/// Bounds a webhook secret from above: the form of a provider takes no more.
const MAX_WEBHOOK_SECRET_BYTES: usize = 1_024;

/// Checks a webhook secret that somebody chose. The error does not show it.
///
/// # Errors
/// [`Invalid`] for one that is too short, too long, or not one line.
pub(crate) fn webhook_secret(text: &str) -> Result<&str, Invalid> {
    if text.chars().count() < MIN_WEBHOOK_SECRET_CHARS {
        return invalid("webhook_secret", "must have at least 16 characters");
    }
    if text.len() > MAX_WEBHOOK_SECRET_BYTES || text.contains(char::is_control) {
        return invalid("webhook_secret", "must be one line of at most 1,024 bytes");
    }
    Ok(text)
}

/// How long the previous webhook secret stays valid if nobody says otherwise: a day.
pub(crate) const DEFAULT_OVERLAP_SECONDS: i64 = 86_400;
/// Bounds how long two webhook secrets are valid, 30 days: two secrets are twice as much to lose.
const MAX_OVERLAP_SECONDS: i64 = 30 * 86_400;

/// Checks for how many seconds the previous webhook secret stays valid; 0 means the default.
///
/// # Errors
/// [`Invalid`] for a negative or too long time.
pub(crate) fn overlap_seconds(seconds: i64) -> Result<i64, Invalid> {
    match seconds {
        0 => Ok(DEFAULT_OVERLAP_SECONDS),
        1..=MAX_OVERLAP_SECONDS => Ok(seconds),
        _ => invalid("overlap_seconds", "must be 0 to 2,592,000 (30 days)"),
    }
}

/// Returns whether a secret of runs may have this name.
#[must_use]
pub(crate) fn is_secret_name(name: &str) -> bool {
    (1..=100).contains(&name.len())
        && name.starts_with(|c: char| c.is_ascii_uppercase())
        && !name.starts_with("CK8S_")
        && name
            .bytes()
            .all(|b| b == b'_' || b.is_ascii_uppercase() || b.is_ascii_digit())
}

/// Checks the name of a secret of runs.
///
/// # Errors
/// [`Invalid`] for another text.
pub(crate) fn secret_name(name: &str) -> Result<&str, Invalid> {
    if is_secret_name(name) {
        Ok(name)
    } else {
        invalid(
            "name",
            "must be upper case, digits and underscores, start with a letter, and not with CK8S_",
        )
    }
}

/// Bounds the value of a secret of runs: it becomes an environment variable.
const MAX_SECRET_BYTES: usize = 32 * 1024;

/// Checks the value of a secret of runs. The error does not show it.
///
/// # Errors
/// [`Invalid`] for one that cannot be an environment variable's.
pub(crate) fn secret_value(value: &str) -> Result<&str, Invalid> {
    if value.len() > MAX_SECRET_BYTES {
        return invalid("value", "larger than 32 KiB");
    }
    if value.contains('\0') {
        return invalid("value", "holds a NUL character");
    }
    Ok(value)
}

/// Returns what whoever sets a secret to this value should know, in sentences.
pub(crate) fn secret_warnings(value: &str) -> Vec<String> {
    let too_short = value.trim().len() < MIN_MASKED_SECRET_BYTES;
    let warning = format!(
        "The value is too short to be masked (less than {MIN_MASKED_SECRET_BYTES} bytes): where a run prints it, it stands in the log."
    );
    (!value.is_empty() && too_short)
        .then_some(warning)
        .into_iter()
        .collect()
}

/// Bounds the triggers that a secret is bound to: as many as a services.yaml may have.
const MAX_BOUND_TRIGGERS: usize = 100;
/// Bounds the name of a trigger, in bytes.
const MAX_TRIGGER_NAME_BYTES: usize = 100;

/// Checks the names of the triggers that a secret is bound to, and returns each once, in order.
///
/// # Errors
/// [`Invalid`] for too many names, or for one that no trigger can have.
pub(crate) fn trigger_names(mut names: Vec<String>) -> Result<Vec<String>, Invalid> {
    names.sort_unstable();
    names.dedup();
    if names.len() > MAX_BOUND_TRIGGERS {
        return invalid("binding.triggers", "more than 100");
    }
    let fits = |name: &String| {
        (1..=MAX_TRIGGER_NAME_BYTES).contains(&name.len()) && !name.contains(char::is_control)
    };
    if !names.iter().all(fits) {
        return invalid("binding.triggers", "each must be the name of a trigger");
    }
    Ok(names)
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
        let names = |names: &[&str]| trigger_names(names.iter().map(|&n| n.to_owned()).collect());
        assert_eq!(names(&["b", "a", "b"]), Ok(vec!["a".into(), "b".into()]));
        for bad in [&[""][..], &["a\0"], &[&"x".repeat(101)]] {
            assert!(names(bad).is_err(), "{bad:?}");
        }
    }
}
