//! `ck8s completion`: prints a shell's completion script.
use clap::{Args, ValueEnum};
use clap_complete::generate;

use crate::{
    error::{CliError, ExitStatus},
    output,
};

/// The arguments of `ck8s completion`.
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

pub(crate) fn run(
    completion: &Completion,
    mut root: clap::Command,
) -> Result<ExitStatus, CliError> {
    let shell = match completion.shell {
        Shell::Bash => clap_complete::Shell::Bash,
        Shell::Zsh => clap_complete::Shell::Zsh,
        Shell::Fish => clap_complete::Shell::Fish,
    };
    let mut script = Vec::new();
    generate(shell, &mut root, "ck8s", &mut script);
    output::print_bytes(&script)?;
    Ok(ExitStatus::Success)
}
