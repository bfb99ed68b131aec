//! Tells the program its revision and build time, and builds it again when the console's files or the revision change.
use std::process::Command;

fn main() {
    println!("cargo:rerun-if-changed=../../gen/console");
    println!("cargo:rerun-if-changed=../../.git/logs/HEAD");
    println!("cargo:rerun-if-env-changed=CK8S_REVISION");
    println!("cargo:rerun-if-env-changed=SOURCE_DATE_EPOCH");
    let revision = std::env::var("CK8S_REVISION").ok();
    let revision = revision
        .or_else(|| output_of(Command::new("git").args(["rev-parse", "--short=12", "HEAD"])));
    let at =
        std::env::var("SOURCE_DATE_EPOCH").map_or_else(|_| "now".to_owned(), |s| format!("@{s}"));
    let built = output_of(Command::new("date").args(["-u", "-d", &at, "+%Y-%m-%dT%H:%M:%SZ"]));
    println!(
        "cargo:rustc-env=CK8S_REVISION={}",
        revision.unwrap_or_default()
    );
    println!(
        "cargo:rustc-env=CK8S_BUILD_TIME={}",
        built.unwrap_or_default()
    );
}

/// Returns what a command prints; none if it fails.
fn output_of(command: &mut Command) -> Option<String> {
    let output = command
        .output()
        .ok()
        .filter(|output| output.status.success())?;
    Some(String::from_utf8(output.stdout).ok()?.trim().to_owned())
}
