//! The credentials that `ck8s login` stores, one for each server, in `$XDG_CONFIG_HOME/ck8s/credentials.json` (else
//! below `~/.config`). Only their owner can read the file. A command that changes it holds the lock beside it: a
//! refresh token works once, and two commands may run at the same time.
use std::{
    collections::BTreeMap,
    env, fs,
    fs::{DirBuilder, File, OpenOptions},
    io,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use ck8s_proto::auth::v1 as pb;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::error::{CliError, ExitStatus};

const FILE_NAME: &str = "credentials.json";
const LOCK_NAME: &str = "credentials.lock";

/// The directory that holds the credentials.
#[derive(Clone)]
pub(crate) struct CredentialStore {
    dir: PathBuf,
}

/// The store under its lock, which is released when this value is dropped.
pub(crate) struct LockedStore {
    store: CredentialStore,
    _lock: File,
}

/// The content of the credentials file.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(crate) struct Credentials {
    /// The server of the last sign-in.
    #[serde(default)]
    pub(crate) current: Option<String>,
    /// The credentials, by the server's address.
    #[serde(default)]
    pub(crate) servers: BTreeMap<String, StoredCredential>,
}

/// The credential for one server.
#[derive(Clone, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum StoredCredential {
    /// An API token.
    Token {
        /// The token.
        token: String,
    },
    /// A person's session.
    Session(SessionTokens),
}

/// The tokens of a session. Times are seconds since 1970.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SessionTokens {
    /// The bearer of calls.
    pub(crate) access_token: String,
    /// When the access token expires.
    pub(crate) access_until: i64,
    /// Gets the next tokens, once.
    pub(crate) refresh_token: String,
    /// When the refresh token expires.
    pub(crate) refresh_until: i64,
}

impl SessionTokens {
    /// Returns whether the access token expires within this many seconds.
    pub(crate) fn expire_within(&self, seconds: i64) -> bool {
        self.access_until - OffsetDateTime::now_utc().unix_timestamp() <= seconds
    }
}

impl From<pb::Session> for SessionTokens {
    fn from(session: pb::Session) -> Self {
        Self {
            access_until: session.access_expire_time.map_or(0, |at| at.seconds),
            refresh_until: session.refresh_expire_time.map_or(0, |at| at.seconds),
            access_token: session.access_token,
            refresh_token: session.refresh_token,
        }
    }
}

impl CredentialStore {
    /// Returns the user's own store; none if the user has no home directory.
    pub(crate) fn of_user() -> Option<Self> {
        let absolute = |name: &str| {
            let path = PathBuf::from(env::var_os(name)?);
            path.is_absolute().then_some(path)
        };
        let config = absolute("XDG_CONFIG_HOME")
            .or_else(|| absolute("HOME").map(|home| home.join(".config")));
        config.map(|config| Self::in_dir(&config.join("ck8s")))
    }

    /// Returns the store in this directory.
    pub(crate) fn in_dir(dir: &Path) -> Self {
        Self { dir: dir.into() }
    }

    /// Returns the path of the credentials file.
    pub(crate) fn path(&self) -> PathBuf {
        self.dir.join(FILE_NAME)
    }

    /// Reads the file; without one, nothing is stored.
    pub(crate) fn read(&self) -> Result<Credentials, CliError> {
        let path = self.path();
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(Credentials::default());
            }
            Err(error) => return Err(CliError::file(&path, &error)),
        };
        // serde's own message could quote the text, which holds tokens.
        serde_json::from_slice(&text).map_err(|e| {
            CliError::usage(
                format!("cannot use {}", path.display()),
                format!(
                    "line {}, column {} is not what ck8s wrote",
                    e.line(),
                    e.column()
                ),
                "remove the file and run `ck8s login` again",
            )
        })
    }

    /// Reads the credential for a server.
    pub(crate) fn get(&self, url: &str) -> Result<Option<StoredCredential>, CliError> {
        Ok(self.read()?.servers.remove(url))
    }

    /// Waits until no other command holds the lock, and takes it. Blocks the thread.
    pub(crate) fn lock(&self) -> Result<LockedStore, CliError> {
        let path = self.dir.join(LOCK_NAME);
        let locked = || -> io::Result<File> {
            DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(&self.dir)?;
            let file = OpenOptions::new()
                .create(true)
                .truncate(false)
                .write(true)
                .mode(0o600)
                .open(&path)?;
            file.lock()?;
            Ok(file)
        };
        let lock = locked().map_err(|error| unwritable(&path, &error))?;
        Ok(LockedStore {
            store: self.clone(),
            _lock: lock,
        })
    }
}

