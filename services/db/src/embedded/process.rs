//! The server's process: whether it runs, and stopping one that a killed process left running.
use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use super::{
    error::{EmbeddedError, at},
    home::Home,
};

/// How long a fast shutdown (it writes a checkpoint) may take before it is made an immediate one.
pub(super) const FAST_STOP_TIMEOUT: Duration = Duration::from_secs(20);
/// How long an immediate shutdown may take.
const IMMEDIATE_STOP_TIMEOUT: Duration = Duration::from_secs(10);

/// Stops the server of this cluster if a killed process left one running.
pub(super) async fn stop_left_over(home: &Home) -> Result<(), EmbeddedError> {
    let note = home.data().join("postmaster.pid");
    let Some(left) = fs::read_to_string(&note)
        .ok()
        .and_then(|text| text.lines().next()?.trim().parse::<u32>().ok())
    else {
        return Ok(());
    };
    if kill(pid(left), None).is_err() {
        return Ok(()); // stale: the server sees that by itself, and checks for orphaned backends
    }
    if !is_postmaster(left, &home.data()) {
        // The id belongs to another process now, after a reboot for example. The server would wait for that one.
        tracing::warn!(
            pid = left,
            "postmaster.pid names a process that is not this cluster's: removing it"
        );
        return fs::remove_file(&note).map_err(at(&note));
    }
    tracing::info!(
        pid = left,
        "a killed process left PostgreSQL running: stopping it"
    );
    for (signal, timeout) in [
        (Signal::SIGINT, FAST_STOP_TIMEOUT),
        (Signal::SIGQUIT, IMMEDIATE_STOP_TIMEOUT),
    ] {
        let _ = kill(pid(left), signal);
        let until = Instant::now() + timeout;
        while Instant::now() < until {
            if !is_postmaster(left, &home.data()) {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
    Err(EmbeddedError::InUse(home.dir.clone()))
}

/// Whether this process is the server of the cluster in `data`: it runs with that as its working directory.
fn is_postmaster(id: u32, data: &Path) -> bool {
    let process = PathBuf::from(format!("/proc/{id}"));
    if Path::new("/proc/self").exists() {
        // A process that ended and was not collected yet has no working directory.
        return fs::read_link(process.join("cwd")).is_ok_and(|cwd| cwd == data);
    }
    let output = std::process::Command::new("ps")
        .args(["-o", "command=", "-p", &id.to_string()])
        .output();
    output.is_ok_and(|out| {
        String::from_utf8_lossy(&out.stdout).contains(&*data.display().to_string())
    })
}

pub(super) fn pid(id: u32) -> Pid {
    Pid::from_raw(i32::try_from(id).unwrap_or(i32::MAX))
}
