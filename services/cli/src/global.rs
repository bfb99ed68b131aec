//! What every client command takes: where the server is, who asks, and how answers look.
use std::path::{Path, PathBuf};

use secrecy::SecretString;

use crate::{
    args::read_text,
    credentials::{Credentials, Kept, Store, Tokens},
    fault::Fault,
    output::Format,
    ready::Ready,
};

/// Where help lists the options of every client command: after the command's own.
const HEADING: &str = "Options of every command";

/// Options of every client command. Put it into the top-level arguments with `#[command(flatten)]`: the options are global. A
/// subcommand with an option of the same name (a worker node's `--url`) shares the value, so keep the field's name and type.
#[derive(clap::Args, Clone, Debug)]
pub struct Global {
    /// The server; without it, the one of `ck8s up` in this directory or a parent of it.
    #[arg(
        long,
        env = "CK8S_URL",
        global = true,
        value_name = "URL",
        help_heading = HEADING
    )]
    pub url: Option<String>,
    /// Reads the token from a file (- is standard input) instead of CK8S_TOKEN.
    #[arg(long, global = true, value_name = "FILE", help_heading = HEADING)]
    pub token_file: Option<PathBuf>,
    /// Uses the server of `ck8s up` with this data directory.
    #[arg(long, global = true, value_name = "DIR", help_heading = HEADING)]
    pub data_dir: Option<PathBuf>,
    /// How answers look; json is one object or one array.
    #[arg(
        short,
        long,
        global = true,
        value_enum,
        default_value_t,
        value_name = "FORMAT",
        help_heading = HEADING
    )]
    pub output: Format,
}

/// Whom to ask, and as whom.
pub(crate) struct Target {
    /// The server, without a slash at the end.
    pub(crate) url: String,
    /// Who asks.
    pub(crate) who: Who,
    /// The ready file of that same server.
    pub(crate) ready: Option<Ready>,
}

/// Who asks.
pub(crate) enum Who {
    /// Nobody in particular.
    Nobody,
    /// An API token's bearer.
    Token(SecretString),
    /// A person, and where their session is kept.
    SignedIn(Store, Tokens),
}

impl Who {
    /// The token, if it is one.
    pub(crate) fn token(&self) -> Option<&SecretString> {
        match self {
            Self::Token(token) => Some(token),
            Self::Nobody | Self::SignedIn(..) => None,
        }
    }
}

impl Global {
    /// Works out the server and who asks.
    pub(crate) fn target(&self) -> Result<Target, Fault> {
        self.target_with(Store::of_user().as_ref())
    }

    fn target_with(&self, store: Option<&Store>) -> Result<Target, Fault> {
        let (url, ready, mut kept) = self.server(store)?;
        let told = match &self.token_file {
            Some(path) => Some(read_token(path)?),
            None => env_token(),
        };
        let who = match (told, kept.servers.remove(&url), store) {
            (Some(token), _, _) => Who::Token(token),
            (None, Some(Kept::Session(tokens)), Some(store)) => {
                Who::SignedIn(store.clone(), tokens)
            }
            (None, Some(Kept::Token { token }), _) => Who::Token(token.into()),
            // A local admin's token is for that server alone.
            _ => match ready.as_ref().and_then(|r| r.admin_token.clone()) {
                Some(token) => Who::Token(token),
                None => Who::Nobody,
            },
        };
        Ok(Target { url, who, ready })
    }

    /// The server's address, for signing in and out: who asks does not matter there.
    pub(crate) fn url(&self) -> Result<String, Fault> {
        Ok(self.server(Store::of_user().as_ref())?.0)
    }

