//! Which crate may depend on which of ours, and which external crates only one of ours may name.
#![allow(
    clippy::unwrap_used,
    reason = "a test that unwraps fails where it should"
)]
use std::{collections::BTreeMap, process::Command};

use serde_json::Value;

/// What a crate may depend on, of our own.
const ARROWS: &[(&str, &[&str])] = &[
    ("ck8s-proto", &[]),
    ("ck8s-types", &[]),
    ("ck8s-batch", &[]),
    ("ck8s-telemetry", &["ck8s-types"]),
    ("ck8s-kube", &["ck8s-types"]),
    ("ck8s-db", &["ck8s-types"]),
    ("ck8s-pki", &["ck8s-types"]),
    ("ck8s-sealing", &[]),
    ("ck8s-schedule", &[]),
    ("ck8s-batch", &[]),
    ("ck8s-provider", &[]),
    ("ck8s-github", &["ck8s-provider"]),
    ("ck8s-rpc", &["ck8s-proto", "ck8s-types", "ck8s-pki"]),
    (
        "ck8s-cli",
        &[
            "ck8s-proto",
            "ck8s-rpc",
            "ck8s-types",
            "ck8s-pki",
            "ck8s-sealing",
        ],
    ),
    (
        "ck8s-worker",
        &[
            "ck8s-proto",
            "ck8s-rpc",
            "ck8s-types",
            "ck8s-pki",
            "ck8s-kube",
            "ck8s-telemetry",
        ],
    ),
    ("ck8s-edge", SERVICE),
    ("ck8s-auth", SERVICE),
    ("ck8s-repositories", SERVICE),
    ("ck8s-ingress", SERVICE),
    ("ck8s-runs", SERVICE),
];

/// Services never depend on each other: they call each other's generated client.
const SERVICE: &[&str] = &[
    "ck8s-proto",
    "ck8s-batch",
    "ck8s-pki",
    "ck8s-rpc",
    "ck8s-db",
    "ck8s-schedule",
    "ck8s-sealing",
    "ck8s-types",
    "ck8s-telemetry",
    "ck8s-provider",
];

/// External crates that only some of ours may name, so that what they know stays in one place.
const KEPT_IN: &[(&str, &[&str])] = &[
    ("kube", &["ck8s-kube"]),
    ("k8s-openapi", &["ck8s-kube"]),
    ("octocrab", &["ck8s-github"]),
    ("rcgen", &["ck8s-pki"]),
    ("x509-parser", &["ck8s-pki"]),
    ("chacha20poly1305", &["ck8s-sealing"]),
    ("chrono", &["ck8s-schedule"]),
    ("croner", &["ck8s-schedule"]),
    ("jsonwebtoken", &["ck8s-auth"]),
    ("clap", &["ck8s", "ck8s-cli", "ck8s-load"]),
    (
        "anyhow",
        &[
            "ck8s",
            "ck8s-cli",
            "ck8s-generator",
            "ck8s-load",
            "ck8s-tests",
        ],
    ),
];

/// Each crate's dependencies without those of its tests.
fn dependencies() -> BTreeMap<String, Vec<String>> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--offline", "--format-version=1"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let packages = metadata["packages"].as_array().unwrap();
    packages
        .iter()
        .map(|package| {
            let normal = package["dependencies"]
                .as_array()
                .unwrap()
                .iter()
                .filter(|d| d["kind"].is_null());
            (
                text(&package["name"]),
                normal.map(|d| text(&d["name"])).collect(),
            )
        })
        .collect()
}

#[test]
fn arrows_never_turn_back() {
    let all = dependencies();
    let mut wrong = Vec::new();
    for (name, has) in &all {
        let Some((_, allowed)) = ARROWS.iter().find(|(of, _)| of == name) else {
            // The binary and the tests see everything; no other crate may appear without a line above.
            let sees_all = [
                "ck8s",
                "ck8s-generator",
                "ck8s-fuzz",
                "ck8s-tests",
                "ck8s-load",
                "ck8s-tidy",
            ];
            assert!(
                sees_all.contains(&name.as_str()),
                "{name}: list above what it may depend on"
            );
            continue;
        };
        for other in has.iter().filter(|other| all.contains_key(*other)) {
            if !allowed.contains(&other.as_str()) {
                wrong.push(format!("{name} -> {other}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:?}");
}

#[test]
fn an_external_crate_is_named_where_its_knowledge_is_kept() {
    for (name, has) in &dependencies() {
        for (kept, holders) in KEPT_IN {
            let names_it = has.iter().any(|other| other == kept);
            assert!(
                !names_it || holders.contains(&name.as_str()),
                "{name} names {kept}"
            );
        }
    }
}

#[test]
fn types_know_no_async_no_sql_and_no_wire() {
    let all = dependencies();
    for far in ["tokio", "sqlx", "tonic", "prost", "axum"] {
        assert!(
            !all["ck8s-types"].iter().any(|other| other == far),
            "ck8s-types names {far}"
        );
    }
}
