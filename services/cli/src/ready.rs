//! The file that `ck8s up` writes once it is ready: where the server is, and who may ask it.
use std::path::{Path, PathBuf};

use secrecy::SecretString;
use serde::Deserialize;

use crate::fault::Fault;

/// Where `ck8s up` keeps its data unless told otherwise.
const DATA_DIR: &str = ".ck8s";
/// The ready file in a data directory.
const FILE: &str = "ready.json";

/// What of the ready file a client needs.
#[derive(Debug, Deserialize)]
pub(crate) struct Ready {
    /// The public listener.
    pub(crate) url: String,
    /// A platform admin's token.
    #[serde(default, deserialize_with = "secret")]
    pub(crate) admin_token: Option<SecretString>,
    /// The repository that `ck8s up` registers.
    pub(crate) demo_repository: Option<Demo>,
    /// The demo repository's webhook secret.
    #[serde(default, deserialize_with = "secret")]
    pub(crate) webhook_secret: Option<SecretString>,
}

fn secret<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<SecretString>, D::Error> {
    Ok(Option::<String>::deserialize(from)?.map(SecretString::from))
}

/// A repository to send deliveries for.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub(crate) struct Demo {
    /// owner/name.
    pub(crate) full_name: String,
    /// The provider's own id.
    #[serde(deserialize_with = "text_or_number")]
    pub(crate) external_id: String,
}

fn text_or_number<'de, D: serde::Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    Ok(match serde_json::Value::deserialize(from)? {
        serde_json::Value::String(text) => text,
        other => other.to_string(),
    })
}

impl Ready {
    /// Reads `data_dir`'s, which must be there; without one, that of `.ck8s` here or in the nearest parent, if there is any.
    pub(crate) fn find(data_dir: Option<&Path>) -> Result<Option<Self>, Fault> {
        if let Some(dir) = data_dir {
            return Self::read(&dir.join(FILE)).map(Some);
        }
        let Ok(here) = std::env::current_dir() else {
            return Ok(None);
        };
        match nearest(&here) {
            Some(path) => Self::read(&path).map(Some),
            None => Ok(None),
        }
    }

    fn read(path: &Path) -> Result<Self, Fault> {
        let text = std::fs::read(path).map_err(|e| Fault::file(path, &e))?;
        // serde's own message could quote the text, which holds a token.
        serde_json::from_slice(&text).map_err(|e| {
            Fault::usage(
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
        .map(|dir| dir.join(DATA_DIR).join(FILE))
        .find(|path| path.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_parent_counts() {
        let root = tempfile::tempdir().unwrap();
        let deep = root.path().join("a/b");
        std::fs::create_dir_all(&deep).unwrap();
        std::fs::create_dir(root.path().join(DATA_DIR)).unwrap();
        let file = root.path().join(DATA_DIR).join(FILE);
        std::fs::write(&file, "{}").unwrap();
        assert_eq!(nearest(&deep), Some(file));
    }

    #[test]
    fn the_ids_may_be_text_or_numbers() {
        for id in ["1", "\"1\""] {
            let text = format!(
                r#"{{"url":"http://h","demo_repository":{{"full_name":"demo/demo","external_id":{id}}}}}"#
            );
            let ready: Ready = serde_json::from_str(&text).unwrap();
            assert_eq!(ready.demo_repository.unwrap().external_id, "1");
        }
    }

    #[test]
    fn a_broken_file_is_not_quoted() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(
            dir.path().join(FILE),
            r#"{"url":1,"admin_token":"ck8s_adm_x"}"#,
        )
        .unwrap();
        let fault = Ready::find(Some(dir.path())).unwrap_err().to_string();
        assert!(
            fault.contains("not the ready file") && !fault.contains("ck8s_adm"),
            "{fault}"
        );
    }
}
