//! The command line as a client of the gRPC API: nouns and verbs, one connection, answers as tables, JSON or YAML, and exit statuses
//! that scripts can rely on. What runs a server or a worker node is not here: the binary adds that beside [`Command`].
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod args;
mod asker;
mod client;
mod commands;
mod credentials;
mod fault;
mod follow;
mod global;
mod json;
mod output;
mod ready;
mod session;
mod table;
mod waiting;

use std::{
    io::{IsTerminal, Write},
    process::ExitCode,
};

pub use commands::join::has_joined;
pub use commands::{
    completion::Completion, delivery::DeliveryVerb, keys::KeysVerb, login::Login,
    member::MemberVerb, project::ProjectVerb, repo::RepoVerb, run::RunVerb, slot::SlotVerb,
    smoke::Smoke, token::TokenVerb, user::UserVerb, worker::WorkerVerb,
};
pub use global::Global;
pub use output::Format;

use fault::{Exit, Fault};

/// What a client can do, by noun. The binary flattens it into its own commands. `worker` is not among them, because `ck8s worker`
/// without a verb runs a worker node: the binary puts an `Option<WorkerVerb>` into that command's arguments and calls
/// [`run_worker_verb`].
#[derive(clap::Subcommand, Debug)]
pub enum Command {
    /// Projects: what repositories, runs and slots belong to.
    #[command(
        subcommand,
        after_help = "Example:\n  ck8s project create shop --name 'The shop'"
    )]
    Project(ProjectVerb),
    /// Who may sign in, and who may do everything.
    #[command(subcommand, after_help = "Example:\n  ck8s user add octo@example.com")]
    User(UserVerb),
    /// Who may do what in a project.
    #[command(
        subcommand,
        after_help = "Example:\n  ck8s member add shop octo@example.com --role read-write"
    )]
    Member(MemberVerb),
    /// API tokens.
    #[command(
        subcommand,
        after_help = "Example:\n  ck8s token create node-1 --kind worker --expires-in 90d"
    )]
    Token(TokenVerb),
    /// What seals secrets at rest.
    #[command(subcommand, after_help = "Example:\n  ck8s keys rotate")]
    Keys(KeysVerb),
    /// Signs in, and keeps the session for every command after it.
    #[command(
        after_help = "Example:\n  ck8s login --url https://ck8s.example\n  ck8s login --url https://ck8s.example --token-file -"
    )]
    Login(Login),
    /// Signs out, and forgets the session or token.
    #[command(after_help = "Example:\n  ck8s logout --url https://ck8s.example")]
    Logout,
    /// Says who the server takes you for, and what you may where.
    #[command(after_help = "Example:\n  CK8S_URL=http://127.0.0.1:8080 CK8S_TOKEN=... ck8s whoami")]
    Whoami,
    /// Repositories, their webhook secrets and the secrets of their runs.
    #[command(
        subcommand,
        after_help = "Example:\n  ck8s repo add acme/shop --project shop --external-id 123456 --services-file services.yaml"
    )]
    Repo(RepoVerb),
    /// Runs: start, watch, read, cancel, repeat, explain.
    #[command(
        subcommand,
        after_help = "Example:\n  ck8s run list --state pending --state running"
    )]
    Run(RunVerb),
    /// Deliveries: the inbox of webhooks.
    #[command(
        subcommand,
        after_help = "Example:\n  ck8s delivery send --event issues --payload labeled.json --wait"
    )]
    Delivery(DeliveryVerb),
    /// Slots: how many runs a project may have at once.
    #[command(subcommand, after_help = "Example:\n  ck8s slot set shop 8")]
    Slot(SlotVerb),
    /// Checks a running environment from outside, as a client: webhooks, a run to its end, who is refused.
    #[command(
        after_help = "It makes a repository of its own in the project `smoke` and removes it again, whatever happens.\n\n\
            Example:\n  CK8S_TOKEN=... ck8s smoke --url https://ck8s.example --image busybox:1.37 -o json"
    )]
    Smoke(Smoke),
    /// Writes a shell's completion script.
    #[command(after_help = "Example:\n  ck8s completion bash > /etc/bash_completion.d/ck8s")]
    Completion(Completion),
}

/// Runs a client command; errors go to standard error, as one line.
pub async fn run(command: Command, global: Global) -> ExitCode {
    finish(dispatch(command, &global).await)
}

/// Runs a verb of `ck8s worker`.
pub async fn run_worker_verb(verb: WorkerVerb, global: Global) -> ExitCode {
    finish(commands::worker::run(verb, &global).await)
}

/// Writes a shell's completion script for `root`, the binary's whole command.
pub fn run_completion(completion: &Completion, root: clap::Command) -> ExitCode {
    finish(commands::completion::run(completion, root))
}

