//! The options of every client command: the server, the credential, the format of the output.
use std::path::PathBuf;

use secrecy::SecretString;

use crate::{
    args::read_token,
    credentials::{CredentialStore, Credentials, StoredCredential},
    error::CliError,
    output::Format,
    ready_file::ReadyFile,
    target::{Credential, Target},
};

/// The heading in help: these options are listed after the command's own.
const HEADING: &str = "Options of every command";

/// The options of every client command. Put them into the top-level arguments with `#[command(flatten)]`: the options
/// are global. A subcommand with an option of the same name (a worker node's `--url`) shares the value, so keep the
/// field's name and type.
#[derive(clap::Args, Clone, Debug)]
pub struct GlobalOptions {
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

impl GlobalOptions {
    /// Determines the server and the credential for it.
    pub(crate) fn target(&self) -> Result<Target, CliError> {
        self.target_with(CredentialStore::of_user().as_ref())
    }

    fn target_with(&self, store: Option<&CredentialStore>) -> Result<Target, CliError> {
        let (url, ready, mut stored) = self.server(store)?;
        let given = match &self.token_file {
            Some(path) => Some(read_token(path)?),
            None => env_token(),
        };
        let credential = match (given, stored.servers.remove(&url), store) {
            (Some(token), _, _) => Credential::Token(token),
            (None, Some(StoredCredential::Session(tokens)), Some(store)) => {
                Credential::Session(store.clone(), tokens)
            }
            (None, Some(StoredCredential::Token { token }), _) => Credential::Token(token.into()),
            // The local admin's token goes to that server alone.
            _ => match ready.as_ref().and_then(|r| r.admin_token.clone()) {
                Some(token) => Credential::Token(token),
                None => Credential::None,
            },
        };
        Ok(Target {
            url,
            credential,
            ready,
        })
    }

    /// Returns the server's address, for sign-in and sign-out, which need no credential.
    pub(crate) fn url(&self) -> Result<String, CliError> {
        Ok(self.server(CredentialStore::of_user().as_ref())?.0)
    }

