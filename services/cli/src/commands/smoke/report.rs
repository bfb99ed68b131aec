//! The results of the checks: one line each for people as they are made, one object for programs at the end.
use std::time::Instant;

use serde::Serialize;

use crate::{
    error::{CliError, ExitStatus},
    output::{self, Format},
    text::one_line,
};

/// The names of all checks, in the order in which they are made.
const CHECKS: [&str; 14] = [
    "health",
    "ready",
    "version",
    "page",
    "stranger",
    "admin",
    "repository",
    "bad_signature",
    "delivery",
    "duplicate",
    "run",
    "log",
    "slot",
    "removal",
];

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum State {
    Ok,
    Failed,
    /// Not made, because a check that it needs has failed.
    Skipped,
}

impl State {
    fn enum_label(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
        }
    }
}

#[derive(Debug, Serialize)]
struct Check {
    name: &'static str,
    state: State,
    message: String,
    seconds: f64,
}

/// The results so far.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    url: String,
    passed: bool,
    checks: Vec<Check>,
    #[serde(skip)]
    format: Format,
    /// The first line that could not be printed. The checks go on, because they clean up at their end.
    #[serde(skip)]
    print_error: Option<CliError>,
}

impl Report {
    /// Starts without results.
    pub(super) fn new(url: &str, format: Format) -> Self {
        Self {
            url: url.to_owned(),
            passed: true,
            checks: Vec::new(),
            format,
            print_error: None,
        }
    }

    /// Makes a check and reports its result. Returns whether it passed.
    pub(super) async fn check(
        &mut self,
        name: &'static str,
        check: impl Future<Output = Result<String, CliError>>,
    ) -> bool {
        let since = Instant::now();
        let (state, message) = match check.await {
            Ok(message) => (State::Ok, message),
            Err(error) => (State::Failed, error.to_string()),
        };
        self.add(name, state, &message, since.elapsed().as_secs_f64());
        state == State::Ok
    }

    /// Reports a check that cannot be made.
    pub(super) fn skip(&mut self, name: &'static str) {
        self.add(name, State::Skipped, "a check before it failed", 0.0);
    }

    /// Reports that this check and those after it cannot be made; the removal is always made.
    pub(super) fn skip_from(&mut self, name: &'static str) {
        let from = CHECKS.iter().skip_while(|check| **check != name);
        for check in from.filter(|check| **check != "removal") {
            self.skip(check);
        }
    }

    /// Reports that a signal ended the check that was being made.
    pub(super) fn interrupted(&mut self) {
        let next = self.checks.last().and_then(|last| {
            let mut rest = CHECKS.iter().skip_while(|name| **name != last.name);
            rest.nth(1)
        });
        if let Some(name) = next.filter(|name| **name != "removal") {
            self.add(name, State::Failed, "a signal ended it", 0.0);
        }
    }

    fn add(&mut self, name: &'static str, state: State, message: &str, seconds: f64) {
        let message = one_line(message);
        if self.format == Format::Table {
            let line = format!("{:<8} {name:<14} {message}", state.enum_label());
            if let Err(error) = output::print(&line) {
                self.print_error.get_or_insert(error);
            }
        }
        self.passed &= state == State::Ok;
        self.checks.push(Check {
            name,
            state,
            message,
            seconds: (seconds * 1_000.0).round() / 1_000.0,
        });
    }

    /// Prints the summary or the object, and returns the exit status.
    pub(super) fn finish(self) -> Result<ExitStatus, CliError> {
        if let Some(error) = self.print_error {
            return Err(error);
        }
        if self.format == Format::Table {
            output::print(&self.summary())?;
        } else {
            self.format.print_value(&self)?;
        }
        Ok(if self.passed {
            ExitStatus::Success
        } else {
            ExitStatus::Failed
        })
    }

    fn summary(&self) -> String {
        let names_in = |state: State| {
            let names = self.checks.iter().filter(|check| check.state == state);
            names.map(|check| check.name).collect::<Vec<_>>()
        };
        let (ok, failed) = (names_in(State::Ok).len(), names_in(State::Failed));
        if failed.is_empty() && self.passed {
            format!("{} is well: {ok} checks", self.url)
        } else {
            format!("{} is not well: {} failed", self.url, failed.join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_failed_check_fails_the_report_and_is_named() {
        let mut report = Report::new("http://h", Format::Json);
        assert!(report.check("health", async { Ok("lives".into()) }).await);
        assert!(report.passed);
        let error = CliError::new(ExitStatus::Unavailable, "cannot connect", "refused", "");
        assert!(!report.check("page", async { Err(error) }).await);
        report.skip_from("slot");
        let value = serde_json::to_value(&report).unwrap();
        assert_eq!(value["passed"], false);
        assert_eq!(value["checks"][1]["state"], "failed");
        assert_eq!(value["checks"][1]["message"], "cannot connect: refused");
        assert_eq!(value["checks"][2]["name"], "slot");
        assert_eq!(value["checks"].as_array().unwrap().len(), 3);
        assert_eq!(report.summary(), "http://h is not well: page failed");
    }

    #[tokio::test]
    async fn a_signal_fails_the_check_that_it_interrupts() {
        let mut report = Report::new("http://h", Format::Json);
        report.check("delivery", async { Ok(String::new()) }).await;
        report.interrupted();
        assert_eq!(report.checks[1].name, "duplicate");
        assert!(!report.passed);
    }
}
