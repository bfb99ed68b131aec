//! What can go wrong, by what the caller does about it.
use ck8s_types::RunReason;
use thiserror::Error;

/// Why something in a cluster did not work.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
pub enum KubeError {
    /// It never will: the run ends with this reason.
    #[error("{message}")]
    Refused {
        /// The run's reason.
        reason: RunReason,
        /// The reason as a sentence.
        message: String,
    },
    /// A newer lease holds the workload: let go of it.
    #[error("a newer lease holds the workload")]
    Superseded,
    /// It may work later.
    #[error("{0}")]
    Unavailable(String),
}

impl KubeError {
    /// A run that cannot be started as it is described.
    pub(crate) fn config(message: impl Into<String>) -> Self {
        Self::Refused {
            reason: RunReason::ConfigError,
            message: message.into(),
        }
    }

    /// Returns what an error of the API server means for what was being done: `creating the Job`.
    pub(crate) fn from_api(action: &str, error: &kube::Error) -> Self {
        let kube::Error::Api(status) = error else {
            return Self::Unavailable(format!("{action}: {error}"));
        };
        let message = format!("{action}: {}", status.message);
        match status.code {
            403 if status.message.contains("exceeded quota") => Self::Refused {
                reason: RunReason::QuotaDenied,
                message,
            },
            400 | 413 | 422 => Self::config(message),
            _ => Self::Unavailable(message),
        }
    }
}

/// Whether the object does not exist.
pub(crate) fn is_not_found(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == 404)
}

/// Whether the object exists already, or was changed meanwhile.
pub(crate) fn is_conflict(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == 409)
}

/// Takes a missing object for success.
pub(crate) fn ignore_not_found<T>(action: &str, result: kube::Result<T>) -> Result<(), KubeError> {
    match result {
        Err(e) if !is_not_found(&e) => Err(KubeError::from_api(action, &e)),
        Ok(_) | Err(_) => Ok(()),
    }
}
