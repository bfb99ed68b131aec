//! Why a worker cannot work at all. What may pass is retried and only logged.
use ck8s_rpc::mesh::NameError;
use thiserror::Error;

/// Why the worker ended.
#[derive(Debug, Error)]
pub enum WorkerError {
    /// The server's address cannot be used.
    #[error("the server's address {url:?} cannot be used: {cause}")]
    Url {
        /// As configured.
        url: String,
        /// What is wrong with it.
        cause: String,
    },
    /// A name of the mesh cannot be used.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The token cannot be sent.
    #[error("the worker's token holds characters that cannot be sent")]
    Token,
    /// The server does not take this worker, and never did.
    #[error("the server does not take this worker: {message}")]
    Refused {
        /// The server's words.
        message: String,
    },
    /// The executor cannot be used.
    #[error("the {executor} executor cannot be used: {cause}")]
    Executor {
        /// Which.
        executor: &'static str,
        /// Why.
        cause: String,
    },
}
