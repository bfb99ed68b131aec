//! The name of a Job, which follows from the run and its attempt.
use std::fmt;

use ck8s_types::RunId;
use kube::ResourceExt;

use crate::labels::{ATTEMPT, RUN_ID, managed_selector};

/// Names the Job of one attempt of a run.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct JobName {
    /// The namespace of the run's project.
    pub namespace: String,
    /// The run.
    pub run_id: RunId,
    /// The attempt, from 1.
    pub attempt: i32,
}

impl JobName {
    /// Returns the name of the Job, of its Secret and of its NetworkPolicy.
    #[must_use]
    pub fn name(&self) -> String {
        format!("run-{}-{}", self.run_id.uuid().simple(), self.attempt)
    }

    /// Returns the selector of the objects of this attempt.
    pub(crate) fn selector(&self) -> String {
        format!("{},{ATTEMPT}={}", self.run_selector(), self.attempt)
    }

    /// Returns the selector of the objects of all attempts of the run.
    pub(crate) fn run_selector(&self) -> String {
        format!("{},{RUN_ID}={}", managed_selector(), self.run_id)
    }

    /// Returns the name that an object's labels give; none if they are not ours.
    pub(crate) fn of(object: &impl ResourceExt) -> Option<Self> {
        let labels = object.labels();
        Some(Self {
            namespace: object.namespace()?,
            run_id: labels.get(RUN_ID)?.parse().ok()?,
            attempt: labels.get(ATTEMPT)?.parse().ok()?,
        })
    }
}

impl fmt::Display for JobName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name())
    }
}
