//! The process executor and its guard, with real processes.
mod common;

use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use ck8s_types::RunReason;
use common::{Log, end, process, request, running, spec, until, within};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

fn pid(reference: &str) -> i32 {
    reference
        .strip_prefix("process:")
        .and_then(|p| p.parse().ok())
        .expect("a process")
}

fn is_alive(pid: i32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(')')
        .is_some_and(|(_, rest)| !rest.trim_start().starts_with('Z'))
}

fn parent(pid: i32) -> i32 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("lives");
    stat.rsplit_once(')')
        .and_then(|(_, rest)| rest.split_whitespace().nth(1)?.parse().ok())
        .expect("a parent")
}

fn read_pid_file(dir: &Path, run: impl std::fmt::Display, name: &str) -> Option<i32> {
    fs::read_to_string(dir.join(run.to_string()).join(name))
        .ok()?
        .trim()
        .parse()
        .ok()
}

#[tokio::test]
async fn a_workload_has_a_clean_environment_and_a_directory_of_its_own() {
    let fixture = process();
    let mut described = spec("env; pwd; ls -A; touch file");
    described.env.insert("MINE".to_owned(), "yes".to_owned());
    let (request, _lease) = request(described);
    let log = Log::new();
    let mut workload = fixture
        .executor
        .start(&request, &log.sink)
        .await
        .expect("starts");
    let dir = fixture.work_dir.join(request.id.run_id.to_string());
    assert_eq!(fs::metadata(&dir).expect("is there").mode() & 0o777, 0o700);
    end(&mut workload).await.1.expect("ends");
    drop(workload);
    let (output, _) = log.read().await;
    let names: Vec<_> = output
        .lines()
        .filter_map(|l| l.split_once('='))
        .map(|(name, _)| name)
        .collect();
    for name in [
        "PATH",
        "HOME",
        "LANG",
        "MINE",
        "SECRET",
        "CK8S_EVENT",
        "CK8S_URL",
    ] {
        assert!(names.contains(&name), "{name} is missing: {output}");
    }
    assert!(names.iter().all(|n| !n.starts_with("CARGO")), "{output}");
    assert!(
        output
            .lines()
            .any(|l| Path::new(l).ends_with(request.id.run_id.to_string())),
        "{output}"
    );
    within(fixture.executor.remove(&request.id, None, Duration::ZERO))
        .await
        .expect("is removed");
    assert!(!dir.exists());
    assert_eq!(
        fs::read_dir(&fixture.work_dir).expect("is there").count(),
        0,
        "the lock is gone too"
    );
}

#[tokio::test]
async fn secrets_are_in_no_argument_list() {
    let fixture = process();
    let (request, _lease) = request(spec("sleep 60"));
    let log = Log::new();
    let workload = fixture
        .executor
        .start(&request, &log.sink)
        .await
        .expect("starts");
    let child = pid(&workload.reference);
    for pid in [child, parent(child)] {
        let arguments = fs::read(format!("/proc/{pid}/cmdline")).expect("lives");
        assert!(!String::from_utf8_lossy(&arguments).contains("hunter22"));
    }
    let environment = fs::read(format!("/proc/{}/environ", parent(child))).expect("lives");
    assert!(environment.is_empty(), "the guard needs no environment");
}

#[tokio::test]
async fn a_workload_starts_with_no_signal_blocked() {
    let fixture = process();
    let script = "grep SigBlk /proc/self/status; sleep 300 & kill $!; wait $!; echo $?";
    let (request, _lease) = request(spec(script));
    let log = Log::new();
    let mut workload = fixture
        .executor
        .start(&request, &log.sink)
        .await
        .expect("starts");
    end(&mut workload).await.1.expect("ends");
    drop(workload);
    let (output, _) = log.read().await;
    // The shell may report the end of its child in between.
    assert!(
        output.starts_with("SigBlk:\t0000000000000000\n") && output.ends_with("\n143\n"),
        "{output}"
    );
}

/// A workload that ends at once is noticed at once, though its end may come before the guard reads signals.
#[tokio::test]
async fn the_end_of_a_short_workload_is_noticed_at_once() {
    let fixture = process();
    let start = Instant::now();
    for _ in 0..10 {
        let (request, _lease) = request(spec(":"));
        let log = Log::new();
        let mut workload = fixture
            .executor
            .start(&request, &log.sink)
            .await
            .expect("starts");
        end(&mut workload).await.1.expect("ends");
    }
    assert!(start.elapsed() < Duration::from_secs(20));
}