async fn dispatch(command: Command, global: &Global) -> Result<Exit, Fault> {
    match command {
        Command::Project(verb) => commands::project::run(verb, global).await,
        Command::User(verb) => commands::user::run(verb, global).await,
        Command::Member(verb) => commands::member::run(verb, global).await,
        Command::Token(verb) => commands::token::run(verb, global).await,
        Command::Keys(verb) => commands::keys::run(verb, global).await,
        Command::Login(login) => commands::login::run(login, global).await,
        Command::Logout => commands::logout::run(global).await,
        Command::Whoami => commands::whoami::run(global).await,
        Command::Repo(verb) => commands::repo::run(verb, global).await,
        Command::Run(verb) => commands::run::run(verb, global).await,
        Command::Delivery(verb) => commands::delivery::run(verb, global).await,
        Command::Slot(verb) => commands::slot::run(verb, global).await,
        Command::Smoke(smoke) => commands::smoke::run(smoke, global).await,
        Command::Completion(completion) => {
            commands::completion::run(&completion, commands::completion::client())
        }
    }
}

fn finish(result: Result<Exit, Fault>) -> ExitCode {
    let fault = match result {
        Ok(exit) => return exit.into(),
        Err(fault) => fault,
    };
    if fault.exit() != Exit::Done {
        let red = std::io::stderr().is_terminal()
            && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty());
        let word = if red {
            "\u{1b}[31merror\u{1b}[0m"
        } else {
            "error"
        };
        // Nobody reads it: the exit status still tells.
        let _ = writeln!(std::io::stderr().lock(), "{word}: {fault}");
    }
    fault.exit().into()
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};

    use super::*;

    #[derive(Parser)]
    #[command(name = "ck8s")]
    struct Cli {
        #[command(flatten)]
        global: Global,
        #[command(subcommand)]
        command: Top,
    }

    /// As the binary does it.
    #[derive(clap::Subcommand)]
    enum Top {
        #[command(flatten)]
        Client(Command),
        #[command(args_conflicts_with_subcommands = true)]
        Worker {
            #[arg(long)]
            url: Option<String>,
            #[command(subcommand)]
            verb: Option<WorkerVerb>,
        },
    }

    fn each(command: &clap::Command, path: &str, check: &mut impl FnMut(&clap::Command, &str)) {
        for sub in command.get_subcommands().filter(|s| s.get_name() != "help") {
            let path = format!("{path} {}", sub.get_name());
            check(sub, &path);
            each(sub, &path, check);
        }
    }

    #[test]
    fn every_command_says_what_it_does_with_an_example_that_parses() {
        let mut root = Cli::command();
        root.build();
        let root = root;
        each(&root, "ck8s", &mut |command, path| {
            assert!(command.get_about().is_some(), "{path}: no description");
            if path == "ck8s worker" {
                return;
            }
            let help = command
                .get_after_help()
                .unwrap_or_else(|| panic!("{path}: no example"))
                .to_string();
            for line in help.lines().filter(|line| line.starts_with("  ")) {
                let words = line
                    .split(" ck8s ")
                    .nth(1)
                    .unwrap_or_else(|| panic!("{path}: {line}"));
                let words = words
                    .split([';', '<', '>', '|'])
                    .next()
                    .unwrap()
                    .replace('\'', "");
                let parsed =
                    Cli::try_parse_from(std::iter::once("ck8s").chain(words.split_whitespace()));
                // A quoted value falls apart here; all else must parse.
                if !line.contains('\'') {
                    parsed
                        .map(|_| ())
                        .unwrap_or_else(|e| panic!("{path}: {line}: {e}"));
                }
            }
        });
    }

    #[test]
    fn a_worker_node_and_the_workers_verbs_share_a_noun() {
        let node = Cli::try_parse_from(["ck8s", "worker", "--url", "http://h"]).unwrap();
        assert!(matches!(
            node.command,
            Top::Worker {
                verb: None,
                url: Some(_)
            }
        ));
        let verb = Cli::try_parse_from(["ck8s", "worker", "list", "-o", "json"]).unwrap();
        assert_eq!(verb.global.output, Format::Json);
        assert!(matches!(
            verb.command,
            Top::Worker {
                verb: Some(WorkerVerb::List { .. }),
                ..
            }
        ));
    }

    #[test]
    fn an_update_must_change_something() {
        let parse = |words: &str| Cli::try_parse_from(words.split(' '));
        assert!(parse("ck8s repo update a/b").is_err());
        assert!(parse("ck8s repo update a/b --etag 1").is_err());
        assert!(parse("ck8s repo update a/b --full-name a/c").is_ok());
    }

    #[test]
    fn a_token_is_never_an_argument() {
        assert!(Cli::try_parse_from(["ck8s", "whoami", "--token", "ck8s_adm_x"]).is_err());
    }
}
