//! What can go wrong, by what the caller does about it.
use ck8s_types::RunReason;
use thiserror::Error;

/// Why something did not work.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
pub enum KubeError {
    /// It never will: the run ends with this reason.
    #[error("{message}")]
    Refused {
        /// The run's reason.
        reason: RunReason,
        /// In a sentence.
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
    pub(crate) fn config(message: impl Into<String>) -> Self {
        Self::Refused {
            reason: RunReason::ConfigError,
            message: message.into(),
        }
    }

    /// What an answer of the API server means while `doing` something.
    pub(crate) fn of(doing: &str, error: &kube::Error) -> Self {
        let kube::Error::Api(status) = error else {
            return Self::Unavailable(format!("{doing}: {error}"));
        };
        let message = format!("{doing}: {}", status.message);
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

/// The HTTP code of an answer; 0 where there was none.
pub(crate) fn code(error: &kube::Error) -> u16 {
    match error {
        kube::Error::Api(status) => status.code,
        _ => 0,
    }
}

/// Takes "there is no such thing" for success.
pub(crate) fn gone_is_fine<T>(doing: &str, result: kube::Result<T>) -> Result<(), KubeError> {
    match result {
        Ok(_) => Ok(()),
        Err(e) if code(&e) == 404 => Ok(()),
        Err(e) => Err(KubeError::of(doing, &e)),
    }
}