#[tokio::test]
async fn descendants_that_leave_the_group_end_with_the_workload() {
    let fixture = process();
    let script = "setsid sh -c 'echo $$ > away; exec sleep 60' & (sleep 60 & echo $! > near); while [ ! -s away ]; do sleep 0.01; done";
    let (request, _lease) = request(spec(script));
    let log = Log::new();
    let mut workload = fixture
        .executor
        .start(&request, &log.sink)
        .await
        .expect("starts");
    let exit = end(&mut workload).await.1.expect("ends");
    assert_eq!(exit.reason, RunReason::Completed);
    for name in ["away", "near"] {
        let pid = read_pid_file(&fixture.work_dir, request.id.run_id, name).expect("was written");
        assert!(!is_alive(pid), "{name} outlived its workload");
    }
}

#[tokio::test]
async fn the_guard_alone_ends_a_workload_whose_lease_has_expired() {
    let fixture = process();
    let (request, lease) = request(spec("sleep 60"));
    lease.expire_in(Duration::from_millis(400));
    let log = Log::new();
    let mut workload = fixture
        .executor
        .start(&request, &log.sink)
        .await
        .expect("starts");
    let child = pid(&workload.reference);
    running(&mut workload).await;
    lease.expire_in(Duration::from_millis(600));
    let renewed = Instant::now();
    let (_, lost) = end(&mut workload).await;
    assert!(lost.expect_err("is lost").contains("lease"));
    assert!(
        renewed.elapsed() >= Duration::from_millis(500),
        "ended after {:?}",
        renewed.elapsed()
    );
    assert!(!is_alive(child));
}

#[tokio::test]
async fn a_dropped_workload_ends() {
    let fixture = process();
    let (request, _lease) = request(spec("trap '' TERM HUP; while :; do sleep 1; done"));
    let log = Log::new();
    let workload = fixture
        .executor
        .start(&request, &log.sink)
        .await
        .expect("starts");
    let child = pid(&workload.reference);
    drop(workload);
    until("it is dead", || !is_alive(child)).await;
    assert!(
        within(fixture.executor.adopt(&request, &log.sink))
            .await
            .expect("looks")
            .is_none()
    );
}

#[tokio::test]
async fn a_workload_ends_when_its_guard_is_killed() {
    let fixture = process();
    let (request, _lease) = request(spec("sleep 60 & sleep 60"));
    let log = Log::new();
    let mut workload = fixture
        .executor
        .start(&request, &log.sink)
        .await
        .expect("starts");
    let child = pid(&workload.reference);
    kill(Pid::from_raw(parent(child)), Signal::SIGKILL).expect("is killed");
    let (_, lost) = end(&mut workload).await;
    assert!(lost.expect_err("is lost").contains("guard"));
    assert!(!is_alive(child));
}

#[tokio::test]
async fn the_signal_that_killed_a_workload_is_reported() {
    let fixture = process();
    let (request, _lease) = request(spec("sleep 60"));
    let log = Log::new();
    let mut workload = fixture
        .executor
        .start(&request, &log.sink)
        .await
        .expect("starts");
    kill(Pid::from_raw(pid(&workload.reference)), Signal::SIGKILL).expect("is killed");
    let exit = end(&mut workload).await.1.expect("ends");
    assert_eq!((exit.reason, exit.code), (RunReason::AgentError, None));
    assert!(exit.message.contains("signal 9"), "{}", exit.message);
}

#[tokio::test]
async fn a_run_without_a_command_is_refused_with_a_message() {
    let fixture = process();
    let mut empty = spec("");
    empty.command.clear();
    let (request, _lease) = request(empty);
    let error = fixture
        .executor
        .start(&request, &Log::new().sink)
        .await
        .err()
        .expect("is refused");
    assert!(error.to_string().contains("There is no command"), "{error}");
}

#[test]
fn a_guard_without_a_worker_ends() {
    let mut guard = Command::new(common::GUARD)
        .arg("process-guard")
        .stdin(std::process::Stdio::null())
        .spawn()
        .expect("starts");
    assert!(guard.wait().expect("ends").success());
}
