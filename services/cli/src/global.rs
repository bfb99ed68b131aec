//! What every client command takes: where the server is, who asks, and how answers look.
use std::path::{Path, PathBuf};

use secrecy::SecretString;

use crate::{fault::Fault, output::Format, ready::Ready};

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
    /// Reads the token from a file instead of CK8S_TOKEN.
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
    /// None: nobody in particular asks.
    pub(crate) token: Option<SecretString>,
    /// The ready file of that same server.
    pub(crate) ready: Option<Ready>,
}

impl Global {
    /// Works out the server and the token.
    pub(crate) fn target(&self) -> Result<Target, Fault> {
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
        let url = trim(
            given
                .or(ready.as_ref().map(|r| r.url.as_str()))
                .ok_or_else(|| {
                    Fault::usage(
                        "cannot choose a server",
                        "no --url, no CK8S_URL, and no .ck8s/ready.json here or above",
                        "run `ck8s up` in this directory or name a server",
                    )
                })?,
        );
        // A local admin's token is for that server alone.
        let ready = ready.filter(|r| trim(&r.url) == url);
        let token = match &self.token_file {
            Some(path) => Some(read_token(path)?),
            None => std::env::var("CK8S_TOKEN")
                .ok()
                .filter(|token| !token.trim().is_empty())
                .map(|token| SecretString::from(token.trim()))
                .or_else(|| ready.as_ref().and_then(|r| r.admin_token.clone())),
        };
        Ok(Target { url, token, ready })
    }
}

fn trim(url: &str) -> String {
    let url = url.trim().trim_end_matches('/');
    if url.contains("://") {
        url.to_owned()
    } else {
        format!("http://{url}")
    }
}

fn read_token(path: &Path) -> Result<SecretString, Fault> {
    let text = std::fs::read_to_string(path).map_err(|e| Fault::file(path, &e))?;
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

    #[test]
    fn a_local_admins_token_goes_to_no_other_server() {
        let dir = tempfile::tempdir().unwrap();
        let text = r#"{"url":"http://127.0.0.1:8080/","admin_token":"ck8s_adm_local"}"#;
        std::fs::write(dir.path().join("ready.json"), text).unwrap();
        let here = global(None, dir.path()).target().unwrap();
        assert_eq!(here.url, "http://127.0.0.1:8080");
        assert_eq!(here.token.unwrap().expose_secret(), "ck8s_adm_local");
        let there = global(Some("https://ck8s.example"), dir.path())
            .target()
            .unwrap();
        assert!(there.token.is_none() && there.ready.is_none());
    }

    #[test]
    fn a_token_file_counts_first_and_is_trimmed() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("ready.json"), r#"{"url":"http://h"}"#).unwrap();
        let file = dir.path().join("token");
        std::fs::write(&file, "ck8s_adm_file\n").unwrap();
        let mut global = global(None, dir.path());
        global.token_file = Some(file);
        assert_eq!(
            global.target().unwrap().token.unwrap().expose_secret(),
            "ck8s_adm_file"
        );
    }
}
