//! The one branch that a run may push.
use std::fmt;

use super::{id::RunId, spec::RunTrigger};

/// What every such branch begins with.
const PREFIX: &str = "ck8s/";
/// Bounds the part of a name that is made of a trigger's name.
const MAX_SLUG_BYTES: usize = 60;

/// The branch that a run may push, by its short name: `ck8s/12-fix`. Runs of one trigger in one thread share it, so
/// that a follow-up goes on where the run before ended.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct WorkBranch(String);

impl WorkBranch {
    /// Returns the branch of a run. None: it may push nothing, because its code comes from another repository.
    #[must_use]
    pub fn of(run: RunId, trigger: &RunTrigger) -> Option<Self> {
        if !trigger.head_repository.is_empty() || trigger.secrets_withheld {
            return None;
        }
        // A discussion has a number as issues and pull requests have, but is none.
        let is_thread = trigger.number > 0 && !trigger.event.starts_with("discussion");
        let name = match is_thread {
            true => format!("{PREFIX}{}{}", trigger.number, slug(&trigger.name)),
            false => format!("{PREFIX}run-{}", run.uuid().simple()),
        };
        Some(Self(name))
    }

    /// Returns its short name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0
    }

    /// Returns its short name.
    #[must_use]
    pub fn into_name(self) -> String {
        self.0
    }

    /// Returns its full name: `refs/heads/ck8s/12-fix`.
    #[must_use]
    pub fn full_name(&self) -> String {
        format!("refs/heads/{}", self.0)
    }
}

impl fmt::Display for WorkBranch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Turns a trigger's name into a part of a branch's name, with a dash in front; empty: nothing of it fits.
fn slug(name: &str) -> String {
    let mut slug = String::new();
    for c in name.chars() {
        match c {
            c if c.is_ascii_alphanumeric() => slug.push(c.to_ascii_lowercase()),
            _ if slug.is_empty() || slug.ends_with('-') => {}
            _ => slug.push('-'),
        }
    }
    slug.truncate(MAX_SLUG_BYTES);
    match slug.trim_end_matches('-') {
        "" => String::new(),
        slug => format!("-{slug}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(trigger: &RunTrigger) -> Option<String> {
        WorkBranch::of(RunId::new(), trigger).map(WorkBranch::into_name)
    }

    #[test]
    fn runs_of_one_trigger_in_one_thread_share_a_branch() {
        for (name, branch) in [
            ("fix", "ck8s/12-fix"),
            ("Fix the Bug.", "ck8s/12-fix-the-bug"),
            ("a..b", "ck8s/12-a-b"),
            ("---", "ck8s/12"),
            ("", "ck8s/12"),
        ] {
            let trigger = RunTrigger {
                name: name.to_owned(),
                number: 12,
                ..RunTrigger::default()
            };
            assert_eq!(of(&trigger).as_deref(), Some(branch));
        }
    }

    #[test]
    fn a_run_without_a_thread_has_a_branch_of_its_own() {
        let discussion = RunTrigger {
            number: 12,
            event: "discussion_comment".to_owned(),
            ..RunTrigger::default()
        };
        for trigger in [RunTrigger::default(), discussion] {
            let run = RunId::new();
            let branch = WorkBranch::of(run, &trigger).expect("may push");
            assert_eq!(branch.name(), format!("ck8s/run-{}", run.uuid().simple()));
        }
    }

    #[test]
    fn code_of_another_repository_pushes_nothing() {
        let fork = RunTrigger {
            head_repository: "eve/shop".to_owned(),
            number: 12,
            ..RunTrigger::default()
        };
        let withheld = RunTrigger {
            secrets_withheld: true,
            number: 12,
            ..RunTrigger::default()
        };
        assert_eq!((of(&fork), of(&withheld)), (None, None));
    }
}
