//! The peers: npm packages, installed into target/load-peers when they are needed, run by the small programs in
//! tests/load/peers.
use std::{
    path::{Path, PathBuf},
    process::Stdio,
};

use anyhow::{Context, Result, ensure};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
};

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("peers")
}

/// Installs the peers; their versions are locked.
pub(crate) async fn install() -> Result<PathBuf> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/load-peers");
    std::fs::create_dir_all(&dir)?;
    for entry in std::fs::read_dir(source())? {
        let entry = entry?;
        std::fs::copy(entry.path(), dir.join(entry.file_name()))?;
    }
    let done = Command::new("npm")
        .args(["ci", "--no-audit", "--no-fund", "--silent"])
        .current_dir(&dir)
        .status()
        .await
        .context("npm is missing")?;
    ensure!(done.success(), "npm ci failed in {}", dir.display());
    Ok(dir)
}

/// Starts probot, a receiver that stores nothing. Returns its process and address.
pub(crate) async fn probot(dir: &Path, secret: &str) -> Result<(Child, String)> {
    let mut child = node(dir, "probot.mjs")
        .env("WEBHOOK_SECRET", secret)
        .spawn()?;
    let line = first_line(&mut child).await?;
    Ok((child, line))
}

/// Measures graphile-worker: mean milliseconds from enqueue to start when idle, and jobs per second with 24 at once.
pub(crate) async fn graphile(dir: &Path, database_url: &str, what: &str) -> Result<f64> {
    let mut child = node(dir, "graphile.mjs")
        .arg(what)
        .env("PEER_DATABASE_URL", database_url)
        .spawn()?;
    let line = first_line(&mut child).await?;
    child.wait().await?;
    line.parse()
        .with_context(|| format!("graphile.mjs said {line:?}"))
}

fn node(dir: &Path, program: &str) -> Command {
    let mut command = Command::new("node");
    command
        .arg(program)
        .current_dir(dir)
        .stdout(Stdio::piped())
        .kill_on_drop(true);
    command
}

async fn first_line(child: &mut Child) -> Result<String> {
    let out = child.stdout.take().context("standard output")?;
    let line = BufReader::new(out).lines().next_line().await?;
    line.context("the peer said nothing")
}
