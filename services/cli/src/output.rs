//! What commands print: tables and lines for people, JSON and YAML for programs, notes on standard error.
use std::io::{self, Write};

use serde::Serialize;

use crate::{
    error::{CliError, ExitStatus},
    json::{ContractMessage, MessageJson},
    table::TextTable,
    text::one_line,
};

/// The format of the output.
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
    /// Prints one message; `people` is the text for people.
    pub(crate) fn print_one<M: ContractMessage>(
        self,
        message: &M,
        people: impl FnOnce() -> String,
    ) -> Result<(), CliError> {
        match self {
            Self::Table => print(&people()),
            _ => self.print_value(&MessageJson::new(message)),
        }
    }

    /// Prints a list of messages; `people` is the table for people.
    pub(crate) fn print_many<M: ContractMessage>(
        self,
        messages: &[M],
        people: impl FnOnce() -> TextTable,
    ) -> Result<(), CliError> {
        match self {
            Self::Table => print(&people().to_string()),
            _ => self.print_value(&messages.iter().map(MessageJson::new).collect::<Vec<_>>()),
        }
    }

    /// Prints one message of a stream; `people` is the line for people.
    pub(crate) fn print_next<M: ContractMessage>(
        self,
        message: &M,
        people: impl FnOnce() -> String,
    ) -> Result<(), CliError> {
        match self {
            Self::Table => print(&people()),
            Self::Json => print(&encoded(serde_json::to_string(&MessageJson::new(message)))?),
            Self::Yaml => {
                print("---")?;
                self.print_value(&MessageJson::new(message))
            }
        }
    }

    /// Prints any value as YAML if that is the format, else as JSON.
    pub(crate) fn print_value(self, value: &impl Serialize) -> Result<(), CliError> {
        match self {
            Self::Yaml => print(encoded(serde_saphyr::to_string(value))?.trim_end()),
            _ => print(&encoded(serde_json::to_string_pretty(value))?),
        }
    }
}

fn encoded<E: std::fmt::Display>(text: Result<String, E>) -> Result<String, CliError> {
    text.map_err(|e| CliError::new(ExitStatus::Failed, "cannot write the answer", e, ""))
}

/// Prints text, and a line break if it does not end with one.
pub(crate) fn print(text: &str) -> Result<(), CliError> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    if !text.is_empty() && !text.ends_with('\n') {
        out.write_all(b"\n")?;
    }
    Ok(out.flush()?)
}

/// Prints bytes as they are.
pub(crate) fn print_bytes(bytes: &[u8]) -> Result<(), CliError> {
    let mut out = io::stdout().lock();
    out.write_all(bytes)?;
    Ok(out.flush()?)
}

/// Prints a note on standard error: something a person should know that is not the result.
pub(crate) fn note(text: &str) {
    let line = format!("note: {}\n", one_line(text));
    // A closed standard error is no reason to stop.
    let _ = io::stderr().lock().write_all(line.as_bytes());
}
