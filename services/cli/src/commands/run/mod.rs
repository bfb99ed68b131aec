//! `ck8s run`: the verbs about runs.
mod events;
mod explain;
mod list;
mod logs;
mod show;
mod start;
pub(super) mod watch;

use ck8s_proto::runs::v1::{CancelRunRequest, GetRunRequest, RetryRunRequest};
use clap::Subcommand;

use crate::{
    args::Limit,
    client::request_id,
    connection::Connection,
    error::{CliError, ExitStatus, ResponseExt as _},
    options::GlobalOptions,
};

/// The verbs about runs.
#[derive(Subcommand, Clone, Debug)]
pub enum RunVerb {
    /// Lists runs, newest first.
    #[command(after_help = "Example:\n  ck8s run list --project shop --state running")]
    List(list::List),
    /// Shows one run.
    #[command(after_help = "Example:\n  ck8s run get 019ab6d4-7c1e-7d32-8a54-0f5e1d2c3b4a -o json")]
    Get {
        /// Its id.
        run: String,
    },
    /// Starts a run by hand: a trigger of a repository, or any command.
    #[command(
        after_help = "Examples:\n  ck8s run start --repo acme/shop --trigger build --watch\n  ck8s run start --project shop --image alpine:3 --timeout 10m -- echo hello"
    )]
    Start(Box<start::Start>),
    /// Shows what happens, live; with a run, until it ends: 0 if it succeeded, else 1.
    #[command(
        after_help = "Examples:\n  ck8s run watch 019ab6d4-7c1e-7d32-8a54-0f5e1d2c3b4a\n  ck8s run watch --project shop"
    )]
    Watch {
        /// The run's id; without it, all runs.
        #[arg(conflicts_with = "project")]
        run: Option<String>,
        /// All runs of the project (id or slug).
        #[arg(long)]
        project: Option<String>,
    },
    /// Writes a run's log to standard output.
    #[command(after_help = "Example:\n  ck8s run logs -f 019ab6d4-7c1e-7d32-8a54-0f5e1d2c3b4a")]
    Logs(logs::Logs),
    /// Ends a run.
    #[command(
        after_help = "Example:\n  ck8s run cancel 019ab6d4-7c1e-7d32-8a54-0f5e1d2c3b4a --message mistaken"
    )]
    Cancel {
        /// Its id.
        run: String,
        /// Why.
        #[arg(long, short)]
        message: Option<String>,
    },
    /// Starts a new run with the spec of one that has ended.
    #[command(
        after_help = "Example:\n  ck8s run retry 019ab6d4-7c1e-7d32-8a54-0f5e1d2c3b4a --watch"
    )]
    Retry {
        /// Its id.
        run: String,
        /// Watch the new run until it ends: 0 if it succeeded, else 1.
        #[arg(long)]
        watch: bool,
    },
    /// Lists what happened to a run, oldest first.
    #[command(after_help = "Example:\n  ck8s run events 019ab6d4-7c1e-7d32-8a54-0f5e1d2c3b4a")]
    Events {
        /// Its id.
        run: String,
        /// How many.
        #[command(flatten)]
        limit: Limit,
    },
    /// Says why a run waits, or why it ended as it did.
    #[command(after_help = "Example:\n  ck8s run explain 019ab6d4-7c1e-7d32-8a54-0f5e1d2c3b4a")]
    Explain {
        /// Its id.
        run: String,
    },
}

pub(crate) async fn run(verb: RunVerb, options: &GlobalOptions) -> Result<ExitStatus, CliError> {
    let connection = Connection::open(options).await?;
    let (mut runs, client) = (connection.client.runs(), &connection.client);
    match verb {
        RunVerb::List(args) => list::run(&connection, args).await?,
        RunVerb::Get { run } => {
            let what = format!("cannot get run {run}");
            let response = runs
                .get_run(client.request(GetRunRequest { run_id: run }))
                .await
                .context(what)?;
            show::print(&connection, &response.run.unwrap_or_default())?;
        }
        RunVerb::Start(args) => return start::run(&connection, *args).await,
        RunVerb::Watch { run: Some(run), .. } => return watch::one(&connection, &run).await,
        RunVerb::Watch { project, .. } => return watch::all(&connection, project.as_deref()).await,
        RunVerb::Logs(args) => logs::run(&connection, args).await?,
        RunVerb::Cancel { run, message } => {
            let what = format!("cannot cancel run {run}");
            let message = message.unwrap_or_default();
            let request = CancelRunRequest {
                request_id: request_id(),
                run_id: run,
                message,
            };
            let response = runs
                .cancel_run(client.request(request))
                .await
                .context(what)?;
            show::print(&connection, &response.run.unwrap_or_default())?;
        }
        RunVerb::Retry { run, watch } => {
            let what = format!("cannot retry run {run}");
            let request = RetryRunRequest {
                request_id: request_id(),
                run_id: run,
            };
            let response = runs
                .retry_run(client.request(request))
                .await
                .context(what)?;
            let run = response.run.unwrap_or_default();
            return start::show_or_watch(&connection, run, watch).await;
        }
        RunVerb::Events { run, limit } => events::run(&connection, &run, limit).await?,
        RunVerb::Explain { run } => explain::run(&connection, run).await?,
    }
    Ok(ExitStatus::Success)
}
