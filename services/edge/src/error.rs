//! The errors of serving the public listener.
use thiserror::Error;

/// The public listener cannot be served.
#[derive(Debug, Error)]
pub enum EdgeError {
    /// The listener failed.
    #[error("the public listener: {0}")]
    Listener(#[from] std::io::Error),
}
