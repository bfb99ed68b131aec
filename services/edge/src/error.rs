//! Why the edge cannot serve.
use thiserror::Error;

/// Why the edge cannot serve.
#[derive(Debug, Error)]
pub enum EdgeError {
    /// The listener is of no use.
    #[error("the public listener: {0}")]
    Listener(#[from] std::io::Error),
}
