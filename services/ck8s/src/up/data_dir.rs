//! The data directory of `ck8s up`: its lock, and the secrets that are made once and stored in it.
use std::{
    fs::{self, File, OpenOptions, Permissions},
    io::Write,
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use rand::Rng;
use secrecy::{ExposeSecret, SecretString};
use tempfile::NamedTempFile;

/// How long the lock is waited for. A child that a killed server was about to start holds it until it has become
/// another program, some milliseconds later.
const LOCK_TIMEOUT: Duration = Duration::from_secs(1);
/// The pause between two tries for the lock.
const LOCK_INTERVAL: Duration = Duration::from_millis(20);

/// The data directory of `ck8s up`.
pub(crate) struct DataDir {
    path: PathBuf,
    /// Held while we live.
    _lock: File,
}

impl DataDir {
    /// Creates the directory if it does not exist, and locks it for this process.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        fs::create_dir_all(path).with_context(|| path.display().to_string())?;
        let path = path
            .canonicalize()
            .with_context(|| path.display().to_string())?;
        // As root, the database runs as another user, who may pass through the directory but not list or read it.
        let mode = if nix::unistd::Uid::effective().is_root() {
            0o711
        } else {
            0o700
        };
        fs::set_permissions(&path, Permissions::from_mode(mode))
            .with_context(|| path.display().to_string())?;
        let lock = private(&path.join("lock"))?;
        if !lock_within(&lock, LOCK_TIMEOUT) {
            bail!(
                "{} is in use by another `ck8s up`: stop that one first, or choose another directory with --data-dir",
                path.display()
            );
        }
        Ok(Self { path, _lock: lock })
    }

    /// Returns the path of the directory.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The embedded database.
    pub(crate) fn postgres(&self) -> PathBuf {
        self.path.join("postgres")
    }

    /// The ready file.
    pub(crate) fn ready_file(&self) -> PathBuf {
        self.path.join("ready.json")
    }

    /// Removes the ready file of an earlier process.
    pub(crate) fn forget_ready(&self) -> Result<()> {
        match fs::remove_file(self.ready_file()) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(error).context("ready.json")
            }
            _ => Ok(()),
        }
    }

    /// The key ring: one key, made once.
    pub(crate) fn key_ring(&self) -> Result<SecretString> {
        self.made_once("key-ring", || {
            ck8s_sealing::KeyRing::generate_text()
                .expose_secret()
                .to_owned()
        })
    }

    /// The key of the runs' tokens, made once.
    pub(crate) fn run_token_key(&self) -> Result<SecretString> {
        self.made_once("run-token-key", random_hex::<32>)
    }

    /// The webhook secret of the demo and of the platform, made once.
    pub(crate) fn webhook_secret(&self) -> Result<SecretString> {
        self.made_once("webhook-secret", random_hex::<32>)
    }

    fn made_once(&self, name: &str, make: impl FnOnce() -> String) -> Result<SecretString> {
        if let Some(stored) = self.stored(name)? {
            return Ok(stored);
        }
        let made = make();
        self.store(name, &made)?;
        Ok(made.into())
    }

    /// Reads a stored secret.
    pub(crate) fn stored(&self, name: &str) -> Result<Option<SecretString>> {
        match fs::read_to_string(self.path.join(name)) {
            Ok(text) => Ok(Some(ck8s_cli::token_text(&text))
                .filter(|text| !text.is_empty())
                .map(SecretString::from)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(|| self.path.join(name).display().to_string()),
        }
    }

    /// Stores a secret.
    pub(crate) fn store(&self, name: &str, secret: &str) -> Result<()> {
        write_private(&self.path.join(name), secret.as_bytes())
    }
}

/// Writes a file that only its owner may read, whole or not at all.
pub(crate) fn write_private(path: &Path, content: &[u8]) -> Result<()> {
    let write = || -> Result<()> {
        let parent = path.parent().filter(|dir| !dir.as_os_str().is_empty());
        // A temporary file is readable by its owner alone, and keeps that when it takes the other's place.
        let mut file = NamedTempFile::new_in(parent.unwrap_or(Path::new(".")))?;
        file.write_all(content)?;
        file.as_file().sync_all()?;
        file.persist(path)?;
        Ok(())
    };
    write().with_context(|| path.display().to_string())
}

fn private(path: &Path) -> Result<File> {
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(path);
    file.with_context(|| path.display().to_string())
}

/// Locks a file. Returns false if another process holds the lock all the time.
fn lock_within(file: &File, timeout: Duration) -> bool {
    let start = Instant::now();
    while file.try_lock().is_err() {
        if start.elapsed() >= timeout {
            return false;
        }
        std::thread::sleep(LOCK_INTERVAL);
    }
    true
}

fn random_hex<const N: usize>() -> String {
    let mut bytes = [0; N];
    rand::rng().fill_bytes(&mut bytes);
    hex::encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_made_once_and_are_ours_alone() {
        let root = tempfile::tempdir().unwrap();
        let dir = DataDir::open(&root.path().join("d")).unwrap();
        let first = dir.webhook_secret().unwrap();
        assert_eq!(
            first.expose_secret(),
            dir.webhook_secret().unwrap().expose_secret()
        );
        assert_eq!(first.expose_secret().len(), 64);
        assert_ne!(
            first.expose_secret(),
            dir.run_token_key().unwrap().expose_secret()
        );
        for file in fs::read_dir(dir.path()).unwrap() {
            let mode = file.unwrap().metadata().unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        assert!(DataDir::open(dir.path()).is_err(), "it is in use");
    }
}
