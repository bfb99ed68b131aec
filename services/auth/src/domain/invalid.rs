//! Faults of a caller's fields.
use ck8s_types::Invalid;

/// Describes what is wrong with a field.
pub(crate) fn invalid(field: &'static str, problem: &str) -> Invalid {
    Invalid {
        field,
        problem: problem.to_owned(),
    }
}
