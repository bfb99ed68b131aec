//! `ck8s repo` as a person types it, for a repository at GitHub.
use std::{
    path::PathBuf,
    process::{Command, Stdio},
};

use ck8s_tests::{GitHub, World, program::binary, until};

use crate::repositories::{issue, scene};

/// A platform admin at a terminal.
struct Terminal<'a>(&'a World);

impl Terminal<'_> {
    fn file(&self, name: &str, text: &str) -> String {
        let path: PathBuf = self.0.dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// Runs `ck8s repo`. Returns its exit code and its output.
    fn repo(&self, args: &[&str]) -> (i32, String) {
        let ended = Command::new(binary())
            .arg("repo")
            .args(args)
            .env_clear()
            .env("CK8S_URL", &self.0.ready.url)
            .env("CK8S_TOKEN", &self.0.ready.admin_token)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let output = String::from_utf8_lossy(&ended.stdout).into_owned()
            + &String::from_utf8_lossy(&ended.stderr);
        println!("$ ck8s repo {}\n{output}", args.join(" "));
        (ended.status.code().unwrap(), output)
    }
}

/// Returns the second words of the lines that start with this standing.
fn subjects(screen: &str, standing: &str) -> Vec<String> {
    let lines = screen.lines().filter(|line| line.starts_with(standing));
    lines
        .map(|line| line.split_whitespace().nth(1).unwrap().to_owned())
        .collect()
}

async fn trigger_run(github: &GitHub, world: &World) {
    let payload = issue(501, "acme/one");
    assert_eq!(github.emit(501, "issues", &payload).await, [202]);
    until("its run", async || world.admin.all_runs("").await.pop()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repository_is_added_checked_mended_and_removed() {
    let (github, world, token) = scene().await;
    let terminal = Terminal(&world);
    let weak = github
        .world()
        .fine_token("ada", 501, &[("metadata", "read"), ("contents", "read")]);
    let weak = terminal.file("weak", &weak);
    let good = terminal.file("good", &token);
    let add = |file: &str| {
        terminal.repo(&[
            "add",
            "acme/one",
            "--project",
            "shop",
            "--access-token-file",
            file,
        ])
    };
    let (code, output) = add(&weak);
    assert_eq!(code, 1, "{output}");
    assert!(output.contains("Webhooks: Read and write"), "{output}");
    assert_eq!(output.lines().count(), 1, "an error is one line: {output}");
    let (code, output) = add(&good);
    assert_eq!(code, 0, "{output}");
    trigger_run(&github, &world).await;

    let (code, screen) = terminal.repo(&["check", "acme/one"]);
    assert_eq!(code, 0);
    let all = [
        "token",
        "permissions",
        "hook",
        "delivery",
        "services.yaml",
        "run",
        "rate",
    ];
    assert_eq!(subjects(&screen, "ok"), all, "{screen}");

    github.world().repository(501).hooks[0].active = false;
    let broken = [(".ck8s/services.yaml", Some("version: 1\ntrigers: []\n"))];
    github.world().repository(501).push("main", &broken);
    let (code, screen) = terminal.repo(&["check", "acme/one"]);
    assert_eq!(code, 1);
    assert_eq!(
        subjects(&screen, "WRONG"),
        ["hook", "services.yaml"],
        "{screen}"
    );
    assert!(screen.contains("trigers"), "{screen}");
    let (code, screen) = terminal.repo(&["mend", "acme/one"]);
    assert_eq!(code, 1, "ck8s cannot mend the file");
    assert_eq!(subjects(&screen, "WRONG"), ["services.yaml"], "{screen}");

    let fresh = github.world().classic_token("robot", &["repo"]);
    let fresh = terminal.file("fresh", &fresh);
    let rotate = ["rotate-token", "acme/one", "--access-token-file", &fresh];
    assert_eq!(terminal.repo(&rotate).0, 0);
    assert_eq!(terminal.repo(&["rotate-secret", "acme/one"]).0, 0);
    github.world().revoke(&token);
    trigger_run(&github, &world).await;
    let (code, output) = terminal.repo(&["remove", "acme/one"]);
    assert_eq!(code, 0, "{output}");
    assert!(github.world().repository(501).hooks.is_empty());
    assert_eq!(terminal.repo(&["check", "acme/one"]).0, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_never_match_is_said_when_a_file_is_given_and_when_it_is_checked() {
    let (_github, world, _token) = scene().await;
    let terminal = Terminal(&world);
    let trigger = |on: &str| {
        format!(
            "version: 1\ntriggers:\n  - name: a\n    run: {{ command: x }}\n    on:\n      event: push\n      {on}\n"
        )
    };
    let doubtful = terminal.file("doubtful", &trigger("paths: src/"));
    let add = ["add", "acme/by-hand", "--project", "shop", "--external-id"];
    let (code, screen) = terminal.repo(&[&add[..], &["77", "--services-file", &doubtful]].concat());
    assert_eq!(code, 0);
    let warning = "line 7: triggers[0].on.paths: \"src/\" matches no file";
    assert!(
        screen.contains(&format!("note: services.yaml, {warning}")),
        "{screen}"
    );
    let (_, screen) = terminal.repo(&["get", "acme/by-hand"]);
    assert!(screen.contains(warning), "{screen}");
    let (code, screen) = terminal.repo(&["check", "acme/by-hand"]);
    assert_eq!(code, 1);
    assert!(
        screen.contains(&format!("services.yaml  {warning}")),
        "{screen}"
    );

    let good = terminal.file("good", &trigger("paths: src/**"));
    let (_, screen) = terminal.repo(&["update", "acme/by-hand", "--services-file", &good]);
    assert!(!screen.contains("src/"), "{screen}");
    assert_eq!(terminal.repo(&["check", "acme/by-hand"]).0, 0);
}
