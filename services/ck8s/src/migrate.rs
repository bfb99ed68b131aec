//! `ck8s migrate up|down|status|verify`.
use std::process::ExitCode;

use anyhow::{Context, Result};
use ck8s_db::migrate;
use clap::Subcommand;
use secrecy::ExposeSecret;

use crate::config::database_url;

/// The verbs about the schema.
#[derive(Subcommand, Debug)]
pub(crate) enum MigrateCommand {
    /// Applies what is pending. Safe to run by several at once: one does it, the others wait.
    #[command(
        after_help = "Example:\n  CK8S_DATABASE_URL=postgres://ck8s:...@db/ck8s ck8s migrate up"
    )]
    Up(Database),
    /// Reverts the last N migrations, newest first.
    #[command(after_help = "Example:\n  ck8s migrate down 1 --database-url postgres://db/ck8s")]
    Down {
        /// How many.
        #[arg(value_name = "N")]
        steps: usize,
        /// Which database.
        #[command(flatten)]
        database: Database,
    },
    /// Lists every migration and its state.
    #[command(after_help = "Example:\n  ck8s migrate status")]
    Status(Database),
    /// Ends with 1 unless the schema is exactly this program's.
    #[command(after_help = "Example:\n  ck8s migrate verify && ck8s serve --role all")]
    Verify(Database),
}

/// Which database.
#[derive(clap::Args, Debug)]
pub(crate) struct Database {
    /// The database. Rather set CK8S_DATABASE_URL or DATABASE_URL: arguments are seen by every user of the machine.
    #[arg(long, value_name = "URL")]
    database_url: Option<String>,
}

impl Database {
    /// `--database-url`, or the global `--url` when that is a database's address, or the environment.
    fn url(self, url: Option<&str>) -> Result<secrecy::SecretString> {
        let url = url
            .filter(|url| url.starts_with("postgres"))
            .map(str::to_owned);
        match self.database_url.or(url) {
            Some(url) => Ok(url.into()),
            None => database_url().context(
                "which database? set CK8S_DATABASE_URL or DATABASE_URL, or give --database-url",
            ),
        }
    }
}

/// Runs it.
pub(crate) async fn run(command: MigrateCommand, url: Option<&str>) -> Result<ExitCode> {
    match command {
        MigrateCommand::Up(database) => {
            let applied = migrate::up(database.url(url)?.expose_secret()).await?;
            say("applied", &applied, "nothing to apply");
        }
        MigrateCommand::Down { steps, database } => {
            let reverted = migrate::down(database.url(url)?.expose_secret(), steps).await?;
            say("reverted", &reverted, "nothing to revert");
        }
        MigrateCommand::Status(database) => {
            for m in migrate::status(database.url(url)?.expose_secret()).await? {
                let at = m.applied_at.map(|at| at.to_string()).unwrap_or_default();
                crate::out(format_args!(
                    "{:<12} {} {:<24} {at}",
                    m.state.as_str(),
                    m.version,
                    m.description
                ));
            }
        }
        MigrateCommand::Verify(database) => {
            migrate::verify(database.url(url)?.expose_secret()).await?;
            crate::out(format_args!("the schema is this program's"));
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn say(what: &str, versions: &[i64], nothing: &str) {
    if versions.is_empty() {
        crate::out(format_args!("{nothing}"));
    }
    for version in versions {
        crate::out(format_args!("{what} {version}"));
    }
}
