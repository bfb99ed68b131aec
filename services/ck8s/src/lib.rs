//! The program `ck8s`: its commands, the table of roles, wiring, shutdown. No logic of a service.
#![doc = include_str!("../README.md")]
mod admin;
mod certificate;
mod config;
mod limits;
mod mesh;
mod migrate;
mod readiness;
mod roles;
mod serve;
mod server;
mod shutdown;
mod sign_in;
mod up;
mod worker;

use std::{
    fmt,
    io::{self, Write},
    process::ExitCode,
    thread::available_parallelism,
};

use clap::{CommandFactory, Parser, Subcommand};

/// Runs agents and scripts for what happens on GitHub.
#[derive(Parser, Debug)]
#[command(
    name = "ck8s",
    version,
    propagate_version = true,
    after_help = "Example:\n  ck8s up\n  ck8s run list"
)]
struct Cli {
    #[command(flatten)]
    global: ck8s_cli::GlobalOptions,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Starts everything on this machine: server, database, one worker.
    Up(Box<up::UpArgs>),
    /// Starts roles of the server on a given database.
    Serve(Box<serve::ServeArgs>),
    /// Starts a worker node; or lists and drains workers.
    Worker(Box<worker::WorkerArgs>),
    /// Changes or checks the database's schema.
    #[command(subcommand, after_help = "Example:\n  ck8s migrate status")]
    Migrate(migrate::MigrateCommand),
    /// Makes admins, for whoever has the database at hand.
    #[command(
        subcommand,
        after_help = "Example:\n  ck8s admin ensure --token-file /etc/ck8s/admin/token"
    )]
    Admin(admin::AdminCommand),
    /// Says which build this program is; a server's is at its /version.
    #[command(after_help = "Example:\n  ck8s version -o json")]
    Version,
    /// Makes certificates for roles in several processes.
    #[command(
        subcommand,
        after_help = "Example:\n  ck8s certificate authority --dir authority"
    )]
    Certificate(certificate::CertificateCommand),
    /// Guards one process of the process executor; the worker starts it.
    #[command(hide = true)]
    ProcessGuard {
        /// The worker's business.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<std::ffi::OsString>,
    },
    #[command(flatten)]
    Client(ck8s_cli::Command),
}

/// Runs the command that the arguments name, and returns the process's exit status.
pub fn main() -> ExitCode {
    // The guard is one small thread beside each workload: nothing else is set up for it.
    if std::env::args_os()
        .nth(1)
        .is_some_and(|command| command == "process-guard")
    {
        return ck8s_worker::process_guard_main();
    }
    let cli = Cli::parse();
    // Only one provider is in the graph; a second call would fail, which is what it should do.
    if rustls::crypto::aws_lc_rs::default_provider()
        .install_default()
        .is_err()
    {
        return failed(&"a TLS provider is installed already");
    }
    limits::raise_open_files();
    let runtime = match runtime(&cli.command) {
        Ok(runtime) => runtime,
        Err(error) => return failed(&error),
    };
    let code = runtime
        .block_on(run(cli))
        .unwrap_or_else(|error| failed(&format!("{error:#}")));
    // What still blocks in the background must not hold up the end.
    runtime.shutdown_background();
    code
}

/// A client needs one thread; a server few: more of them only pass work to and fro.
fn runtime(command: &Command) -> io::Result<tokio::runtime::Runtime> {
    let client = matches!(
        command,
        Command::Client(_)
            | Command::Migrate(_)
            | Command::Admin(_)
            | Command::Certificate(_)
            | Command::Version
    );
    if client {
        return tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
    }
    let given = std::env::var("CK8S_THREADS")
        .ok()
        .and_then(|text| text.parse().ok())
        .filter(|&n| n > 0);
    let threads =
        given.unwrap_or_else(|| available_parallelism().map_or(2, |n| n.get().clamp(2, 8)));
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(threads)
        .enable_all()
        .build()
}

async fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    match cli.command {
        Command::Up(args) => up::run(*args, &cli.global).await,
        Command::Serve(args) => serve::run(*args).await,
        Command::Worker(args) => worker::run(*args, cli.global).await,
        Command::Migrate(command) => migrate::run(command, &cli.global).await,
        Command::Version => version(cli.global.output),
        Command::Admin(command) => admin::run(command, cli.global.token_file).await,
        Command::Certificate(command) => certificate::run(command),
        Command::Client(ck8s_cli::Command::Completion(completion)) => {
            Ok(ck8s_cli::run_completion(&completion, Cli::command()))
        }
        Command::Client(command) => Ok(ck8s_cli::run(command, cli.global).await),
        Command::ProcessGuard { .. } => Ok(ck8s_worker::process_guard_main()),
    }
}

fn version(format: ck8s_cli::Format) -> anyhow::Result<ExitCode> {
    let build = ck8s_edge::Version::default();
    if format == ck8s_cli::Format::Table {
        let ck8s_edge::Version {
            version,
            revision,
            build_time,
        } = build;
        out(format_args!(
            "ck8s {version}, revision {revision}, built {build_time}"
        ));
    } else {
        // JSON is YAML too.
        out(format_args!("{}", serde_json::to_string(&build)?));
    }
    Ok(ExitCode::SUCCESS)
}

fn failed(error: &dyn fmt::Display) -> ExitCode {
    let _ = writeln!(io::stderr(), "error: {error}");
    ExitCode::FAILURE
}

/// A line on stdout; a reader that is gone is no error.
fn out(line: fmt::Arguments<'_>) {
    let _ = writeln!(io::stdout(), "{line}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_commands_fit_together() {
        Cli::command().debug_assert();
    }

    #[test]
    fn options_of_clients_and_of_the_node_reach_their_commands() {
        let cli = Cli::parse_from([
            "ck8s",
            "worker",
            "--url",
            "http://h",
            "--executor",
            "kubernetes",
            "--label",
            "a,b",
        ]);
        assert_eq!(cli.global.url.as_deref(), Some("http://h"));
        let cli = Cli::parse_from([
            "ck8s",
            "up",
            "--data-dir",
            "/tmp/x",
            "--listen",
            "127.0.0.1:0",
        ]);
        assert_eq!(cli.global.data_dir.as_deref(), Some("/tmp/x".as_ref()));
        assert!(Cli::try_parse_from(["ck8s", "worker", "list"]).is_ok());
        assert!(Cli::try_parse_from(["ck8s", "migrate", "up", "--url", "postgres://h"]).is_ok());
    }
}
