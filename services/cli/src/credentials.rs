//! What `ck8s login` keeps, one entry a server, in `$XDG_CONFIG_HOME/ck8s/credentials.json` (else below `~/.config`). Nobody else can read
//! it. Whoever changes it holds the lock beside it: refresh tokens work once, and two commands may run at once.
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

use crate::fault::{Exit, Fault};

const FILE: &str = "credentials.json";
const LOCK: &str = "credentials.lock";

/// Where credentials are kept.
#[derive(Clone)]
pub(crate) struct Store {
    dir: PathBuf,
}

/// The right to change them; it ends when it is dropped.
pub(crate) struct Held {
    store: Store,
    _lock: File,
}

/// All that is kept.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(crate) struct Credentials {
    /// The server that was signed in to last.
    #[serde(default)]
    pub(crate) current: Option<String>,
    /// By the server's address.
    #[serde(default)]
    pub(crate) servers: BTreeMap<String, Kept>,
}

/// What is kept of one server.
#[derive(Clone, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum Kept {
    /// An API token.
    Token {
        /// The token.
        token: String,
    },
    /// A person's session.
    Session(Tokens),
}

/// The tokens of a session. Moments are seconds since 1970.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Tokens {
    /// For calls.
    pub(crate) access_token: String,
    /// When it ends.
    pub(crate) access_until: i64,
    /// For the next tokens, once.
    pub(crate) refresh_token: String,
    /// When it ends.
    pub(crate) refresh_until: i64,
}

impl Tokens {
    /// Whether the access token ends within so many seconds.
    pub(crate) fn end_within(&self, seconds: i64) -> bool {
        self.access_until - OffsetDateTime::now_utc().unix_timestamp() <= seconds
    }
}

impl From<pb::Session> for Tokens {
    fn from(session: pb::Session) -> Self {
        Self {
            access_until: session.access_expire_time.map_or(0, |at| at.seconds),
            refresh_until: session.refresh_expire_time.map_or(0, |at| at.seconds),
            access_token: session.access_token,
            refresh_token: session.refresh_token,
        }
    }
}

impl Store {
    /// The user's own. None: there is no home to keep anything in.
    pub(crate) fn of_user() -> Option<Self> {
        let absolute = |name: &str| {
            let path = PathBuf::from(env::var_os(name)?);
            path.is_absolute().then_some(path)
        };
        let config = absolute("XDG_CONFIG_HOME")
            .or_else(|| absolute("HOME").map(|home| home.join(".config")));
        config.map(|config| Self::at(&config.join("ck8s")))
    }

    /// In this directory.
    pub(crate) fn at(dir: &Path) -> Self {
        Self { dir: dir.into() }
    }

    /// Where the file is.
    pub(crate) fn path(&self) -> PathBuf {
        self.dir.join(FILE)
    }

    /// What is kept; nothing, if there is no file yet.
    pub(crate) fn read(&self) -> Result<Credentials, Fault> {
        let path = self.path();
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(Credentials::default());
            }
            Err(error) => return Err(Fault::file(&path, &error)),
        };
        // serde's own message could quote the text, which holds tokens.
        serde_json::from_slice(&text).map_err(|e| {
            Fault::usage(
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

    /// What is kept of a server.
    pub(crate) fn of(&self, url: &str) -> Result<Option<Kept>, Fault> {
        Ok(self.read()?.servers.remove(url))
    }

    /// Waits until no other command changes them. Blocks.
    pub(crate) fn hold(&self) -> Result<Held, Fault> {
        let path = self.dir.join(LOCK);
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
        Ok(Held {
            store: self.clone(),
            _lock: lock,
        })
    }
}

impl Held {
    /// Keeps something of a server, which is the current one from now on.
    pub(crate) fn keep(&self, url: &str, kept: Kept) -> Result<(), Fault> {
        let mut all = self.store.read()?;
        all.servers.insert(url.to_owned(), kept);
        all.current = Some(url.to_owned());
        self.write(&all)
    }

    /// Keeps a session's next tokens.
    pub(crate) fn renew(&self, url: &str, tokens: Tokens) -> Result<(), Fault> {
        let mut all = self.store.read()?;
        all.servers.insert(url.to_owned(), Kept::Session(tokens));
        self.write(&all)
    }

    /// Forgets a server; what was kept of it.
    pub(crate) fn forget(&self, url: &str) -> Result<Option<Kept>, Fault> {
        let mut all = self.store.read()?;
        let Some(kept) = all.servers.remove(url) else {
            return Ok(None);
        };
        all.current = all.current.filter(|current| current != url);
        self.write(&all)?;
        Ok(Some(kept))
    }

    fn write(&self, all: &Credentials) -> Result<(), Fault> {
        let path = self.store.path();
        let text =
            serde_json::to_vec_pretty(all).map_err(|e| unwritable(&path, &io::Error::other(e)))?;
        ck8s_pki::write_private(&path, &text)
            .map_err(|e| unwritable(&path, &io::Error::other(e.to_string())))
    }
}

fn unwritable(path: &Path, cause: &io::Error) -> Fault {
    Fault::new(
        Exit::Failed,
        format!("cannot write {}", path.display()),
        cause,
        "name another directory with XDG_CONFIG_HOME, or use CK8S_TOKEN",
    )
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn token(text: &str) -> Kept {
        Kept::Token { token: text.into() }
    }

    #[test]
    fn each_server_has_its_own_and_nobody_else_can_read_it() {
        let root = tempfile::tempdir().unwrap();
        let store = Store::at(&root.path().join("config/ck8s"));
        assert!(store.of("http://a").unwrap().is_none(), "no file yet");
        let held = store.hold().unwrap();
        held.keep("http://a", token("one")).unwrap();
        held.keep("http://b", token("two")).unwrap();
        drop(held);
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&store.path()), 0o600);
        assert_eq!(mode(&store.dir), 0o700);
        let all = store.read().unwrap();
        assert_eq!(all.current.as_deref(), Some("http://b"));
        assert!(matches!(&all.servers["http://a"], Kept::Token { token } if token == "one"));

        let held = store.hold().unwrap();
        assert!(held.forget("http://b").unwrap().is_some());
        assert!(held.forget("http://b").unwrap().is_none());
        assert!(store.read().unwrap().current.is_none());
        assert!(store.of("http://a").unwrap().is_some());
    }

    #[test]
    fn one_at_a_time_changes_them() {
        let root = tempfile::tempdir().unwrap();
        let store = Store::at(root.path());
        let held = store.hold().unwrap();
        let second = File::open(root.path().join(LOCK)).unwrap();
        assert!(second.try_lock().is_err());
        drop(held);
        assert!(second.try_lock().is_ok());
    }

    #[test]
    fn a_broken_file_is_not_quoted() {
        let root = tempfile::tempdir().unwrap();
        let store = Store::at(root.path());
        fs::write(store.path(), r#"{"servers":{"u":"ck8s_secret"}}"#).unwrap();
        let fault = store.read().err().unwrap().to_string();
        assert!(
            fault.contains("ck8s login") && !fault.contains("ck8s_secret"),
            "{fault}"
        );
    }
}
