//! Standard output: tables for people, JSON and YAML for programs.
use std::io::{self, IsTerminal, Write};

use serde::Serialize;

use crate::{
    fault::{Exit, Fault},
    json::{Named, View},
    table::Rows,
};

/// How answers look.
#[derive(clap::ValueEnum, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// For people.
    #[default]
    Table,
    /// One object or one array; of a stream, one object a line.
    Json,
    /// The same as YAML.
    Yaml,
}

impl Format {
    /// Writes one message; `people` is what people read instead.
    pub(crate) fn one<M: Named>(
        self,
        message: &M,
        people: impl FnOnce() -> String,
    ) -> Result<(), Fault> {
        match self {
            Self::Table => say(&people()),
            _ => self.value(&View::of(message)),
        }
    }

    /// Writes many messages; `people` is the table that people read instead.
    pub(crate) fn many<M: Named>(
        self,
        messages: &[M],
        people: impl FnOnce() -> Rows,
    ) -> Result<(), Fault> {
        match self {
            Self::Table => say(&people().to_string()),
            _ => self.value(&messages.iter().map(View::of).collect::<Vec<_>>()),
        }
    }

    /// Writes one message of a stream; `people` is the line that people read instead.
    pub(crate) fn next<M: Named>(
        self,
        message: &M,
        people: impl FnOnce() -> String,
    ) -> Result<(), Fault> {
        match self {
            Self::Table => say(&people()),
            Self::Json => say(&encoded(serde_json::to_string(&View::of(message)))?),
            Self::Yaml => {
                say("---")?;
                self.value(&View::of(message))
            }
        }
    }

    /// Writes anything as JSON, or as YAML if that was asked for.
    pub(crate) fn value(self, value: &impl Serialize) -> Result<(), Fault> {
        match self {
            Self::Yaml => say(encoded(serde_saphyr::to_string(value))?.trim_end()),
            _ => say(&encoded(serde_json::to_string_pretty(value))?),
        }
    }
}

fn encoded<E: std::fmt::Display>(text: Result<String, E>) -> Result<String, Fault> {
    text.map_err(|e| Fault::new(Exit::Failed, "cannot write the answer", e, ""))
}

/// Writes a line, or several.
pub(crate) fn say(text: &str) -> Result<(), Fault> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    if !text.is_empty() && !text.ends_with('\n') {
        out.write_all(b"\n")?;
    }
    Ok(out.flush()?)
}

/// Writes bytes as they are.
pub(crate) fn raw(bytes: &[u8]) -> Result<(), Fault> {
    let mut out = io::stdout().lock();
    out.write_all(bytes)?;
    Ok(out.flush()?)
}

/// Tells a person something that is not the answer.
pub(crate) fn note(text: &str) {
    let line = format!("note: {}\n", crate::fault::one_line(text));
    // Nobody reads it: no reason to stop.
    let _ = io::stderr().lock().write_all(line.as_bytes());
}

/// Colours only on a terminal, and not where <https://no-color.org> is asked for.
pub(crate) fn coloured() -> bool {
    io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty())
}