impl LockedStore {
    /// Checks that a change can be stored, by storing what is there: before a person is asked for anything, and before
    /// a refresh token is spent.
    pub(crate) fn check_writable(&self) -> Result<(), CliError> {
        let path = self.store.path();
        let is_new = !path.exists();
        self.write(&self.store.read()?)?;
        if is_new {
            fs::remove_file(&path).map_err(|error| unwritable(&path, &error))?;
        }
        Ok(())
    }

    /// Stores the credential for a server, and makes that server the current one.
    pub(crate) fn set(&self, url: &str, credential: StoredCredential) -> Result<(), CliError> {
        let mut all = self.store.read()?;
        all.servers.insert(url.to_owned(), credential);
        all.current = Some(url.to_owned());
        self.write(&all)
    }

    /// Stores a session's next tokens.
    pub(crate) fn renew(&self, url: &str, tokens: SessionTokens) -> Result<(), CliError> {
        let mut all = self.store.read()?;
        all.servers
            .insert(url.to_owned(), StoredCredential::Session(tokens));
        self.write(&all)
    }

    /// Removes the credential for a server, and returns it.
    pub(crate) fn remove(&self, url: &str) -> Result<Option<StoredCredential>, CliError> {
        let mut all = self.store.read()?;
        let Some(removed) = all.servers.remove(url) else {
            return Ok(None);
        };
        all.current = all.current.filter(|current| current != url);
        self.write(&all)?;
        Ok(Some(removed))
    }

    fn write(&self, all: &Credentials) -> Result<(), CliError> {
        let path = self.store.path();
        let text =
            serde_json::to_vec_pretty(all).map_err(|e| unwritable(&path, &io::Error::other(e)))?;
        ck8s_pki::write_private(&path, &text)
            .map_err(|e| unwritable(&path, &io::Error::other(e.to_string())))
    }
}

fn unwritable(path: &Path, cause: &io::Error) -> CliError {
    CliError::new(
        ExitStatus::Failed,
        format!("cannot write {}", path.display()),
        cause,
        "name another directory with XDG_CONFIG_HOME, or use CK8S_TOKEN",
    )
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn token(text: &str) -> StoredCredential {
        StoredCredential::Token { token: text.into() }
    }

    #[test]
    fn each_server_has_its_own_credential_and_only_the_owner_can_read_it() {
        let root = tempfile::tempdir().unwrap();
        let store = CredentialStore::in_dir(&root.path().join("config/ck8s"));
        assert!(store.get("http://a").unwrap().is_none(), "no file yet");
        let locked = store.lock().unwrap();
        locked.set("http://a", token("one")).unwrap();
        locked.set("http://b", token("two")).unwrap();
        drop(locked);
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&store.path()), 0o600);
        assert_eq!(mode(&store.dir), 0o700);
        let all = store.read().unwrap();
        assert_eq!(all.current.as_deref(), Some("http://b"));
        assert!(
            matches!(&all.servers["http://a"], StoredCredential::Token { token } if token == "one")
        );

        let locked = store.lock().unwrap();
        assert!(locked.remove("http://b").unwrap().is_some());
        assert!(locked.remove("http://b").unwrap().is_none());
        assert!(store.read().unwrap().current.is_none());
        assert!(store.get("http://a").unwrap().is_some());
    }

    #[test]
    fn a_store_that_cannot_be_written_to_says_so_beforehand() {
        let root = tempfile::tempdir().unwrap();
        let store = CredentialStore::in_dir(&root.path().join("ck8s"));
        let locked = store.lock().unwrap();
        locked.check_writable().unwrap();
        assert!(!store.path().exists(), "nothing is stored yet");
        // A directory in the file's place: even root cannot write there.
        fs::create_dir_all(store.path().join("full")).unwrap();
        let error = locked.check_writable().err().unwrap().to_string();
        assert!(error.contains("credentials.json"), "{error}");
        let file = root.path().join("file");
        fs::write(&file, "").unwrap();
        let below = CredentialStore::in_dir(&file.join("ck8s"));
        let error = below.lock().err().unwrap().to_string();
        assert!(error.contains("XDG_CONFIG_HOME"), "{error}");
    }

    #[test]
    fn only_one_command_at_a_time_changes_the_file() {
        let root = tempfile::tempdir().unwrap();
        let store = CredentialStore::in_dir(root.path());
        let locked = store.lock().unwrap();
        let second = File::open(root.path().join(LOCK_NAME)).unwrap();
        assert!(second.try_lock().is_err());
        drop(locked);
        assert!(second.try_lock().is_ok());
    }

    #[test]
    fn an_error_does_not_quote_a_broken_file() {
        let root = tempfile::tempdir().unwrap();
        let store = CredentialStore::in_dir(root.path());
        fs::write(store.path(), r#"{"servers":{"u":"ck8s_secret"}}"#).unwrap();
        let error = store.read().err().unwrap().to_string();
        assert!(
            error.contains("ck8s login") && !error.contains("ck8s_secret"),
            "{error}"
        );
    }
}
