//! What a run executes, and what created it: checked once, where it enters.
use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::text::without_nul;

/// A value that is not valid, with the field that holds it.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
#[error("{field}: {problem}")]
pub struct Invalid {
    /// The field's path in the contract's words.
    pub field: &'static str,
    /// What is wrong, in words.
    pub problem: String,
}

impl Invalid {
    fn new(field: &'static str, problem: impl Into<String>) -> Self {
        Self {
            field,
            problem: problem.into(),
        }
    }
}

/// What a run executes. Zero and empty mean the default, as in the contract.
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
const MAX_TIMEOUT_SECONDS: u32 = 7 * 86_400;
/// Attempts in all where a spec names no number.
const DEFAULT_MAX_ATTEMPTS: i32 = 2;
/// Variables of this prefix are set by ck8s.
const RESERVED_ENV_PREFIX: &str = "CK8S_";
/// Bounds a spec in all: it travels in grants and is stored with every run.
const MAX_SPEC_BYTES: usize = 64 * 1024;

impl RunSpec {
    /// Returns the spec with its defaults filled in.
    ///
    /// # Errors
    /// [`Invalid`] names the first field that is not valid.
    pub fn checked(mut self) -> Result<Self, Invalid> {
        if self.size_bytes() > MAX_SPEC_BYTES {
            return Err(Invalid::new("spec", "larger than 64 KiB"));
        }
        self.check_command()?;
        self.check_environment()?;
        self.check_scheduling()?;
        if self.max_attempts == 0 {
            self.max_attempts = DEFAULT_MAX_ATTEMPTS;
        }
        if self.concurrency_group.as_deref() == Some("") {
            self.concurrency_group = None;
        }
        self.labels.sort();
        self.labels.dedup();
        Ok(self)
    }

    fn size_bytes(&self) -> usize {
        let texts = self.command.iter().chain(&self.egress).map(String::len);
        let variables = self
            .env
            .iter()
            .map(|(name, value)| name.len() + value.len());
        self.image.len() + texts.sum::<usize>() + variables.sum::<usize>()
    }

    fn check_command(&self) -> Result<(), Invalid> {
        if self.image.contains('\0') || self.command.iter().any(|text| text.contains('\0')) {
            return Err(Invalid::new("spec.command", "holds a NUL character"));
        }
        Ok(())
    }

    fn check_environment(&self) -> Result<(), Invalid> {
        for (name, value) in &self.env {
            if !is_env_name(name) || name.starts_with(RESERVED_ENV_PREFIX) {
                let problem = format!(
                    "{name:?} is no name for a variable (letters, digits and underscores, not CK8S_*)"
                );
                return Err(Invalid::new("spec.env", problem));
            }
            if value.contains('\0') {
                return Err(Invalid::new("spec.env", "holds a NUL character"));
            }
        }
        for name in &self.secrets {
            if !is_env_name(name)
                || name.starts_with(RESERVED_ENV_PREFIX)
                || self.env.contains_key(name)
            {
                let problem = format!("{name:?} is no name for a secret, or is in env too");
                return Err(Invalid::new("spec.secrets", problem));
            }
        }
        Ok(())
    }

    fn check_scheduling(&self) -> Result<(), Invalid> {
        if !(-100..=100).contains(&self.priority) {
            return Err(Invalid::new("spec.priority", "must be -100 to 100"));
        }
        let t = &self.timeouts;
        if [t.unscheduled, t.pending, t.running]
            .iter()
            .any(|seconds| !(1..=MAX_TIMEOUT_SECONDS).contains(seconds))
        {
            return Err(Invalid::new("spec.timeouts", "must be 1 second to 7 days"));
        }
        // 0: the default.
        if !(0..=10).contains(&self.max_attempts) {
            return Err(Invalid::new("spec.max_attempts", "must be 1 to 10"));
        }
        let group = self.concurrency_group.as_ref();
        if group.is_some_and(|group| group.len() > 200) {
            let problem = "longer than 200 bytes";
            return Err(Invalid::new("spec.concurrency_group", problem));
        }
        if self.labels.iter().any(|l| l.is_empty() || l.len() > 100) || self.labels.len() > 20 {
            return Err(Invalid::new(
                "spec.labels",
                "at most 20, each 1 to 100 bytes",
            ));
        }
        Ok(())
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

/// What created a run.
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
    /// A project admin chose the spec, which is of no trigger: it may be given secrets that are bound to triggers.
    /// Never on the wire.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub admin_spec: bool,
    /// The repository of the commit if it is another one, a fork; empty: the run's own.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub head_repository: String,
    /// The run gets no secrets: its code comes from another repository, and nobody vouched for it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub secrets_withheld: bool,
    /// What was not known when the trigger matched, in a sentence; empty: nothing.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub note: String,
    /// The commit that a push moved its ref away from; empty: no push.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub before_sha: String,
    /// When the push reached the provider, in seconds since 1970, by the provider's clock; 0: not known.
    #[serde(skip_serializing_if = "is_zero")]
    pub pushed_at: i64,
}

/// A moment that is not known is not stored.
#[allow(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference"
)]
fn is_zero(moment: &i64) -> bool {
    *moment == 0
}

impl RunTrigger {
    /// Removes the NUL characters of its texts: a payload may hold anything, and a run does not fail because of it.
    pub fn strip_nul(&mut self) {
        let texts = [
            &mut self.name,
            &mut self.event,
            &mut self.action,
            &mut self.actor,
            &mut self.title,
            &mut self.git_ref,
            &mut self.commit_sha,
            &mut self.url,
            &mut self.arguments,
            &mut self.comment_id,
            &mut self.head_repository,
            &mut self.note,
            &mut self.before_sha,
        ];
        for text in texts {
            *text = without_nul(text);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spec_is_completed_and_an_invalid_field_is_named() {
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
