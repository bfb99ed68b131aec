//! Load: measures the rows of the performance table on this machine and prints them, each as a ratio taken in one run.
//!
//! `cargo build --release -p ck8s && cargo run --release -p ck8s-load` measures all; `... -- 1 3` only those rows. Never part of the tests.
mod ground;
mod http;
mod payload;
mod pgbench;
mod rows;
mod stats;
mod workers;

use std::path::PathBuf;

// Only for its features: see Cargo.toml.
use ck8s as _;

use anyhow::Result;
use clap::Parser;

/// Measures ck8s on this machine.
#[derive(Parser, Debug)]
pub struct Args {
    /// Which rows: 1, 1c, 1d, 2, 2b, 3, 4, 4b, 7, 8, 9. None: all.
    rows: Vec<String>,
    /// The server to measure, built for release.
    #[arg(long, default_value = "target/release/ck8s")]
    binary: PathBuf,
    /// Rounds of each side, taken in turn.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Seconds of each round.
    #[arg(long, default_value_t = 3)]
    seconds: u64,
    /// For row 8: a cluster's kubeconfig; without it the row is left out.
    #[arg(long, env = "CK8S_TEST_KUBECONFIG")]
    kubeconfig: Option<PathBuf>,
    /// For row 8: an image that the cluster has, with a shell.
    #[arg(long, default_value = "ck8s.test/busybox:1")]
    image: String,
}

impl Args {
    fn wants(&self, row: &str) -> bool {
        self.rows.is_empty() || self.rows.iter().any(|r| r == row)
    }
}

#[tokio::main(flavor = "multi_thread", worker_threads = 1)]
async fn main() -> Result<()> {
    let args = Args::parse();
    let mut table = stats::Table::default();
    rows::measure(&args, &mut table).await?;
    table.print();
    Ok(())
}
