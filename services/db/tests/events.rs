//! The kinds of flow events: the sources write those of the enum, and no others.
#![allow(
    clippy::unwrap_used,
    reason = "a test that unwraps fails where it should"
)]
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use ck8s_types::EventKind;

/// Every Rust file below `services/*/src`.
fn sources() -> Vec<PathBuf> {
    let services = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut todo: Vec<PathBuf> = fs::read_dir(services)
        .unwrap()
        .map(|entry| entry.unwrap().path().join("src"))
        .filter(|path| path.is_dir())
        .collect();
    let mut files = Vec::new();
    while let Some(dir) = todo.pop() {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                todo.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    files
}

/// The SQL statements of a source that insert flow events: each as far as the string literal goes that it begins in.
fn inserts(source: &str) -> impl Iterator<Item = &str> {
    source
        .split("INSERT INTO audit.flow_events")
        .skip(1)
        .map(|rest| {
            let end = rest
                .find("\"#")
                .into_iter()
                .chain(rest.find("\",\n"))
                .min()
                .unwrap_or(rest.len());
            &rest[..end]
        })
}

/// The literals `'noun.verb'` of a statement, without names of sequences.
fn words(statement: &str) -> impl Iterator<Item = &str> {
    let parts: Vec<&str> = statement.split('\'').collect();
    let quoted = (1..parts.len()).step_by(2);
    quoted
        .filter(|at| !parts[at - 1].ends_with("nextval("))
        .map(|at| parts[at])
        .filter(|word| is_kind(word))
        .collect::<Vec<_>>()
        .into_iter()
}

fn is_kind(word: &str) -> bool {
    let is_part =
        |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    word.split_once('.')
        .is_some_and(|(noun, verb)| is_part(noun) && is_part(verb))
}

#[test]
fn every_kind_that_sql_writes_is_in_the_enum_and_every_kind_is_written_somewhere() {
    let mut written = BTreeSet::new();
    let mut unknown = Vec::new();
    for path in sources() {
        let source = fs::read_to_string(&path).unwrap();
        for word in inserts(&source).flat_map(words) {
            match word.parse::<EventKind>() {
                Ok(kind) => _ = written.insert(kind.as_str()),
                Err(error) => unknown.push(format!("{}: {error}", path.display())),
            }
        }
        if path.components().any(|part| part.as_os_str() == "types") {
            continue;
        }
        for kind in EventKind::ALL {
            if source.contains(&format!("EventKind::{kind:?}")) {
                written.insert(kind.as_str());
            }
        }
    }
    assert!(unknown.is_empty(), "{unknown:#?}");
    assert!(written.contains("run.leased"), "no statement was found");
    let unwritten: Vec<_> = EventKind::ALL
        .iter()
        .filter(|kind| !written.contains(kind.as_str()))
        .collect();
    assert!(unwritten.is_empty(), "{unwritten:?}");
}
