//! The file that `ck8s up` writes once it is ready: the server's address, and the local admin's token.
use std::path::{Path, PathBuf};

use secrecy::SecretString;
use serde::Deserialize;

use crate::error::CliError;

/// The data directory of `ck8s up` when none is given.
const DATA_DIR: &str = ".ck8s";
/// The name of the ready file in a data directory.
const FILE_NAME: &str = "ready.json";

/// The part of the ready file that a client needs.
#[derive(Debug, Deserialize)]
pub(crate) struct ReadyFile {
    /// The public listener.
    pub(crate) url: String,
    /// A platform admin's token.
    #[serde(default, deserialize_with = "secret")]
    pub(crate) admin_token: Option<SecretString>,
    /// The repository that `ck8s up` adds.
    pub(crate) demo_repository: Option<RepositoryName>,
    /// The demo repository's webhook secret.
    #[serde(default, deserialize_with = "secret")]
    pub(crate) webhook_secret: Option<SecretString>,
}

fn secret<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<SecretString>, D::Error> {
    Ok(Option::<String>::deserialize(from)?.map(SecretString::from))
}

/// A repository, as the provider names it.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub(crate) struct RepositoryName {
    /// owner/name.
    pub(crate) full_name: String,
    /// The provider's id.
    #[serde(deserialize_with = "text_or_number")]
    pub(crate) external_id: String,
}

fn text_or_number<'de, D: serde::Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    Ok(match serde_json::Value::deserialize(from)? {
        serde_json::Value::String(text) => text,
        other => other.to_string(),
    })
}

impl ReadyFile {
    /// Reads the ready file of `data_dir`, which must exist. Without a directory, reads that of the nearest `.ck8s`,
    /// here or in a parent, if there is one.
    pub(crate) fn find(data_dir: Option<&Path>) -> Result<Option<Self>, CliError> {
        if let Some(dir) = data_dir {
            return Self::read(&dir.join(FILE_NAME)).map(Some);
        }
        let Ok(here) = std::env::current_dir() else {
            return Ok(None);
        };
        match nearest(&here) {
            Some(path) => Self::read(&path).map(Some),
            None => Ok(None),
        }
    }

    fn read(path: &Path) -> Result<Self, CliError> {
        let text = std::fs::read(path).map_err(|e| CliError::file(path, &e))?;
        // serde's own message could quote the text, which holds a token.
        serde_json::from_slice(&text).map_err(|e| {
            CliError::usage(
                format!("cannot use {}", path.display()),
                format!(
                    "it is not the ready file of `ck8s up` (line {}, column {})",
                    e.line(),
                    e.column()
                ),
                "run `ck8s up` again, or set CK8S_URL and CK8S_TOKEN",
            )
        })
    }
}

fn nearest(from: &Path) -> Option<PathBuf> {
    from.ancestors()
        .map(|dir| dir.join(DATA_DIR).join(FILE_NAME))
        .find(|path| path.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ready_file_of_the_nearest_parent_is_read() {
        let root = tempfile::tempdir().unwrap();
        let deep = root.path().join("a/b");
        std::fs::create_dir_all(&deep).unwrap();
        std::fs::create_dir(root.path().join(DATA_DIR)).unwrap();
        let file = root.path().join(DATA_DIR).join(FILE_NAME);
        std::fs::write(&file, "{}").unwrap();
        assert_eq!(nearest(&deep), Some(file));
    }

    #[test]
    fn an_external_id_may_be_text_or_a_number() {
        for id in ["1", "\"1\""] {
            let text = format!(
                r#"{{"url":"http://h","demo_repository":{{"full_name":"demo/demo","external_id":{id}}}}}"#
            );
            let ready: ReadyFile = serde_json::from_str(&text).unwrap();
            assert_eq!(ready.demo_repository.unwrap().external_id, "1");
        }
    }

    #[test]
    fn an_error_does_not_quote_a_broken_file() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(
            dir.path().join(FILE_NAME),
            r#"{"url":1,"admin_token":"ck8s_adm_x"}"#,
        )
        .unwrap();
        let error = ReadyFile::find(Some(dir.path())).unwrap_err().to_string();
        assert!(
            error.contains("not the ready file") && !error.contains("ck8s_adm"),
            "{error}"
        );
    }
}
