//! Within a crate: no circles between files, one style of modules, one anatomy for service crates.
#![allow(
    clippy::unwrap_used,
    reason = "a test that unwraps fails where it should"
)]
use std::collections::BTreeSet;

use ck8s_tidy::{paths, sources};

/// The crates that are gRPC services: they have the same anatomy.
const SERVICES: &[&str] = &["auth", "ingress", "repositories", "runs"];

/// What may lie in a service crate's `src/`.
const ANATOMY: &[&str] = &[
    "config.rs",
    "convert",
    "convert.rs",
    "domain",
    "error",
    "error.rs",
    "grpc",
    "lib.rs",
    "metrics.rs",
    "peers",
    "service",
    "start.rs",
    "store",
    "tasks",
];

/// What one service has beside it: the hot paths, and the client of the identity provider.
const OWN: &[(&str, &[&str])] = &[
    ("auth", &["oauth"]),
    ("ingress", &["pipeline"]),
    ("runs", &["engine"]),
    ("repositories", &[]),
];

fn crates() -> Vec<String> {
    let mut crates: Vec<String> = sources::service_crates()
        .iter()
        .map(|name| format!("services/{name}/src"))
        .collect();
    crates.extend(["tests/src", "tests/load/src", "gen/generator/src"].map(str::to_owned));
    crates
}

#[test]
fn no_files_of_a_crate_point_at_each_other_in_a_circle() {
    let mut wrong = Vec::new();
    for src in crates() {
        let modules = if src.starts_with("services/") {
            sources::modules(&src)
        } else {
            sources::all_modules(&src)
        };
        wrong.extend(paths::circles(&paths::arrows(&modules)));
    }
    assert!(wrong.is_empty(), "these files form circles: {wrong:#?}");
}

#[test]
fn the_arrows_are_seen() {
    // A check that sees nothing would pass: these arrows are known to be there.
    let modules = sources::modules("services/runs/src");
    let arrows = paths::arrows(&modules);
    assert!(modules.len() > 30, "{} files", modules.len());
    let count: usize = arrows.values().map(BTreeSet::len).sum();
    assert!(count > 100, "{count} arrows");
}

#[test]
fn a_module_with_a_folder_is_its_mod_rs() {
    let files = sources::rust_files();
    let wrong: Vec<&String> = files
        .iter()
        .filter(|file| {
            let folder = format!("{}/", file.trim_end_matches(".rs"));
            files.iter().any(|other| other.starts_with(&folder))
        })
        .filter(|file| !file.ends_with("/build.rs"))
        .collect();
    assert!(
        wrong.is_empty(),
        "these files have a folder of their own name: {wrong:#?}"
    );
}

#[test]
fn unit_tests_stand_in_their_file_or_in_tests_rs_beside_it() {
    let mut wrong = Vec::new();
    for file in sources::rust_files() {
        let text = sources::text(&file);
        if text.lines().any(|line| line.trim().starts_with("#[path")) {
            wrong.push(format!("{file}: #[path]"));
        }
        let name = file.rsplit('/').next().unwrap();
        if file.contains("/src/") && (name.ends_with("_test.rs") || name.ends_with("_tests.rs")) {
            wrong.push(file);
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn services_have_one_anatomy() {
    let mut wrong = Vec::new();
    for service in SERVICES {
        let src = format!("services/{service}/src/");
        let own = OWN
            .iter()
            .find(|(name, _)| name == service)
            .map_or(&[][..], |(_, own)| own);
        let entries: BTreeSet<String> = sources::tracked()
            .iter()
            .filter_map(|file| file.strip_prefix(&src))
            .map(|inner| inner.split('/').next().unwrap().to_owned())
            .collect();
        for entry in &entries {
            if !ANATOMY.contains(&entry.as_str()) && !own.contains(&entry.as_str()) {
                wrong.push(format!("{src}{entry} has no place in the anatomy"));
            }
        }
        for needed in [
            "config.rs",
            "domain",
            "grpc",
            "lib.rs",
            "service",
            "start.rs",
            "store",
            "tasks",
        ] {
            if !entries.contains(needed) {
                wrong.push(format!("{src}{needed} is missing"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_crate_says_what_it_is() {
    let files = sources::tracked();
    let missing: Vec<String> = sources::service_crates()
        .iter()
        .map(|name| format!("services/{name}/README.md"))
        .filter(|readme| !files.contains(readme))
        .collect();
    assert!(missing.is_empty(), "{missing:#?}");
}

#[test]
fn layers_of_a_service_know_their_place() {
    /// A folder, and what its files may not name.
    const FORBIDDEN: &[(&str, &[&str])] = &[
        (
            "domain",
            &["sqlx", "tonic", "prost", "ck8s_proto", "tokio::"],
        ),
        ("grpc", &["PgPool", "sqlx"]),
        ("store", &["tonic", "ck8s_proto"]),
        ("service", &["tonic::Request", "tonic::Response"]),
    ];
    let mut wrong = Vec::new();
    for file in sources::rust_files() {
        let inner = SERVICES
            .iter()
            .find_map(|service| file.strip_prefix(&format!("services/{service}/src/")));
        let Some(inner) = inner else {
            continue;
        };
        let layer = inner.split('/').next().unwrap();
        let Some((_, words)) = FORBIDDEN.iter().find(|(name, _)| *name == layer) else {
            continue;
        };
        if sources::is_test(&file) {
            continue;
        }
        for word in *words {
            let code = code(&sources::text(&file));
            if code.contains(word) {
                wrong.push(format!("{file} names {word}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn sql_stands_in_store_alone() {
    let wrong: Vec<String> = sources::rust_files()
        .into_iter()
        .filter(|file| file.starts_with("services/") && !sources::is_test(file))
        .filter(|file| !file.starts_with("services/db/"))
        .filter(|file| !file.contains("/src/store/"))
        .filter(|file| {
            let code = code(&sources::text(file));
            [
                "query!(",
                "query_as!(",
                "query_scalar!(",
                "sqlx::query(",
                "sqlx::raw_sql(",
            ]
            .iter()
            .any(|macro_call| code.contains(macro_call))
        })
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// The code of a file: no comments, and nothing from its tests on.
fn code(text: &str) -> String {
    text.lines()
        .take_while(|line| !line.starts_with("#[cfg(test)]"))
        .filter(|line| !line.trim_start().starts_with("//"))
        .collect::<Vec<_>>()
        .join("\n")
}
