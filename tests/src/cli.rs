//! The command line as a person uses it, with a home directory and a server of its own.
use std::{
    path::{Path, PathBuf},
    process::Stdio,
};

use serde_json::Value;
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
};

use crate::program::binary;

/// A person at a terminal.
pub struct Cli {
    home: TempDir,
    url: String,
}

/// The output and the exit status of a command.
#[derive(Debug)]
pub struct CommandOutput {
    /// The exit status.
    pub status: Option<i32>,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl CommandOutput {
    /// Returns standard output as JSON; null if it is not JSON.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_default()
    }
}

/// A sign-in that waits for a person.
pub struct Login {
    /// The code that the person types.
    pub user_code: String,
    /// The address where the person types it.
    pub page: String,
    child: Child,
    said: String,
    rest: BufReader<tokio::process::ChildStderr>,
}

impl Cli {
    /// Makes a terminal for this server, with a new home directory and nobody signed in.
    ///
    /// # Panics
    /// When the home directory cannot be created.
    #[must_use]
    pub fn new(url: &str) -> Self {
        Self {
            home: tempfile::tempdir().expect("a directory"),
            url: url.to_owned(),
        }
    }

    /// Returns the path of the credentials file.
    #[must_use]
    pub fn credentials(&self) -> PathBuf {
        self.home.path().join("ck8s/credentials.json")
    }

    /// Returns the stored credentials for the server.
    ///
    /// # Panics
    /// When nothing is stored.
    #[must_use]
    pub fn kept(&self) -> Value {
        let text = std::fs::read(self.credentials()).expect("credentials");
        let all: Value = serde_json::from_slice(&text).expect("JSON");
        all["servers"][self.url.as_str()].clone()
    }

    /// Makes the stored access token look expired.
    ///
    /// # Panics
    /// When nothing is stored.
    pub fn age(&self) {
        let text = std::fs::read(self.credentials()).expect("credentials");
        let mut all: Value = serde_json::from_slice(&text).expect("JSON");
        all["servers"][self.url.as_str()]["access_until"] = 0.into();
        std::fs::write(self.credentials(), all.to_string()).expect("it can be written");
    }

    /// Runs a command.
    ///
    /// # Panics
    /// When the program does not start.
    pub async fn run(&self, args: &[&str]) -> CommandOutput {
        let output = self.command(args).output().await.expect("it runs");
        CommandOutput {
            status: output.status.code(),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Starts a command without waiting for its end.
    ///
    /// # Panics
    /// When the program does not start.
    #[must_use]
    pub fn start(&self, args: &[&str]) -> Child {
        self.command(args)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it runs")
    }

    /// Begins `ck8s login`, up to the code that it shows.
    ///
    /// # Panics
    /// When it shows none.
    pub async fn login(&self, args: &[&str]) -> Login {
        let all: Vec<&str> = ["login"].into_iter().chain(args.iter().copied()).collect();
        let mut child = self
            .command(&all)
            .stderr(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("it runs");
        let mut rest = BufReader::new(child.stderr.take().expect("standard error"));
        let mut said = String::new();
        rest.read_line(&mut said).await.expect("a line");
        let words: Vec<&str> = said.split_whitespace().collect();
        let [.., page, "and", "enter", "the", "code", user_code] = words.as_slice() else {
            panic!("no code is shown: {said}");
        };
        Login {
            user_code: (*user_code).to_owned(),
            page: (*page).to_owned(),
            child,
            said: said.clone(),
            rest,
        }
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(binary());
        command
            .args(args)
            .env_clear()
            .env("CK8S_URL", &self.url)
            .env("XDG_CONFIG_HOME", self.home.path())
            .current_dir(self.home.path())
            .stdin(Stdio::null())
            .kill_on_drop(true);
        command
    }

    /// Its home.
    #[must_use]
    pub fn home(&self) -> &Path {
        self.home.path()
    }
}

impl Login {
    /// Waits for its end.
    ///
    /// # Panics
    /// When it cannot be waited for.
    pub async fn end(mut self) -> CommandOutput {
        let output = tokio::time::timeout(crate::WAIT_TIMEOUT, async {
            let mut line = String::new();
            while self.rest.read_line(&mut line).await.expect("a line") > 0 {}
            self.said.push_str(&line);
            self.child.wait_with_output().await.expect("it ends")
        });
        let output = output.await.expect("it ends in time");
        CommandOutput {
            status: output.status.code(),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: self.said,
        }
    }
}
