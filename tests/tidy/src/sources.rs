//! The project's files, as git lists them, and the Rust files of a crate with the modules that they are.
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// The root of the checkout in which the tests were started: programs that were built for another one are reused.
#[must_use]
pub fn root() -> PathBuf {
    let manifest = std::env::var("CARGO_MANIFEST_DIR")
        .unwrap_or_else(|_| env!("CARGO_MANIFEST_DIR").to_owned());
    Path::new(&manifest).ancestors().nth(2).unwrap().to_owned()
}

/// Every file that git tracks or would add, relative to the root; those of `gen/` are generated and left out.
#[must_use]
pub fn tracked() -> Vec<String> {
    let output = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "git ls-files failed");
    let listed = String::from_utf8(output.stdout).unwrap();
    let mut files: Vec<String> = listed
        .lines()
        .filter(|file| !file.starts_with("gen/") || file.starts_with("gen/generator/"))
        .filter(|file| root().join(file).is_file())
        .map(str::to_owned)
        .collect();
    files.sort_unstable();
    files.dedup();
    files
}

/// Every Rust file that [`tracked`] lists.
#[must_use]
pub fn rust_files() -> Vec<String> {
    let mut files = tracked();
    files.retain(|file| file.ends_with(".rs"));
    files
}

/// A file's text; empty if it is no text.
#[must_use]
pub fn text(file: &str) -> String {
    fs::read_to_string(root().join(file)).unwrap_or_default()
}

/// The folders under `services/` that are crates.
#[must_use]
pub fn service_crates() -> Vec<String> {
    let mut crates: Vec<String> = tracked()
        .iter()
        .filter_map(|file| {
            file.strip_prefix("services/")?
                .strip_suffix("/Cargo.toml")
                .map(str::to_owned)
        })
        .collect();
    crates.sort_unstable();
    crates
}

/// Whether a file holds tests alone.
#[must_use]
pub fn is_test(file: &str) -> bool {
    file.starts_with("tests/")
        || file.contains("/tests/")
        || file.ends_with("/tests.rs")
        || file.contains("/test/")
}

/// A module by its path within its crate: empty for the crate's root.
pub type Module = Vec<String>;

/// A crate's modules and the file of each; programs under `bin/` and files of tests are left out.
#[must_use]
pub fn modules(src: &str) -> BTreeMap<Module, String> {
    let mut modules = all_modules(src);
    modules.retain(|_, file| !is_test(file));
    modules
}

/// Likewise, of a crate that holds tests alone.
#[must_use]
pub fn all_modules(src: &str) -> BTreeMap<Module, String> {
    rust_files()
        .into_iter()
        .filter(|file| file.starts_with(&format!("{src}/")))
        .filter(|file| !file.starts_with(&format!("{src}/bin/")) && !file.ends_with("/tests.rs"))
        .map(|file| (module(src, &file), file))
        .collect()
}

fn module(src: &str, file: &str) -> Module {
    let inner = file[src.len() + 1..].trim_end_matches(".rs");
    let mut module: Module = inner.split('/').map(str::to_owned).collect();
    if matches!(
        module.last().map(String::as_str),
        Some("mod" | "lib" | "main")
    ) {
        module.pop();
    }
    module
}
