//! The program as a child process: its output kept, its end certain.
use std::{
    env,
    fs::OpenOptions,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use crate::until;

/// Returns the path of the program: `$CK8S_BIN`, or else beside the directory of the test's own executable.
///
/// # Panics
/// When the program has not been built.
#[must_use]
pub fn binary() -> PathBuf {
    if let Some(path) = env::var_os("CK8S_BIN") {
        return path.into();
    }
    let own = env::current_exe().expect("a process knows its program");
    let path = own
        .parent()
        .and_then(Path::parent)
        .expect("target/<profile>/deps")
        .join("ck8s");
    assert!(
        path.exists(),
        "{} is missing: build it with `cargo build -p ck8s`",
        path.display()
    );
    path
}

/// One process of the program.
pub struct Program {
    child: Child,
    log: PathBuf,
    name: String,
}

impl Program {
    /// Starts a build of the program with only the environment that is named here. Its output is appended to the log.
    ///
    /// # Panics
    /// When it cannot be started.
    #[must_use]
    pub fn start(
        binary: &Path,
        name: &str,
        log: &Path,
        args: &[String],
        env: &[(String, String)],
    ) -> Self {
        let output = || {
            OpenOptions::new()
                .create(true)
                .append(true)
                .open(log)
                .expect("a log file")
        };
        let child = Command::new(binary)
            .args(args)
            .env_clear()
            .env("PATH", env::var("PATH").unwrap_or_default())
            .env("HOME", log.parent().expect("a log lies in a directory"))
            .env("CK8S_LOG", "info,ck8s_runs=debug,ck8s_worker=debug,ck8s_ingress=debug,ck8s_edge=debug,ck8s_rpc=debug")
            .env("RUST_BACKTRACE", "1")
            .envs(env.iter().cloned())
            .stdin(Stdio::null())
            .stdout(output())
            .stderr(output())
            .spawn()
            .expect("the program starts");
        Self {
            child,
            log: log.to_owned(),
            name: name.to_owned(),
        }
    }

    /// Returns the process id.
    #[must_use]
    pub fn pid(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.child.id()).expect("a process id fits"))
    }

    /// Sends a signal to the process.
    pub fn signal(&self, signal: Signal) {
        kill(self.pid(), signal).expect("it lives");
    }

    /// Kills the process with SIGKILL and reaps it.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Sends SIGTERM and waits for the end of the process.
    pub async fn terminate(&mut self) -> ExitStatus {
        self.signal(Signal::SIGTERM);
        until(&format!("{} ends after SIGTERM", self.name), async || {
            self.ended()
        })
        .await
    }

    /// Returns the exit status if the process has ended.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("it is our child")
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            let log = std::fs::read_to_string(&self.log).unwrap_or_default();
            let lines: Vec<&str> = log.lines().collect();
            println!("--- the end of the log of {} ---", self.name);
            for line in &lines[lines.len().saturating_sub(60)..] {
                println!("{line}");
            }
        }
    }
}

/// Returns whether a process lives. A zombie does not.
#[must_use]
pub fn lives(pid: i32) -> bool {
    let Ok(stat) = std::fs::read_to_string(format!("/proc/{pid}/stat")) else {
        return false;
    };
    // pid (name) state ...; the name may hold anything but ends with the last parenthesis.
    !matches!(
        stat.rsplit_once(") ")
            .and_then(|(_, rest)| rest.chars().next()),
        Some('Z' | 'X') | None
    )
}
