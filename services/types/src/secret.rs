//! What holds for the values of secrets in the whole system.

/// The shortest value that is masked in logs and messages, in bytes without blanks around it. Shorter ones would mask
/// half of every line.
pub const MIN_MASKED_SECRET_BYTES: usize = 4;
