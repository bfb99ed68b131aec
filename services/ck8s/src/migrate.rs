//! `ck8s migrate up|down|status|verify`.
use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use ck8s_cli::GlobalOptions;
use ck8s_db::migrate;
use clap::Subcommand;
use secrecy::ExposeSecret;

use crate::{
    config::database_url,
    up::{self, DataDir},
};

/// The verbs about the schema.
#[derive(Subcommand, Debug)]
pub(crate) enum MigrateCommand {
    /// Applies what is pending. Safe to run by several at once: one does it, the others wait.
    #[command(
        after_help = "Example:\n  CK8S_DATABASE_URL=postgres://ck8s:...@db/ck8s ck8s migrate up"
    )]
    Up(Database),
    /// Reverts the last N migrations, newest first.
    #[command(
        after_help = "Examples:\n  ck8s migrate down 1 --database-url postgres://db/ck8s\n  ck8s migrate down 1 --data-dir .ck8s"
    )]
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

impl MigrateCommand {
    fn database(&self) -> &Database {
        match self {
            Self::Up(database) | Self::Status(database) | Self::Verify(database) => database,
            Self::Down { database, .. } => database,
        }
    }

    async fn run_on(&self, url: &str) -> Result<()> {
        match self {
            Self::Up(_) => say("applied", &migrate::up(url).await?, "nothing to apply"),
            Self::Down { steps, .. } => {
                let reverted = migrate::down(url, *steps).await?;
                say("reverted", &reverted, "nothing to revert");
            }
            Self::Status(_) => {
                for m in migrate::status(url).await? {
                    let at = m.applied_at.map(|at| at.to_string()).unwrap_or_default();
                    crate::out(format_args!(
                        "{:<12} {} {:<24} {at}",
                        m.state.as_str(),
                        m.version,
                        m.description
                    ));
                }
            }
            Self::Verify(_) => {
                migrate::verify(url).await?;
                crate::out(format_args!("the schema is this program's"));
            }
        }
        Ok(())
    }
}

/// A database that is open to the command, and the data directory that it is in.
struct OpenDatabase {
    database: up::Database,
    /// Locked for as long as its database runs.
    _dir: Option<DataDir>,
}

impl Database {
    /// Opens `--database-url`, or the global `--url` when that is a database's address, or the database of the data
    /// directory, or that of the environment.
    async fn open(&self, global: &GlobalOptions) -> Result<OpenDatabase> {
        let url = global
            .url
            .as_ref()
            .filter(|url| url.starts_with("postgres"));
        if let Some(url) = self.database_url.as_ref().or(url) {
            return Ok(given(url.as_str().into()));
        }
        let Some(dir) = &global.data_dir else {
            let url = database_url().context(
                "which database? set CK8S_DATABASE_URL or DATABASE_URL, or give --database-url, or the --data-dir of a `ck8s up` that is stopped",
            );
            return url.map(given);
        };
        ensure!(
            dir.is_dir(),
            "{} is no data directory of `ck8s up`",
            dir.display()
        );
        let dir = DataDir::open(dir)?;
        Ok(OpenDatabase {
            database: up::Database::start(&dir).await?,
            _dir: Some(dir),
        })
    }
}

fn given(url: secrecy::SecretString) -> OpenDatabase {
    OpenDatabase {
        database: up::Database::Given(url),
        _dir: None,
    }
}

/// Runs it.
pub(crate) async fn run(command: MigrateCommand, global: &GlobalOptions) -> Result<ExitCode> {
    let open = command.database().open(global).await?;
    let result = command.run_on(open.database.url().expose_secret()).await;
    open.database.stop().await;
    result.map(|()| ExitCode::SUCCESS)
}

fn say(what: &str, versions: &[i64], nothing: &str) {
    if versions.is_empty() {
        crate::out(format_args!("{nothing}"));
    }
    for version in versions {
        crate::out(format_args!("{what} {version}"));
    }
}
