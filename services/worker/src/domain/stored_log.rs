//! Where the stored log of an attempt ends, and from where its source is to be read on.
use std::{fmt, str::FromStr};

/// What is stored of a log.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct StoredLog {
    /// Where it ends, in bytes.
    pub end: u64,
    /// The last place at the source that was stored with it; none: an older worker wrote it, or nothing is stored.
    pub position: Option<LogPosition>,
}

/// That a place in the stored log is a place at the log's source.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct LogPosition {
    /// The place in the stored log, in bytes.
    pub offset: u64,
    /// The place at the source, in the executor's words; none: its beginning.
    pub source: Option<String>,
}

/// The error of a text that is no position.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("not a position of a log")]
pub struct InvalidLogPosition;

impl fmt::Display for LogPosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.source {
            Some(source) => write!(f, "{} {source}", self.offset),
            None => write!(f, "{}", self.offset),
        }
    }
}

impl FromStr for LogPosition {
    type Err = InvalidLogPosition;

    fn from_str(text: &str) -> Result<Self, InvalidLogPosition> {
        let (offset, source) = match text.split_once(' ') {
            Some((offset, source)) => (offset, Some(source.to_owned())),
            None => (text, None),
        };
        let offset = offset.parse().map_err(|_| InvalidLogPosition)?;
        Ok(Self { offset, source })
    }
}
