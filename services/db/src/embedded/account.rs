//! The account that the server runs as: PostgreSQL refuses root, so root becomes `postgres` or `nobody` for it.
use std::{ffi::OsStr, os::unix::process::CommandExt, path::Path};

use nix::unistd::{Gid, Uid, User, chown};

use super::error::{EmbeddedError, at};

/// The account to change to. None: this process is not root.
#[derive(Clone, Copy, Debug)]
pub(super) struct Account(Option<(Uid, Gid)>);

impl Account {
    pub(super) fn choose() -> Result<Self, EmbeddedError> {
        if !Uid::effective().is_root() {
            return Ok(Self(None));
        }
        for name in ["postgres", "nobody"] {
            if let Ok(Some(user)) = User::from_name(name) {
                return Ok(Self(Some((user.uid, user.gid))));
            }
        }
        Err(EmbeddedError::NoAccount)
    }

    /// The account of this process.
    pub(super) fn own() -> Self {
        Self(None)
    }

    /// Whether the server runs as another account than this process.
    pub(super) fn is_other(self) -> bool {
        self.0.is_some()
    }

    /// Returns a command that runs as this account, in its own process group: Ctrl-C at a terminal is not for the
    /// server.
    pub(super) fn command(self, program: impl AsRef<OsStr>) -> tokio::process::Command {
        let mut command = std::process::Command::new(program);
        command.process_group(0);
        if let Some((uid, gid)) = self.0 {
            // As root, std also drops the supplementary groups.
            command.uid(uid.as_raw()).gid(gid.as_raw());
        }
        command.env_remove("PGDATA").env("LC_ALL", "C.UTF-8");
        tokio::process::Command::from(command)
    }

    /// Gives a file or directory to this account.
    pub(super) fn give(self, path: &Path) -> Result<(), EmbeddedError> {
        if let Some((uid, gid)) = self.0 {
            chown(path, Some(uid), Some(gid)).map_err(|errno| at(path)(errno.into()))?;
        }
        Ok(())
    }

    /// Whether this account can pass through every directory above `path`.
    pub(super) fn reaches(self, path: &Path) -> bool {
        use std::os::unix::fs::MetadataExt;
        let Some((uid, gid)) = self.0 else {
            return true;
        };
        path.ancestors().skip(1).all(|dir| {
            std::fs::metadata(dir).is_ok_and(|meta| {
                let bit = if meta.uid() == uid.as_raw() {
                    0o100
                } else if meta.gid() == gid.as_raw() {
                    0o010
                } else {
                    0o001
                };
                meta.mode() & bit != 0
            })
        })
    }
}
