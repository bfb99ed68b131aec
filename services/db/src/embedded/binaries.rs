//! Where PostgreSQL's server programs are.
use std::{
    env,
    path::{Path, PathBuf},
};

use super::error::EmbeddedError;

/// A directory with `initdb` and `postgres`, and their version.
#[derive(Clone, Debug)]
pub(super) struct Binaries {
    dir: PathBuf,
}

impl Binaries {
    /// The programs that match a cluster's major version if there is one; else the newest.
    pub(super) fn find(cluster_version: Option<&str>) -> Result<Self, EmbeddedError> {
        let mut candidates = Vec::new();
        if let Some(dir) = env::var_os("CK8S_PG_BIN") {
            candidates.push(PathBuf::from(dir));
        } else {
            candidates.extend(newest_first("/usr/lib/postgresql", "bin"));
            candidates.extend(newest_first("/opt/homebrew/opt", "bin"));
            candidates.extend(newest_first("/usr/local/opt", "bin"));
            candidates.extend(
                newest_first("/usr", "bin")
                    .into_iter()
                    .filter(|dir| dir.starts_with("/usr/pgsql")),
            );
            candidates.extend(env::split_paths(&env::var_os("PATH").unwrap_or_default()));
        }
        let mut usable = candidates
            .into_iter()
            .filter(|dir| dir.join("initdb").is_file() && dir.join("postgres").is_file())
            .map(|dir| Self { dir });
        let first = usable.next().ok_or(EmbeddedError::NoBinaries)?;
        let Some(cluster_version) = cluster_version else {
            return Ok(first);
        };
        let matching = |binaries: &Self| binaries.version().is_some_and(|v| v == cluster_version);
        if matching(&first) {
            return Ok(first);
        }
        Ok(usable.find(matching).unwrap_or(first))
    }

    pub(super) fn program(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// The major version: "15" of "postgres (PostgreSQL) 15.14 (Debian ...)".
    pub(super) fn version(&self) -> Option<String> {
        let output = std::process::Command::new(self.program("postgres"))
            .arg("--version")
            .output()
            .ok()?;
        let text = String::from_utf8(output.stdout).ok()?;
        let number = text.split_whitespace().nth(2)?;
        let major: String = number.chars().take_while(char::is_ascii_digit).collect();
        (!major.is_empty()).then_some(major)
    }
}

/// `<root>/<something with a version>/<leaf>`, the highest version first.
fn newest_first(root: &str, leaf: &str) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(root) else {
        return Vec::new();
    };
    let mut versions: Vec<(u32, PathBuf)> = entries
        .flatten()
        .filter_map(|entry| Some((major(&entry.path())?, entry.path().join(leaf))))
        .collect();
    versions.sort_by_key(|(version, _)| std::cmp::Reverse(*version));
    versions.into_iter().map(|(_, path)| path).collect()
}

/// 15 of `15`, `postgresql@15`, `pgsql-15`.
fn major(path: &Path) -> Option<u32> {
    let name = path.file_name()?.to_str()?;
    let named = name
        .trim_start_matches("postgresql")
        .trim_start_matches("pgsql");
    named.trim_start_matches(['@', '-']).parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_from_directory_names() {
        for (name, version) in [("15", 15), ("postgresql@17", 17), ("pgsql-16", 16)] {
            assert_eq!(major(Path::new("/x").join(name).as_path()), Some(version));
        }
        for name in ["postgresql", "node@20", "lib"] {
            assert_eq!(major(Path::new("/x").join(name).as_path()), None);
        }
    }
}