    fn server(&self, store: Option<&Store>) -> Result<(String, Option<Ready>, Credentials), Fault> {
        let given = self.url.as_deref().filter(|url| !url.is_empty());
        // Of what was said, the command line counts before the environment.
        let from_env =
            given.is_some_and(|url| std::env::var("CK8S_URL").is_ok_and(|set| set == url));
        let given = given.filter(|_| self.data_dir.is_none() || !from_env);
        let ready = match (given, &self.data_dir) {
            // A broken file of a server that is not asked for must not be in the way.
            (Some(_), None) => Ready::find(None).unwrap_or_default(),
            (_, dir) => Ready::find(dir.as_deref())?,
        };
        let kept = match store {
            // Who brings a token needs nothing that is kept, were it broken.
            Some(store) if self.token_file.is_none() && env_token().is_none() => store.read()?,
            Some(store) => store.read().unwrap_or_default(),
            None => Credentials::default(),
        };
        let found = given
            .or(ready.as_ref().map(|r| r.url.as_str()))
            .or(kept.current.as_deref());
        let url = trim(found.ok_or_else(|| {
            Fault::usage(
                "cannot choose a server",
                "no --url, no CK8S_URL, no .ck8s/ready.json here or above, and nobody is signed in",
                "run `ck8s up` in this directory or name a server",
            )
        })?);
        let ready = ready.filter(|r| trim(&r.url) == url);
        Ok((url, ready, kept))
    }
}

fn env_token() -> Option<SecretString> {
    let set = std::env::var("CK8S_TOKEN").ok()?;
    let token = set.trim();
    (!token.is_empty()).then(|| SecretString::from(token))
}

fn trim(url: &str) -> String {
    let url = url.trim().trim_end_matches('/');
    if url.contains("://") {
        url.to_owned()
    } else {
        format!("http://{url}")
    }
}

/// Reads a token from a file; `-` is standard input.
pub(crate) fn read_token(path: &Path) -> Result<SecretString, Fault> {
    let text = read_text(path)?;
    match text.trim() {
        "" => Err(Fault::usage(
            format!("cannot use {}", path.display()),
            "it is empty",
            "put a token into it",
        )),
        token => Ok(token.into()),
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    fn global(url: Option<&str>, dir: &Path) -> Global {
        Global {
            url: url.map(Into::into),
            token_file: None,
            data_dir: Some(dir.into()),
            output: Format::Table,
        }
    }

    fn target(global: &Global, dir: &Path) -> Target {
        global
            .target_with(Some(&Store::at(&dir.join("kept"))))
            .unwrap()
    }

    fn token_of(target: &Target) -> Option<&str> {
        target.who.token().map(|token| token.expose_secret())
    }

    #[test]
    fn a_local_admins_token_goes_to_no_other_server() {
        let dir = tempfile::tempdir().unwrap();
        let text = r#"{"url":"http://127.0.0.1:8080/","admin_token":"ck8s_adm_local"}"#;
        std::fs::write(dir.path().join("ready.json"), text).unwrap();
        let here = target(&global(None, dir.path()), dir.path());
        assert_eq!(here.url, "http://127.0.0.1:8080");
        assert_eq!(token_of(&here), Some("ck8s_adm_local"));
        let there = target(
            &global(Some("https://ck8s.example"), dir.path()),
            dir.path(),
        );
        assert!(matches!(there.who, Who::Nobody) && there.ready.is_none());
    }

    #[test]
    fn a_token_file_counts_first_and_is_trimmed() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("ready.json"), r#"{"url":"http://h"}"#).unwrap();
        let file = dir.path().join("token");
        std::fs::write(&file, "ck8s_adm_file\n").unwrap();
        let mut global = global(None, dir.path());
        global.token_file = Some(file);
        let target = target(&global, dir.path());
        assert_eq!(token_of(&target), Some("ck8s_adm_file"));
    }

    #[test]
    fn who_is_signed_in_counts_before_the_local_admin_and_at_their_server_alone() {
        let dir = tempfile::tempdir().unwrap();
        let text = r#"{"url":"http://h","admin_token":"ck8s_adm_local"}"#;
        std::fs::write(dir.path().join("ready.json"), text).unwrap();
        let held = Store::at(&dir.path().join("kept")).hold().unwrap();
        held.keep("http://h", Kept::Session(Tokens::default()))
            .unwrap();
        let here = target(&global(Some("h/"), dir.path()), dir.path());
        assert!(matches!(here.who, Who::SignedIn(..)));
        let there = target(&global(Some("http://other"), dir.path()), dir.path());
        assert!(matches!(there.who, Who::Nobody));
        held.forget("http://h").unwrap();
        let again = target(&global(None, dir.path()), dir.path());
        assert_eq!(token_of(&again), Some("ck8s_adm_local"));
    }
}
