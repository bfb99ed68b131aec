//! Arguments that several commands share: limits, durations, key-value pairs, files, secrets.
use std::{
    io::{self, IsTerminal, Read},
    path::{Path, PathBuf},
    time::Duration,
};

use clap::Args;
use secrecy::SecretString;

use crate::{error::CliError, output};

/// What some editors write at the beginning of a text.
const BYTE_ORDER_MARK: char = '\u{feff}';

/// How many items a list shows.
#[derive(Args, Clone, Copy, Debug)]
pub struct Limit {
    /// At most this many; 0: all.
    #[arg(long, default_value_t = 50, value_name = "N")]
    pub limit: usize,
}

/// Parses a duration: `90`, `90s`, `10m`, `2h`, `7d`.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let digits = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let factor = match unit {
        "" | "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return Err("the units are s, m, h and d".to_owned()),
    };
    let number: u64 = number
        .parse()
        .map_err(|_| "write it as 90s, 10m, 2h or 7d".to_owned())?;
    let seconds = number
        .checked_mul(factor)
        .filter(|s| *s <= u64::from(u32::MAX));
    seconds
        .map(Duration::from_secs)
        .ok_or_else(|| "too long".to_owned())
}

/// Returns a duration in seconds, 0 for none, as the contract has it.
pub(crate) fn seconds(duration: Option<Duration>) -> i64 {
    duration.map_or(0, |d| i64::try_from(d.as_secs()).unwrap_or(i64::MAX))
}

/// Parses `KEY=VALUE`.
pub(crate) fn key_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("write it as KEY=VALUE".to_owned()),
    }
}

/// Reads a text file; `-` is standard input.
pub(crate) fn read_text(path: &Path) -> Result<String, CliError> {
    let text = if path == Path::new("-") {
        io::read_to_string(io::stdin())
    } else {
        std::fs::read_to_string(path)
    };
    text.map_err(|e| CliError::file(path, &e))
}

/// Reads a text file, if one is given.
pub(crate) fn read_optional(path: Option<&PathBuf>) -> Result<Option<String>, CliError> {
    path.map(|path| read_text(path)).transpose()
}

/// Reads the bytes of a file; `-` is standard input.
pub(crate) fn read_bytes(path: &Path) -> Result<Vec<u8>, CliError> {
    let mut bytes = Vec::new();
    let read = if path == Path::new("-") {
        io::stdin().read_to_end(&mut bytes).map(|_| ())
    } else {
        std::fs::read(path).map(|read| bytes = read)
    };
    read.map_err(|e| CliError::file(path, &e))?;
    Ok(bytes)
}

/// Reads a secret from a file, or from standard input. A byte order mark at its beginning and line breaks at its end
/// are removed: editors add them.
pub(crate) fn read_secret(path: Option<&PathBuf>) -> Result<String, CliError> {
    let path = path.map_or(Path::new("-"), PathBuf::as_path);
    if path == Path::new("-") && io::stdin().is_terminal() {
        output::note("reading the secret from the terminal; end it with Ctrl-D");
    }
    let text = read_text(path)?;
    match without_byte_order_mark(&text).trim_end_matches(['\r', '\n']) {
        "" => Err(CliError::usage(
            "cannot use the secret",
            "it is empty",
            "write it to standard input or name a file",
        )),
        secret => Ok(secret.to_owned()),
    }
}

/// Returns the token that a file holds: without a byte order mark, blanks and line breaks around it.
#[must_use]
pub fn token_text(text: &str) -> &str {
    without_byte_order_mark(text).trim()
}

fn without_byte_order_mark(text: &str) -> &str {
    text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text)
}

/// Reads an API token from a file; `-` is standard input.
pub(crate) fn read_token(path: &Path) -> Result<SecretString, CliError> {
    let text = read_text(path)?;
    match token_text(&text) {
        "" => Err(CliError::usage(
            format!("cannot use {}", path.display()),
            "it is empty",
            "put a token into it",
        )),
        token => Ok(token.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_has_a_unit() {
        let seconds = |text| duration(text).map(|d| d.as_secs());
        assert_eq!(seconds("90"), Ok(90));
        assert_eq!(seconds("10m"), Ok(600));
        assert_eq!(seconds("7d"), Ok(604_800));
        for wrong in ["", "m", "5x", "-1", "1.5h", "99999999999d"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_value_may_hold_an_equals_sign() {
        assert_eq!(key_value("A=b=c"), Ok(("A".into(), "b=c".into())));
        assert_eq!(key_value("A="), Ok(("A".into(), String::new())));
        assert!(key_value("=b").is_err() && key_value("A").is_err());
    }

    #[test]
    fn what_editors_add_to_a_secret_is_removed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secret");
        for text in ["a\nb\r\n", "\u{feff}a\nb\n"] {
            std::fs::write(&path, text).unwrap();
            assert_eq!(read_secret(Some(&path)).unwrap(), "a\nb");
        }
        std::fs::write(&path, "\u{feff}ck8s_x\r\n").unwrap();
        let token = read_token(&path).unwrap();
        assert_eq!(secrecy::ExposeSecret::expose_secret(&token), "ck8s_x");
        for empty in ["\n", "\u{feff}", "\u{feff}\r\n"] {
            std::fs::write(&path, empty).unwrap();
            assert!(read_secret(Some(&path)).is_err() && read_token(&path).is_err());
        }
    }
}
