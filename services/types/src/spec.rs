//! What a run runs, and what made it: checked once, where it enters.
use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// A value that cannot be taken, with the field that holds it.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
#[error("{field}: {problem}")]
pub struct Invalid {
    /// The field's path in the contract's words.
    pub field: &'static str,
    /// What is wrong, in words.
    pub problem: String,
}

/// What runs. Zero and empty mean the default, as in the contract.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct RunSpec {
    /// The container image; the process executor takes none.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub image: String,
    /// Program and arguments.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub command: Vec<String>,
    /// Environment variables.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
    /// Names of the repository's secrets that become environment variables.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<String>,
    /// CPU, a Kubernetes quantity.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub cpu: String,
    /// Memory, a Kubernetes quantity.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub memory: String,
    /// How long it may wait, start and run.
    pub timeouts: Timeouts,
    /// At most one run of a group holds a slot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub concurrency_group: Option<String>,
    /// A new run of the group ends the ones before it.
    pub cancel_in_progress: bool,
    /// -100 to 100; higher goes first.
    pub priority: i16,
    /// Labels that a worker must have; sorted, each once.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<String>,
    /// Hosts that the workload may reach.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub egress: Vec<String>,
    /// Attempts in all if the workload is lost.
    pub max_attempts: i32,
}

/// How long a run may wait, start and run; in whole seconds.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Timeouts {
    /// From its creation to its lease.
    pub unscheduled: u32,
    /// From its lease to its workload's start.
    pub pending: u32,
    /// From its workload's start to its end.
    pub running: u32,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            unscheduled: 86_400,
            pending: 300,
            running: 3_600,
        }
    }
}

/// A week: no run waits or runs longer.
const LONGEST_TIMEOUT: u32 = 7 * 86_400;
/// What a spec may hold in all: it travels in grants and lies in every run's row.
const LARGEST_SPEC: usize = 64 * 1024;

impl RunSpec {
    /// The spec with its defaults filled in, or the first thing that is wrong with it.
    ///
    /// # Errors
    /// [`Invalid`] names the field.
    pub fn checked(mut self) -> Result<Self, Invalid> {
        let invalid = |field, problem: &str| Invalid {
            field,
            problem: problem.to_owned(),
        };
        let size = self.image.len()
            + self.command.iter().map(String::len).sum::<usize>()
            + self
                .env
                .iter()
                .map(|(k, v)| k.len() + v.len())
                .sum::<usize>()
            + self.egress.iter().map(String::len).sum::<usize>();
        if size > LARGEST_SPEC {
            return Err(invalid("spec", "larger than 64 KiB"));
        }
        let text = |s: &String| !s.contains('\0');
        if !(text(&self.image) && self.command.iter().all(text)) {
            return Err(invalid("spec.command", "holds a NUL character"));
        }
        for (name, value) in &self.env {
            if !is_env_name(name) || name.starts_with("CK8S_") {
                return Err(Invalid {
                    field: "spec.env",
                    problem: format!(
                        "{name:?} is no name for a variable (letters, digits and underscores, not CK8S_*)"
                    ),
                });
            }
            if value.contains('\0') {
                return Err(invalid("spec.env", "holds a NUL character"));
            }
        }
        for name in &self.secrets {
            if !is_env_name(name) || name.starts_with("CK8S_") || self.env.contains_key(name) {
                return Err(Invalid {
                    field: "spec.secrets",
                    problem: format!("{name:?} is no name for a secret, or is in env too"),
                });
            }
        }
        if !(-100..=100).contains(&self.priority) {
            return Err(invalid("spec.priority", "must be -100 to 100"));
        }
        let t = &self.timeouts;
        if [t.unscheduled, t.pending, t.running]
            .iter()
            .any(|s| !(1..=LONGEST_TIMEOUT).contains(s))
        {
            return Err(invalid("spec.timeouts", "must be 1 second to 7 days"));
        }
        if self.max_attempts == 0 {
            self.max_attempts = 2;
        }
        if !(1..=10).contains(&self.max_attempts) {
            return Err(invalid("spec.max_attempts", "must be 1 to 10"));
        }
        if self.concurrency_group.as_deref() == Some("") {
            self.concurrency_group = None;
        }
        if self
            .concurrency_group
            .as_ref()
            .is_some_and(|g| g.len() > 200)
        {
            return Err(invalid("spec.concurrency_group", "longer than 200 bytes"));
        }
        if self.labels.iter().any(|l| l.is_empty() || l.len() > 100) || self.labels.len() > 20 {
            return Err(invalid("spec.labels", "at most 20, each 1 to 100 bytes"));
        }
        self.labels.sort();
        self.labels.dedup();
        Ok(self)
    }

    /// From creation to lease.
    #[must_use]
    pub fn unscheduled_timeout(&self) -> Duration {
        Duration::from_secs(self.timeouts.unscheduled.into())
    }

    /// From lease to start.
    #[must_use]
    pub fn pending_timeout(&self) -> Duration {
        Duration::from_secs(self.timeouts.pending.into())
    }

    /// From start to end.
    #[must_use]
    pub fn running_timeout(&self) -> Duration {
        Duration::from_secs(self.timeouts.running.into())
    }
}

fn is_env_name(name: &str) -> bool {
    name.len() <= 100
        && name
            .bytes()
            .enumerate()
            .all(|(i, b)| b == b'_' || b.is_ascii_alphabetic() || (i > 0 && b.is_ascii_digit()))
        && !name.is_empty()
}

/// What made a run.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct RunTrigger {
    /// The trigger's name in services.yaml; empty: started by hand.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// The provider's event name.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub event: String,
    /// The payload's action.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub action: String,
    /// Who did it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub actor: String,
    /// Issue or pull request; 0: none.
    pub number: i64,
    /// Its title.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub title: String,
    /// Branch or tag.
    #[serde(rename = "ref", skip_serializing_if = "String::is_empty")]
    pub git_ref: String,
    /// Commit.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub commit_sha: String,
    /// The page at the provider.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub url: String,
    /// The text after a comment command.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub arguments: String,
    /// The provider's id of the comment that it came with.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub comment_id: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spec_is_completed_and_its_faults_are_named() {
        let spec = RunSpec {
            labels: vec!["b".into(), "a".into(), "b".into()],
            ..RunSpec::default()
        };
        let checked = spec.checked().expect("fits");
        assert_eq!(checked.labels, ["a", "b"]);
        assert_eq!(checked.max_attempts, 2);

        let bad = |spec: RunSpec| spec.checked().expect_err("does not fit").field;
        assert_eq!(
            bad(RunSpec {
                priority: 101,
                ..RunSpec::default()
            }),
            "spec.priority"
        );
        let env = BTreeMap::from([("CK8S_TOKEN".to_owned(), "x".to_owned())]);
        assert_eq!(
            bad(RunSpec {
                env,
                ..RunSpec::default()
            }),
            "spec.env"
        );
        assert_eq!(
            bad(RunSpec {
                secrets: vec!["1X".into()],
                ..RunSpec::default()
            }),
            "spec.secrets"
        );
        let timeouts = Timeouts {
            running: 0,
            ..Timeouts::default()
        };
        assert_eq!(
            bad(RunSpec {
                timeouts,
                ..RunSpec::default()
            }),
            "spec.timeouts"
        );
    }
}
