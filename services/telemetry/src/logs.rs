//! Logs go to stderr, as JSON lines for machines or as text for people. stdout belongs to the output of commands.
use std::{env, io::IsTerminal};

use thiserror::Error;
use tracing_subscriber::{EnvFilter, fmt, layer::SubscriberExt, util::SubscriberInitExt};

/// How a log line looks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LogFormat {
    /// One JSON object a line.
    Json,
    /// For people.
    Text,
}

/// The log's settings cannot be used.
#[derive(Debug, Error)]
pub enum LogError {
    /// `CK8S_LOG_FORMAT` is another word.
    #[error("CK8S_LOG_FORMAT is {0:?}: use json or text")]
    Format(String),
    /// `CK8S_LOG` or `RUST_LOG` is no filter.
    #[error("CK8S_LOG or RUST_LOG: {0} (an example: info,ck8s_runs=debug)")]
    Filter(String),
    /// Logs are set up already.
    #[error("logs are already set up")]
    Twice,
}

/// Sets up the process's logs. `CK8S_LOG` (else `RUST_LOG`) filters, `CK8S_LOG_FORMAT` (json, text) overrides the
/// format.
///
/// # Errors
/// A variable's value cannot be understood.
pub fn init_logs(default: LogFormat) -> Result<(), LogError> {
    let format = match env::var("CK8S_LOG_FORMAT").as_deref() {
        Err(_) | Ok("") => default,
        Ok("json") => LogFormat::Json,
        Ok("text") => LogFormat::Text,
        Ok(other) => return Err(LogError::Format(other.to_owned())),
    };
    let directives = ["CK8S_LOG", "RUST_LOG"]
        .iter()
        .find_map(|name| env::var(name).ok().filter(|value| !value.is_empty()))
        .unwrap_or_else(|| "info".to_owned());
    let filter =
        EnvFilter::try_new(&directives).map_err(|error| LogError::Filter(error.to_string()))?;
    let registry = tracing_subscriber::registry().with(filter);
    let done = match format {
        LogFormat::Json => registry
            .with(
                fmt::layer()
                    .json()
                    .flatten_event(true)
                    .with_current_span(true)
                    .with_span_list(false)
                    .with_writer(std::io::stderr),
            )
            .try_init(),
        LogFormat::Text => registry
            .with(
                fmt::layer()
                    .with_ansi(has_color())
                    .with_target(false)
                    .with_writer(std::io::stderr),
            )
            .try_init(),
    };
    done.map_err(|_| LogError::Twice)
}

/// Returns whether standard error takes colors: <https://no-color.org>, and `TERM=dumb` says that it takes none.
fn has_color() -> bool {
    let is_unset = |name: &str| env::var_os(name).is_none_or(|value| value.is_empty());
    let is_dumb = env::var_os("TERM").is_some_and(|term| term == "dumb");
    std::io::stderr().is_terminal() && is_unset("NO_COLOR") && !is_dumb
}
