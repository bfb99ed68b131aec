//! The files of a certificate, by cert-manager's names.
use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use crate::PkiError;

const CERTIFICATE: &str = "tls.crt";
const KEY: &str = "tls.key";
const AUTHORITY: &str = "ca.crt";

/// A certificate, its key and whom it trusts, in PEM. Has no `Debug`: the key is never logged.
#[derive(Clone, PartialEq, Eq)]
pub struct Bundle {
    /// The chain, ours first.
    pub certificate: Vec<u8>,
    /// Its private key.
    pub key: Vec<u8>,
    /// The authorities that are trusted.
    pub authority: Vec<u8>,
}

impl Bundle {
    /// Reads the files of a directory.
    ///
    /// # Errors
    /// Names the file that cannot be read.
    pub fn read(dir: &Path) -> Result<Self, PkiError> {
        let read = |name: &str| {
            let path = dir.join(name);
            fs::read(&path).map_err(|source| PkiError::File { path, source })
        };
        Ok(Self {
            certificate: read(CERTIFICATE)?,
            key: read(KEY)?,
            authority: read(AUTHORITY)?,
        })
    }

    /// Writes the files into a directory, which is made if it is missing. Each file is whole or not there; a reader
    /// that sees the old certificate beside the new key waits until they fit.
    ///
    /// # Errors
    /// Names the file that cannot be written.
    pub fn write(&self, dir: &Path) -> Result<(), PkiError> {
        fs::create_dir_all(dir).map_err(|source| PkiError::File {
            path: dir.to_owned(),
            source,
        })?;
        write_public(&dir.join(AUTHORITY), &self.authority)?;
        write_private(&dir.join(KEY), &self.key)?;
        write_public(&dir.join(CERTIFICATE), &self.certificate)
    }
}

/// Writes a file that only we may read, whole or not at all.
///
/// # Errors
/// [`PkiError::File`].
pub fn write_private(path: &Path, content: &[u8]) -> Result<(), PkiError> {
    write(path, content, 0o600)
}

/// Writes a file that others may read, whole or not at all.
///
/// # Errors
/// [`PkiError::File`].
pub fn write_public(path: &Path, content: &[u8]) -> Result<(), PkiError> {
    write(path, content, 0o644)
}

fn write(path: &Path, content: &[u8], mode: u32) -> Result<(), PkiError> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let fresh = path.with_file_name(name);
    let written = || -> io::Result<()> {
        match fs::remove_file(&fresh) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = OpenOptions::new()
            .create_new(true)
            .write(true)
            .mode(mode)
            .open(&fresh)?;
        file.write_all(content)?;
        file.sync_all()?;
        fs::rename(&fresh, path)
    };
    written().map_err(|source| PkiError::File {
        path: path.to_owned(),
        source,
    })
}
