//! Why the private server cannot run.
use std::{
    io,
    path::{Path, PathBuf},
};

use thiserror::Error;

/// Why the private server cannot run.
#[derive(Debug, Error)]
pub enum EmbeddedError {
    /// There is no PostgreSQL on this machine.
    #[error(
        "PostgreSQL's server programs are missing: looked in CK8S_PG_BIN, /usr/lib/postgresql/*/bin, Homebrew and PATH. \
         Install them (Debian, Ubuntu: apt-get install postgresql) or set DATABASE_URL"
    )]
    NoBinaries,
    /// This process is root, and there is no account for the server.
    #[error(
        "PostgreSQL refuses to run as root, and this machine has neither a user postgres nor nobody"
    )]
    NoAccount,
    /// The data is of another major version than the binaries.
    #[error(
        "the data in {dir} is of PostgreSQL {data_version}, but the programs are {program_version}: set CK8S_PG_BIN to those of {data_version}"
    )]
    OtherVersion {
        /// Where the data is.
        dir: PathBuf,
        /// The data's major version.
        data_version: String,
        /// The binaries' major version.
        program_version: String,
    },
    /// Another process uses the directory.
    #[error("{0} is in use by another process: stop that one first, or choose another directory")]
    InUse(PathBuf),
    /// A program of PostgreSQL failed.
    #[error("{program} failed: {output}")]
    Program {
        /// Which.
        program: String,
        /// The end of its output.
        output: String,
    },
    /// The server does not answer.
    #[error("PostgreSQL does not answer: {0}")]
    NotReady(String),
    /// A file or a directory cannot be used.
    #[error("{path}: {source}")]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// Makes the error of a file or a directory.
pub(super) fn at(path: &Path) -> impl FnOnce(io::Error) -> EmbeddedError {
    let path = path.to_owned();
    move |source| EmbeddedError::Io { path, source }
}
