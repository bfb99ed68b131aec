//! The baselines: pgbench on the same PostgreSQL, in a database of its own.
use std::{path::Path, process::Stdio};

use anyhow::{Context, Result};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, PgPool};
use tokio::process::Command;

/// A database for baselines on the server's PostgreSQL.
pub(crate) struct Baseline {
    url: String,
    dir: std::path::PathBuf,
}

impl Baseline {
    /// Creates the database with the tables of both baselines.
    pub(crate) async fn make(pool: &PgPool, database_url: &str, dir: &Path) -> Result<Self> {
        pool.execute(AssertSqlSafe("DROP DATABASE IF EXISTS baseline".to_owned()))
            .await?;
        pool.execute(AssertSqlSafe("CREATE DATABASE baseline".to_owned()))
            .await?;
        let (base, query) = database_url.split_once('?').unwrap_or((database_url, ""));
        let base = base
            .rsplit_once('/')
            .context("a database in the address")?
            .0;
        let url = if query.is_empty() {
            format!("{base}/baseline")
        } else {
            format!("{base}/baseline?{query}")
        };
        let mut conn = PgConnection::connect(&url).await?;
        conn.execute(
            "CREATE TABLE run (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, delivery uuid NOT NULL UNIQUE, state text NOT NULL DEFAULT 'pending',
                 payload jsonb NOT NULL, created_at timestamptz NOT NULL DEFAULT now());
             CREATE TABLE event (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, run_id bigint NOT NULL, kind text NOT NULL,
                 at timestamptz NOT NULL DEFAULT now());
             CREATE TABLE chunk (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, run_id bigint NOT NULL, data text NOT NULL)",
        )
        .await?;
        std::fs::write(
            dir.join("ingest.sql"),
            "WITH r AS (INSERT INTO run (delivery, payload) VALUES (gen_random_uuid(), :payload::jsonb) RETURNING id)\n\
             INSERT INTO event (run_id, kind) SELECT id, 'created' FROM r;\n"
                .replace('\n', " "),
        )?;
        std::fs::write(
            dir.join("chunk.sql"),
            "INSERT INTO chunk (run_id, data) VALUES (:client_id, :data);\n",
        )?;
        Ok(Self {
            url,
            dir: dir.to_owned(),
        })
    }

    /// Returns the database's address.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Returns the transactions per second of one-row ingest.
    pub(crate) async fn ingest(&self, clients: usize, seconds: u64, payload: &[u8]) -> Result<f64> {
        let payload = std::str::from_utf8(payload)?;
        self.pgbench(
            "ingest.sql",
            clients,
            seconds,
            &format!("payload={payload}"),
        )
        .await
    }

    /// Returns the chunks per second that are stored one row each.
    pub(crate) async fn chunks(&self, clients: usize, seconds: u64, data: &str) -> Result<f64> {
        self.pgbench("chunk.sql", clients, seconds, &format!("data={data}"))
            .await
    }

    async fn pgbench(
        &self,
        script: &str,
        clients: usize,
        seconds: u64,
        variable: &str,
    ) -> Result<f64> {
        let out = Command::new("pgbench")
            .args([
                "-n",
                "-M",
                "prepared",
                "-c",
                &clients.to_string(),
                "-j",
                "1",
                "-T",
                &seconds.to_string(),
                "-D",
                variable,
                "-f",
            ])
            .arg(self.dir.join(script))
            .arg(&self.url)
            .stderr(Stdio::piped())
            .output()
            .await
            .context("pgbench is missing: it comes with PostgreSQL's client or contrib programs")?;
        let text = String::from_utf8_lossy(&out.stdout).into_owned();
        let tps = text
            .lines()
            .find_map(|l| l.strip_prefix("tps = "))
            .and_then(|l| l.split(' ').next());
        tps.with_context(|| {
            format!(
                "pgbench said: {text}{}",
                String::from_utf8_lossy(&out.stderr)
            )
        })?
        .parse()
        .context("tps")
    }
}
