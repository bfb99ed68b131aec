//! Load: measures the rows of the performance table on this machine and prints them, each as a ratio taken in one run.
//!
//! `ck8s-load` measures all rows, `ck8s-load 1 3` only those; both programs are built for release.
//! Never part of the tests.
mod args;
mod http;
mod payload;
mod pgbench;
mod rows;
mod server;
mod stats;
mod workers;

// Only for its features: see Cargo.toml.
use ck8s as _;

use anyhow::Result;
use clap::Parser;

use args::Args;

#[tokio::main(flavor = "multi_thread", worker_threads = 1)]
async fn main() -> Result<()> {
    let args = Args::parse();
    let mut table = stats::Table::default();
    rows::measure(&args, &mut table).await?;
    table.print();
    Ok(())
}
