//! The directory of a private server: its parts, its owner, its lock, its password.
use std::{
    fs::{self, File, OpenOptions, Permissions, TryLockError},
    io::Write,
    os::unix::fs::{OpenOptionsExt, PermissionsExt, symlink},
    path::{Path, PathBuf},
};

use rand::RngExt;

use super::{
    account::Account,
    error::{EmbeddedError, at},
};

/// Holds the clusters whose own directory is closed to the server's user (as /root is).
const SHARED_DIR: &str = "/var/lib/ck8s";
/// The file of such a cluster that names the link to it.
const LINK_FILE: &str = "link";
/// What a unix socket's address can hold, with its end (Linux: 108, macOS: 104).
const MAX_SOCKET_PATH_BYTES: usize = 104;

/// The directory of a private server.
#[derive(Clone, Debug)]
pub(super) struct Home {
    pub(super) dir: PathBuf,
    pub(super) account: Account,
}

impl Home {
    /// Makes the directory if it is not there. Resolves it to a path that the server's user can reach.
    pub(super) fn prepare(dir: &Path) -> Result<Self, EmbeddedError> {
        let account = Account::choose()?;
        if !dir.exists() {
            let parent = dir
                .parent()
                .filter(|parent| !parent.as_os_str().is_empty())
                .unwrap_or(Path::new("."));
            fs::create_dir_all(parent).map_err(at(parent))?;
            let parent = parent.canonicalize().map_err(at(parent))?;
            let real = parent.join(dir.file_name().unwrap_or_default());
            if account.reaches(&real) {
                fs::create_dir_all(&real).map_err(at(&real))?;
            } else {
                make_in_shared_dir(&real)?;
            }
        }
        let dir = dir.canonicalize().map_err(at(dir))?;
        let home = Self { dir, account };
        // The directory belongs to this process, so that the server's user cannot plant links in it; that user may only
        // pass through.
        home.mode(&home.dir, if account.is_other() { 0o711 } else { 0o700 })?;
        home.give(&home.path("run"))?;
        Ok(home)
    }

    /// Makes a directory that belongs to the server's user alone.
    pub(super) fn give(&self, path: &Path) -> Result<(), EmbeddedError> {
        fs::create_dir_all(path).map_err(at(path))?;
        self.mode(path, 0o700)?;
        self.account.give(path)
    }

    fn mode(&self, path: &Path, mode: u32) -> Result<(), EmbeddedError> {
        fs::set_permissions(path, Permissions::from_mode(mode)).map_err(at(path))
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// The cluster.
    pub(super) fn data(&self) -> PathBuf {
        self.path("data")
    }

    /// The cluster's major version, if there is one.
    pub(super) fn version(&self) -> Option<String> {
        let text = fs::read_to_string(self.data().join("PG_VERSION")).ok()?;
        Some(text.trim().to_owned())
    }

    /// Takes the lock of the one process that runs this server. The system frees it when that process ends.
    pub(super) fn lock(&self) -> Result<File, EmbeddedError> {
        let path = self.path("lock");
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(&path)
            .map_err(at(&path))?;
        match file.try_lock() {
            Ok(()) => Ok(file),
            Err(TryLockError::WouldBlock) => Err(EmbeddedError::InUse(self.dir.clone())),
            Err(TryLockError::Error(error)) => Err(at(&path)(error)),
        }
    }

    /// Returns the superuser's password, which is made once.
    pub(super) fn password(&self) -> Result<String, EmbeddedError> {
        let path = self.path("password");
        if let Ok(text) = fs::read_to_string(&path) {
            return Ok(text.trim().to_owned());
        }
        let password = random(32);
        let mut file = OpenOptions::new()
            .create_new(true)
            .write(true)
            .mode(0o600)
            .open(&path)
            .map_err(at(&path))?;
        file.write_all(password.as_bytes()).map_err(at(&path))?;
        // The server's user reads it once, for initdb.
        self.account.give(&path)?;
        Ok(password)
    }

    /// Returns the directory of the socket: here, or under /tmp if this path is too long for the address of a socket.
    pub(super) fn socket_dir(&self) -> Result<PathBuf, EmbeddedError> {
        let here = self.path("run");
        if here.as_os_str().len() + ".s.PGSQL.65535.lock".len() < MAX_SOCKET_PATH_BYTES {
            return Ok(here);
        }
        let note = self.path("socket-dir");
        if let Ok(text) = fs::read_to_string(&note) {
            let dir = PathBuf::from(text.trim());
            if dir.is_dir() {
                return Ok(dir);
            }
        }
        let dir = std::env::temp_dir().join(format!("ck8s-{}", random(12)));
        self.give(&dir)?;
        fs::write(&note, dir.as_os_str().as_encoded_bytes()).map_err(at(&note))?;
        Ok(dir)
    }
}

/// Makes a directory that the server's user can reach, and `link` that leads to it. A link whose target is gone means
/// that the data is gone: that is an error later, not a new empty cluster.
fn make_in_shared_dir(link: &Path) -> Result<(), EmbeddedError> {
    remove_orphans();
    let target = Path::new(SHARED_DIR).join(format!("postgres-{}", random(12)));
    fs::create_dir_all(&target).map_err(at(&target))?;
    let note = target.join(LINK_FILE);
    fs::write(&note, link.as_os_str().as_encoded_bytes()).map_err(at(&note))?;
    symlink(&target, link).map_err(at(link))
}

/// Removes clusters whose link lay in a temporary directory that is gone. One whose link lay anywhere else is never
/// removed: its disk may be away for a while.
fn remove_orphans() {
    let Ok(entries) = fs::read_dir(SHARED_DIR) else {
        return;
    };
    for entry in entries.flatten() {
        let Ok(link) = fs::read_to_string(entry.path().join(LINK_FILE)) else {
            continue;
        };
        let link = PathBuf::from(link);
        let temporary = link.starts_with(std::env::temp_dir());
        let home = Home {
            dir: entry.path(),
            account: Account::own(),
        };
        if temporary && link.symlink_metadata().is_err() && home.lock().is_ok() {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// Returns random letters and digits.
fn random(length: usize) -> String {
    rand::rng()
        .sample_iter(rand::distr::Alphanumeric)
        .take(length)
        .map(|byte| char::from(byte).to_ascii_lowercase())
        .collect()
}
