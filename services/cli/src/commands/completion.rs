//! `ck8s completion`: scripts for shells.
use clap::{Args, CommandFactory, Parser, ValueEnum};
use clap_complete::generate;

use crate::{
    fault::{Exit, Fault},
    output,
};

/// Which script.
#[derive(Args, Clone, Debug)]
pub struct Completion {
    /// The shell.
    #[arg(value_enum)]
    pub shell: Shell,
}

/// Shells with a completion script.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shell {
    /// GNU Bash.
    Bash,
    /// The Z shell.
    Zsh,
    /// The friendly interactive shell.
    Fish,
}

/// The client's commands alone.
#[derive(Parser)]
#[command(name = "ck8s")]
struct Client {
    #[command(flatten)]
    _global: crate::Global,
    #[command(subcommand)]
    _command: crate::Command,
}

/// The client's commands alone, where the binary does not say what else there is.
pub(crate) fn client() -> clap::Command {
    Client::command()
}

pub(crate) fn run(completion: &Completion, mut root: clap::Command) -> Result<Exit, Fault> {
    let shell = match completion.shell {
        Shell::Bash => clap_complete::Shell::Bash,
        Shell::Zsh => clap_complete::Shell::Zsh,
        Shell::Fish => clap_complete::Shell::Fish,
    };
    let mut script = Vec::new();
    generate(shell, &mut root, "ck8s", &mut script);
    output::raw(&script)?;
    Ok(Exit::Done)
}
