//! Every command is documented and parses as its examples say.
use clap::{CommandFactory, Parser};

use super::*;
use crate::{Format, WorkerVerb};

#[derive(Parser)]
#[command(name = "ck8s")]
struct Cli {
    #[command(flatten)]
    options: GlobalOptions,
    #[command(subcommand)]
    command: Top,
}

/// Combines the commands as the binary does.
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
fn every_command_has_a_description_and_an_example_that_parses() {
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
            // A quoted value is split into words here; every other example must parse.
            if !line.contains('\'') {
                parsed
                    .map(|_| ())
                    .unwrap_or_else(|e| panic!("{path}: {line}: {e}"));
            }
        }
    });
}

#[test]
fn a_worker_node_and_the_verbs_about_workers_share_a_noun() {
    let node = Cli::try_parse_from(["ck8s", "worker", "--url", "http://h"]).unwrap();
    assert!(matches!(
        node.command,
        Top::Worker {
            verb: None,
            url: Some(_)
        }
    ));
    let verb = Cli::try_parse_from(["ck8s", "worker", "list", "-o", "json"]).unwrap();
    assert_eq!(verb.options.output, Format::Json);
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
