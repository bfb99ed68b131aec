//! The database of `ck8s up`.
use anyhow::{Result, anyhow};
use ck8s_db::embedded::{self, Embedded};
use secrecy::SecretString;

use super::data_dir::DataDir;
use crate::config::database_url;

/// The database: the embedded one, or a given one.
pub(crate) enum Database {
    Given(SecretString),
    Embedded(Box<Embedded>),
}

impl Database {
    /// Starts the embedded server, unless the environment names a database.
    pub(crate) async fn start(dir: &DataDir) -> Result<Self> {
        if let Some(url) = database_url() {
            return Ok(Self::Given(url));
        }
        let options = embedded::Options { durable: true };
        let server = Embedded::start(&dir.postgres(), options).await?;
        Ok(Self::Embedded(Box::new(server)))
    }

    /// Returns the address for this process.
    pub(crate) fn url(&self) -> SecretString {
        match self {
            Self::Given(url) => url.clone(),
            Self::Embedded(server) => server.url().into(),
        }
    }

    /// Returns the address for other programs on this machine.
    pub(crate) fn url_for_others(&self) -> SecretString {
        match self {
            Self::Given(url) => url.clone(),
            Self::Embedded(server) => server.tcp_url().into(),
        }
    }

    /// Waits until the embedded server ends by itself.
    pub(crate) async fn failed(&mut self) -> anyhow::Error {
        match self {
            Self::Given(_) => std::future::pending().await,
            Self::Embedded(server) => {
                server.wait().await;
                anyhow!("PostgreSQL ended by itself: see postgres/server.log in the data directory")
            }
        }
    }

    /// Stops the embedded server.
    pub(crate) async fn stop(self) {
        if let Self::Embedded(server) = self {
            server.stop().await;
        }
    }
}
