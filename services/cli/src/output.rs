//! What commands print: tables and lines for people, JSON and YAML for programs, notes on standard error.
use std::io::{self, IsTerminal, Write};

use serde::Serialize;

use crate::{
    error::{CliError, ExitStatus},
    json::{ContractMessage, MessageJson},
    table::TextTable,
    terminal::TerminalFilter,
    text::{escaped_json, has_controls, lines, one_line},
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
            Self::Table => print_table(&people()),
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
            Self::Json => print_text(&json(serde_json::to_string(&MessageJson::new(message)))?),
            Self::Yaml => {
                print_text("---")?;
                self.print_value(&MessageJson::new(message))
            }
        }
    }

    /// Prints any value as YAML if that is the format, else as JSON.
    pub(crate) fn print_value(self, value: &impl Serialize) -> Result<(), CliError> {
        if self == Self::Yaml {
            let yaml = encoded(serde_saphyr::to_string(value))?;
            if !has_controls(&yaml) {
                return print_text(yaml.trim_end());
            }
            // YAML's plain texts know no escapes. JSON's do, and JSON is YAML.
        }
        print_text(&json(serde_json::to_string_pretty(value))?)
    }
}

fn encoded<E: std::fmt::Display>(text: Result<String, E>) -> Result<String, CliError> {
    text.map_err(|e| CliError::new(ExitStatus::Failed, "cannot write the answer", e, ""))
}

fn json(text: serde_json::Result<String>) -> Result<String, CliError> {
    Ok(escaped_json(&encoded(text)?))
}

/// Prints text for people, without what could steer their terminal, and a line break if it does not end with one.
pub(crate) fn print(text: &str) -> Result<(), CliError> {
    print_text(&lines(text))
}

/// Prints a table. Its cells are safe, and its colors are ours.
pub(crate) fn print_table(table: &TextTable) -> Result<(), CliError> {
    print_text(&table.to_string())
}

fn print_text(text: &str) -> Result<(), CliError> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    if !text.is_empty() && !text.ends_with('\n') {
        out.write_all(b"\n")?;
    }
    Ok(out.flush()?)
}

/// Prints bytes of our own as they are.
pub(crate) fn print_bytes(bytes: &[u8]) -> Result<(), CliError> {
    let mut out = io::stdout().lock();
    out.write_all(bytes)?;
    Ok(out.flush()?)
}

/// Standard output for what the server keeps as it came: logs, payloads, services.yaml. A file or a pipe gets the bytes
/// as they are, a terminal what can be shown of them.
pub(crate) struct ForeignOutput {
    filter: Option<TerminalFilter>,
}

impl ForeignOutput {
    /// Begins it.
    pub(crate) fn new() -> Self {
        let is_terminal = io::stdout().is_terminal();
        Self {
            filter: is_terminal.then(TerminalFilter::default),
        }
    }

    /// Prints the next bytes.
    pub(crate) fn print(&mut self, bytes: &[u8]) -> Result<(), CliError> {
        match &mut self.filter {
            Some(filter) => print_bytes(filter.filter(bytes).as_bytes()),
            None => print_bytes(bytes),
        }
    }
}

/// Prints a note on standard error: something a person should know that is not the result.
pub(crate) fn note(text: &str) {
    let line = format!("note: {}\n", one_line(text));
    // A closed standard error is no reason to stop.
    let _ = io::stderr().lock().write_all(line.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn yaml_with_controls_becomes_json_which_is_yaml() {
        let value = serde_json::json!({ "title": "a\u{202e}b\u{9b}c" });
        let yaml = serde_saphyr::to_string(&value).unwrap();
        assert!(has_controls(&yaml), "{yaml}");
        let json = json(serde_json::to_string_pretty(&value)).unwrap();
        let read: serde_json::Value = serde_saphyr::from_str(&json).unwrap();
        assert_eq!(read, value);
    }
}
