//! What goes wrong with a key ring and with sealed values.
use thiserror::Error;

/// Why a value does not open.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
pub enum OpenError {
    /// The ring lacks its key.
    #[error("the key ring has no key {0:?}")]
    UnknownKey(String),
    /// It was changed, moved from another row, or sealed under another key of the same id.
    #[error("a sealed value does not open: changed, moved, or of another key")]
    Refused,
}

/// Why a value was not sealed.
#[derive(Debug, Error, Clone, Copy, PartialEq, Eq)]
#[error("a value cannot be sealed")]
pub struct SealError;

/// Why a text is no key ring. It never shows the text.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
#[error("no key ring: {0} (it looks like id:base64key,id2:base64key, each key 32 bytes)")]
pub struct KeyRingError(pub(crate) String);
