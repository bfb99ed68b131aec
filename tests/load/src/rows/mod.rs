//! The rows of the table, one file for each or for a few that share a server.
mod cluster;
mod grants;
mod ingest;
mod latency;
mod logs;
mod peers;
mod size;

use anyhow::Result;

use crate::{args::Args, stats::Table};

/// Measures the requested rows.
pub(crate) async fn measure(args: &Args, table: &mut Table) -> Result<()> {
    if ["1", "1c", "1d"].iter().any(|r| args.wants(r)) {
        ingest::measure(args, table).await?;
    }
    if ["2", "2b"].iter().any(|r| args.wants(r)) {
        latency::measure(args, table).await?;
    }
    if ["3", "4", "4b"].iter().any(|r| args.wants(r)) {
        grants::measure(args, table).await?;
    }
    if args.wants("7") {
        logs::measure(args, table).await?;
    }
    if args.wants("8") {
        cluster::measure(args, table).await?;
    }
    if args.wants("9") {
        size::measure(args, table).await?;
    }
    Ok(())
}