    fn server(
        &self,
        store: Option<&CredentialStore>,
    ) -> Result<(String, Option<ReadyFile>, Credentials), CliError> {
        let given = self.url.as_deref().filter(|url| !url.is_empty());
        // The command line takes precedence over the environment.
        let from_env =
            given.is_some_and(|url| std::env::var("CK8S_URL").is_ok_and(|set| set == url));
        let given = given.filter(|_| self.data_dir.is_none() || !from_env);
        let ready = match (given, &self.data_dir) {
            // A broken ready file of another server must not get in the way.
            (Some(_), None) => ReadyFile::find(None).unwrap_or_default(),
            (_, dir) => ReadyFile::find(dir.as_deref())?,
        };
        let stored = match store {
            // With a token given, a broken credentials file must not get in the way.
            Some(store) if self.token_file.is_none() && env_token().is_none() => store.read()?,
            Some(store) => store.read().unwrap_or_default(),
            None => Credentials::default(),
        };
        let found = given
            .or(ready.as_ref().map(|r| r.url.as_str()))
            .or(stored.current.as_deref());
        let found = found.ok_or_else(|| {
            CliError::usage(
                "cannot choose a server",
                "no --url, no CK8S_URL, no .ck8s/ready.json here or above, and nobody is signed in",
                "run `ck8s up` in this directory or name a server",
            )
        })?;
        let url = base_url(found)?;
        let ready = ready.filter(|r| base_url(&r.url).is_ok_and(|ready| ready == url));
        Ok((url, ready, stored))
    }
}

/// Returns the token in CK8S_TOKEN.
fn env_token() -> Option<SecretString> {
    let set = std::env::var("CK8S_TOKEN").ok()?;
    let token = set.trim();
    (!token.is_empty()).then(|| SecretString::from(token))
}

/// Returns a server's address without the slash at its end, and with `http://` if it has no scheme. The API has no
/// prefix: an address with a path would be used without it.
fn base_url(url: &str) -> Result<String, CliError> {
    let url = url.trim().trim_end_matches('/');
    let url = if url.contains("://") {
        url.to_owned()
    } else {
        format!("http://{url}")
    };
    let authority = url.split_once("://").map_or("", |(_, rest)| rest);
    let host = authority.split(['/', '?', '#']).next().unwrap_or_default();
    let (what, hint) = (
        "cannot use the server's address",
        "give http(s)://host:port",
    );
    if host.contains('@') {
        // The address is not repeated: it may hold a password.
        let why = "it holds a user or a password, and servers take a token";
        return Err(CliError::usage(what, why, hint));
    }
    match authority.strip_prefix(host) {
        None | Some("") => Ok(url),
        Some(path) => {
            let why = format!("ck8s serves no path, and {url} has {path}");
            Err(CliError::usage(what, why, hint))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use secrecy::ExposeSecret;

    use crate::{credentials::SessionTokens, error::ExitStatus};

    use super::*;

    fn options(url: Option<&str>, dir: &Path) -> GlobalOptions {
        GlobalOptions {
            url: url.map(Into::into),
            token_file: None,
            data_dir: Some(dir.into()),
            output: Format::Table,
        }
    }

    fn target(options: &GlobalOptions, dir: &Path) -> Target {
        options
            .target_with(Some(&CredentialStore::in_dir(&dir.join("stored"))))
            .unwrap()
    }

    fn token_of(target: &Target) -> Option<&str> {
        target.credential.token().map(|token| token.expose_secret())
    }

    #[test]
    fn the_local_admins_token_goes_to_no_other_server() {
        let dir = tempfile::tempdir().unwrap();
        let text = r#"{"url":"http://127.0.0.1:8080/","admin_token":"ck8s_adm_local"}"#;
        std::fs::write(dir.path().join("ready.json"), text).unwrap();
        let here = target(&options(None, dir.path()), dir.path());
        assert_eq!(here.url, "http://127.0.0.1:8080");
        assert_eq!(token_of(&here), Some("ck8s_adm_local"));
        let there = target(
            &options(Some("https://ck8s.example"), dir.path()),
            dir.path(),
        );
        assert!(matches!(there.credential, Credential::None) && there.ready.is_none());
    }

    #[test]
    fn an_address_with_a_path_or_a_password_is_refused() {
        for (url, base) in [
            ("ck8s.example/", "http://ck8s.example"),
            (" https://ck8s.example:8443// ", "https://ck8s.example:8443"),
            ("http://[::1]:8080", "http://[::1]:8080"),
        ] {
            assert_eq!(base_url(url).unwrap(), base);
        }
        for (url, part) in [
            ("https://ck8s.example/prefix", "has /prefix"),
            ("ck8s.example/a/b/", "has /a/b"),
            ("http://h?x=1", "has ?x=1"),
            ("http://h#/runs", "has #/runs"),
        ] {
            let error = base_url(url).unwrap_err();
            assert_eq!(error.exit_status(), ExitStatus::Usage);
            assert!(error.to_string().contains(part), "{error}");
        }
        let error = base_url("https://ada:secret@h").unwrap_err().to_string();
        assert!(!error.contains("secret"), "{error}");
    }

    #[test]
    fn a_token_file_takes_precedence_and_is_trimmed() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("ready.json"), r#"{"url":"http://h"}"#).unwrap();
        let file = dir.path().join("token");
        std::fs::write(&file, "ck8s_adm_file\n").unwrap();
        let mut options = options(None, dir.path());
        options.token_file = Some(file);
        let target = target(&options, dir.path());
        assert_eq!(token_of(&target), Some("ck8s_adm_file"));
    }

    #[test]
    fn a_session_takes_precedence_over_the_local_admin_and_goes_to_its_own_server_alone() {
        let dir = tempfile::tempdir().unwrap();
        let text = r#"{"url":"http://h","admin_token":"ck8s_adm_local"}"#;
        std::fs::write(dir.path().join("ready.json"), text).unwrap();
        let store = CredentialStore::in_dir(&dir.path().join("stored"));
        let locked = store.lock().unwrap();
        locked
            .set(
                "http://h",
                StoredCredential::Session(SessionTokens::default()),
            )
            .unwrap();
        let here = target(&options(Some("h/"), dir.path()), dir.path());
        assert!(matches!(here.credential, Credential::Session(..)));
        let there = target(&options(Some("http://other"), dir.path()), dir.path());
        assert!(matches!(there.credential, Credential::None));
        locked.remove("http://h").unwrap();
        let again = target(&options(None, dir.path()), dir.path());
        assert_eq!(token_of(&again), Some("ck8s_adm_local"));
    }
}
