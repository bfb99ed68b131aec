//! The errors of certificates and their files.
use std::path::PathBuf;

use thiserror::Error;

/// Why a certificate cannot be used, or made.
#[derive(Debug, Error)]
pub enum PkiError {
    /// A file cannot be read or written.
    #[error("{path}: {source}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file holds something else.
    #[error("{what} cannot be used: {cause}")]
    Unusable {
        /// Which part: tls.crt, tls.key, ca.crt, ...
        what: &'static str,
        /// Why.
        cause: String,
    },
    /// A certificate names nobody of the mesh.
    #[error("the certificate names nobody of the mesh: a URI like spiffe://ck8s/runs is needed")]
    NoName,
    /// A certificate names a worker and somebody else.
    #[error("the certificate names a worker and somebody else")]
    Ambiguous,
    /// A certificate does not name what it is needed for.
    #[error("the certificate is for {has}, not for {expected}")]
    OtherName {
        /// Whom it names.
        has: String,
        /// Who it has to name.
        expected: String,
    },
}

impl PkiError {
    /// Makes the error of a part that cannot be used.
    pub(crate) fn unusable(what: &'static str) -> impl Fn(&dyn std::fmt::Display) -> Self {
        move |cause| Self::Unusable {
            what,
            cause: cause.to_string(),
        }
    }
}
