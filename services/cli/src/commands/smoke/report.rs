//! What the checks said: a line each for people while they go on, one object for programs at the end.
use std::time::Instant;

use serde::Serialize;

use crate::{
    fault::{Exit, Fault, one_line},
    output::{self, Format},
};

/// Every check, in the order in which it is made.
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
    /// Not made: a check before it failed that it needs.
    Skipped,
}

impl State {
    fn word(self) -> &'static str {
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

/// The checks so far.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    url: String,
    passed: bool,
    checks: Vec<Check>,
    #[serde(skip)]
    format: Format,
    /// The first line that could not be written; the checks go on to their end, since they clean up.
    #[serde(skip)]
    unwritten: Option<Fault>,
}

impl Report {
    /// None yet.
    pub(super) fn new(url: &str, format: Format) -> Self {
        Self {
            url: url.to_owned(),
            passed: true,
            checks: Vec::new(),
            format,
            unwritten: None,
        }
    }

    /// Makes a check and says how it went; whether it is well.
    pub(super) async fn check(
        &mut self,
        name: &'static str,
        check: impl Future<Output = Result<String, Fault>>,
    ) -> bool {
        let since = Instant::now();
        let (state, message) = match check.await {
            Ok(message) => (State::Ok, message),
            Err(fault) => (State::Failed, fault.to_string()),
        };
        self.add(name, state, &message, since.elapsed().as_secs_f64());
        state == State::Ok
    }

    /// A check that cannot be made.
    pub(super) fn skip(&mut self, name: &'static str) {
        self.add(name, State::Skipped, "a check before it failed", 0.0);
    }

    /// This check and those after it cannot be made; the removal is a check of its own.
    pub(super) fn skip_from(&mut self, name: &'static str) {
        let from = CHECKS.iter().skip_while(|check| **check != name);
        for check in from.filter(|check| **check != "removal") {
            self.skip(check);
        }
    }

    /// Somebody stopped it in the middle.
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
            let line = format!("{:<8} {name:<14} {message}", state.word());
            if let Err(fault) = output::say(&line) {
                self.unwritten.get_or_insert(fault);
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

    /// The end of it, and the exit status.
    pub(super) fn end(self) -> Result<Exit, Fault> {
        if let Some(fault) = self.unwritten {
            return Err(fault);
        }
        if self.format == Format::Table {
            output::say(&self.summary())?;
        } else {
            self.format.value(&self)?;
        }
        Ok(if self.passed {
            Exit::Done
        } else {
            Exit::Failed
        })
    }

    fn summary(&self) -> String {
        let named = |state: State| {
            let names = self.checks.iter().filter(|check| check.state == state);
            names.map(|check| check.name).collect::<Vec<_>>()
        };
        let (ok, failed) = (named(State::Ok).len(), named(State::Failed));
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
    async fn one_failed_check_fails_it_all_and_is_named() {
        let mut report = Report::new("http://h", Format::Json);
        assert!(report.check("health", async { Ok("lives".into()) }).await);
        assert!(report.passed);
        let fault = Fault::new(Exit::Unavailable, "cannot connect", "refused", "");
        assert!(!report.check("page", async { Err(fault) }).await);
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
    async fn a_signal_fails_the_check_that_it_met() {
        let mut report = Report::new("http://h", Format::Json);
        report.check("delivery", async { Ok(String::new()) }).await;
        report.interrupted();
        assert_eq!(report.checks[1].name, "duplicate");
        assert!(!report.passed);
    }
}
