//! The command line as a client of the gRPC API.
#![doc = include_str!("../README.md")]
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod args;
mod auth;
mod client;
mod commands;
mod connection;
mod credentials;
mod dispatch;
mod error;
mod json;
mod options;
mod output;
mod proxy;
mod ready_file;
mod reconnect;
mod spinner;
mod table;
mod target;
mod terminal;
mod text;

use std::{io::Write, process::ExitCode};

pub use args::token_text;
pub use commands::{
    completion::Completion,
    delivery::DeliveryVerb,
    keys::KeysVerb,
    login::Login,
    member::MemberVerb,
    project::ProjectVerb,
    repo::RepoVerb,
    run::RunVerb,
    slot::SlotVerb,
    smoke::Smoke,
    token::TokenVerb,
    user::UserVerb,
    worker::{WorkerVerb, join::has_joined},
};
pub use dispatch::Command;
pub use options::GlobalOptions;
pub use output::Format;

use error::{CliError, ExitStatus};

/// Runs a client command; an error goes to standard error, as one line.
pub async fn run(command: Command, options: GlobalOptions) -> ExitCode {
    exit_code(dispatch::run(command, &options).await)
}

/// Runs a verb of `ck8s worker`.
pub async fn run_worker_verb(verb: WorkerVerb, options: GlobalOptions) -> ExitCode {
    exit_code(commands::worker::run(verb, &options).await)
}

/// Prints a shell's completion script for `root`, the binary's whole command.
pub fn run_completion(completion: &Completion, root: clap::Command) -> ExitCode {
    exit_code(commands::completion::run(completion, root))
}

/// Prints the error, if there is one, and returns the exit code.
fn exit_code(result: Result<ExitStatus, CliError>) -> ExitCode {
    let error = match result {
        Ok(status) => return status.into(),
        Err(error) => error,
    };
    if error.exit_status() != ExitStatus::Success {
        let label = if terminal::stderr_has_color() {
            "\u{1b}[31merror\u{1b}[0m"
        } else {
            "error"
        };
        // If standard error is closed, the exit code still tells.
        let _ = writeln!(std::io::stderr().lock(), "{label}: {error}");
    }
    error.exit_status().into()
}
