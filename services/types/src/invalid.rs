//! The error of a value that is not valid.
use thiserror::Error;

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
    pub(crate) fn new(field: &'static str, problem: impl Into<String>) -> Self {
        Self {
            field,
            problem: problem.into(),
        }
    }
}
