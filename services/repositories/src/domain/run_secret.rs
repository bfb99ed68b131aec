//! The secrets of runs, without their values: their names, and which runs are given them.
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::timestamps;

/// A secret of runs, without its value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RunSecret {
    pub name: String,
    pub binding: Binding,
    /// When it was last set.
    #[serde(with = "timestamps")]
    pub updated_at: OffsetDateTime,
}

/// Which runs are given a secret.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Binding {
    /// Runs of every trigger.
    #[default]
    Every,
    /// Runs of these triggers.
    Triggers(Vec<String>),
}

/// What a run is of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RunOrigin {
    /// The trigger of this name.
    Trigger(String),
    /// A spec of a project admin's own.
    AdminSpec,
    /// A spec of somebody's own.
    Spec,
}

impl Binding {
    /// Reads a binding: no names mean every trigger.
    pub(crate) fn from_names(names: Vec<String>) -> Self {
        if names.is_empty() {
            Self::Every
        } else {
            Self::Triggers(names)
        }
    }

    /// Returns the names of the triggers; none: every one.
    pub(crate) fn names(&self) -> &[String] {
        match self {
            Self::Every => &[],
            Self::Triggers(names) => names,
        }
    }

    /// Returns whether a run of this origin is given the secret.
    pub(crate) fn admits(&self, origin: &RunOrigin) -> bool {
        match (self, origin) {
            (Self::Every, _) | (Self::Triggers(_), RunOrigin::AdminSpec) => true,
            (Self::Triggers(names), RunOrigin::Trigger(name)) => names.contains(name),
            (Self::Triggers(_), RunOrigin::Spec) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_secret_is_for_runs_of_its_triggers_and_for_admins() {
        let bound = Binding::from_names(vec!["deploy".to_owned()]);
        let every = Binding::from_names(Vec::new());
        let trigger = |name: &str| RunOrigin::Trigger(name.to_owned());
        for (origin, is_given) in [
            (trigger("deploy"), true),
            (trigger("Deploy"), false),
            (trigger(""), false),
            (RunOrigin::AdminSpec, true),
            (RunOrigin::Spec, false),
        ] {
            assert_eq!(bound.admits(&origin), is_given, "{origin:?}");
            assert!(every.admits(&origin), "{origin:?}");
        }
    }
}
