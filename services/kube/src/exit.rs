//! How a workload ended.
use ck8s_types::RunReason;

/// How a workload ended, or why it did not start.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Exit {
    /// The run's reason.
    pub reason: RunReason,
    /// The reason as a sentence for people.
    pub message: String,
    /// The exit code, where one is known.
    pub code: Option<i32>,
}

impl Exit {
    /// The exit of a workload that ended well.
    pub(crate) fn completed() -> Self {
        Self {
            reason: RunReason::Completed,
            message: "The workload ended with exit code 0.".to_owned(),
            code: Some(0),
        }
    }

    /// An exit without an exit code. Its message is a sentence, and what Kubernetes says about it.
    pub(crate) fn without_code(reason: RunReason, sentence: &str, details: &str) -> Self {
        Self {
            reason,
            message: with_details(sentence, details),
            code: None,
        }
    }
}

/// Joins a sentence without its full stop and what Kubernetes says, if it says anything.
pub(crate) fn with_details(sentence: &str, details: &str) -> String {
    if details.is_empty() {
        format!("{sentence}.")
    } else {
        format!("{sentence}: {details}")
    }
}
