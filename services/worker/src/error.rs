//! What goes wrong in a worker: errors that end it, and errors of its executor. What may pass is retried and only
//! logged.
use ck8s_rpc::mesh::NameError;
use thiserror::Error;

use crate::domain::Exit;

/// Why the worker ended.
#[derive(Debug, Error)]
pub enum WorkerError {
    /// The server's address cannot be used.
    #[error("the server's address {url:?} cannot be used: {cause}")]
    Url {
        /// The address, as configured.
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
    /// The server refused this worker, and never accepted it.
    #[error("the server does not take this worker: {message}")]
    Refused {
        /// The server's message.
        message: String,
    },
    /// The executor cannot be used.
    #[error("the {executor} executor cannot be used: {cause}")]
    Executor {
        /// The executor's name.
        executor: &'static str,
        /// What is wrong with it.
        cause: String,
    },
    /// The worker panicked, or was aborted.
    #[error("the worker broke down: {0}")]
    Broken(#[from] tokio::task::JoinError),
}

/// Why an executor could not start, adopt, remove or list workloads.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum ExecutorError {
    /// The workload can never start: the run ends.
    #[error("{}", .0.message)]
    Refused(Exit),
    /// A newer lease holds the workload.
    #[error("a newer lease holds the workload")]
    Superseded,
    /// It may work later.
    #[error("{0}")]
    Unavailable(String),
}

impl ExecutorError {
    /// Something that may work later: what failed, and why.
    pub(crate) fn unavailable(what: &str, cause: &dyn std::fmt::Display) -> Self {
        Self::Unavailable(format!("{what}: {cause}"))
    }
}
