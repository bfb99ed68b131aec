//! The roles of people in projects.
use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::UnknownWord;

/// A role in a project; each one has the rights of those before it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProjectRole {
    /// May read.
    Read,
    /// May start, cancel and retry.
    ReadWrite,
    /// May change repositories, secrets and members.
    Admin,
}

impl ProjectRole {
    /// All of them, the least first.
    pub const ALL: &'static [Self] = &[Self::Read, Self::ReadWrite, Self::Admin];

    /// Its word, in SQL and on the command line.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::ReadWrite => "read_write",
            Self::Admin => "admin",
        }
    }
}

impl fmt::Display for ProjectRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for ProjectRole {
    type Err = UnknownWord;
    fn from_str(word: &str) -> Result<Self, UnknownWord> {
        let role = Self::ALL.iter().find(|role| role.as_str() == word);
        role.copied().ok_or_else(|| UnknownWord {
            set: "project role",
            word: word.to_owned(),
        })
    }
}
