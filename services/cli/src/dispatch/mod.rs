//! The client's commands, by noun, and the function that runs one.
use clap::{CommandFactory, Parser};

use crate::{
    commands::{
        self, completion::Completion, delivery::DeliveryVerb, keys::KeysVerb, login::Login,
        member::MemberVerb, project::ProjectVerb, repo::RepoVerb, run::RunVerb, slot::SlotVerb,
        smoke::Smoke, token::TokenVerb, user::UserVerb,
    },
    error::{CliError, ExitStatus},
    options::GlobalOptions,
};

/// The client's commands, by noun. The binary flattens them into its own. `worker` is not among them, because `ck8s
/// worker` without a verb runs a worker node: the binary puts an `Option<WorkerVerb>` into that command's arguments and
/// calls [`crate::run_worker_verb`].
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

/// The client's commands alone, for a completion script where the binary does not say what else there is.
#[derive(Parser)]
#[command(name = "ck8s")]
struct Client {
    #[command(flatten)]
    _options: GlobalOptions,
    #[command(subcommand)]
    _command: Command,
}

/// Runs a command.
pub(crate) async fn run(command: Command, options: &GlobalOptions) -> Result<ExitStatus, CliError> {
    match command {
        Command::Project(verb) => commands::project::run(verb, options).await,
        Command::User(verb) => commands::user::run(verb, options).await,
        Command::Member(verb) => commands::member::run(verb, options).await,
        Command::Token(verb) => commands::token::run(verb, options).await,
        Command::Keys(verb) => commands::keys::run(verb, options).await,
        Command::Login(login) => commands::login::run(login, options).await,
        Command::Logout => commands::logout::run(options).await,
        Command::Whoami => commands::whoami::run(options).await,
        Command::Repo(verb) => commands::repo::run(verb, options).await,
        Command::Run(verb) => commands::run::run(verb, options).await,
        Command::Delivery(verb) => commands::delivery::run(verb, options).await,
        Command::Slot(verb) => commands::slot::run(verb, options).await,
        Command::Smoke(smoke) => commands::smoke::run(smoke, options).await,
        Command::Completion(completion) => {
            commands::completion::run(&completion, Client::command())
        }
    }
}

#[cfg(test)]
mod tests;
