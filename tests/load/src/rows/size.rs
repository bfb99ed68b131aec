//! Row 9: the time of a start, the memory of an idle server, the size of the binary.
use std::path::Path;

use anyhow::{Context, Result};
use tempfile::TempDir;

use crate::{
    args::Args,
    server,
    stats::{Table, median},
};

/// Measures the row.
pub(crate) async fn measure(args: &Args, table: &mut Table) -> Result<()> {
    let dir = TempDir::new()?;
    let (mut first, _, fresh) = server::launch(&args.binary, dir.path(), &[]).await?;
    server::terminate(&mut first)?;
    let (mut starts, mut memory, mut with_database) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..args.rounds {
        let (mut child, _, took) = server::launch(&args.binary, dir.path(), &[]).await?;
        starts.push(took.as_secs_f64());
        tokio::time::sleep(std::time::Duration::from_secs(2)).await;
        memory.push(proportional(child.id())?);
        with_database.push(family(child.id())?);
        server::terminate(&mut child)?;
    }
    let size = std::fs::metadata(&args.binary)?.len() as f64 / 1e6;
    table.row(
        "9",
        "`ck8s up` on an existing data directory; idle server (its PostgreSQL with it); binary",
        format!(
            "{:.2} s (a fresh directory: {:.2} s); {:.0} MB ({:.0} MB); {size:.1} MB",
            median(&starts),
            fresh.as_secs_f64(),
            median(&memory),
            median(&with_database)
        ),
        "gates 5 s; 100 MB; 40 MB".to_owned(),
    );
    Ok(())
}

/// Returns the memory of a process in MB; shared pages count by their share.
fn proportional(pid: u32) -> Result<f64> {
    let rollup = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
    let line = rollup
        .lines()
        .find_map(|l| l.strip_prefix("Pss:"))
        .context("Pss")?;
    let kb: f64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kb / 1000.0)
}

/// Returns the memory of a process and all its descendants in MB.
fn family(pid: u32) -> Result<f64> {
    let mut total = proportional(pid)?;
    for entry in std::fs::read_dir("/proc")? {
        let Some(child) = entry?
            .file_name()
            .to_str()
            .and_then(|n| n.parse::<u32>().ok())
        else {
            continue;
        };
        let stat = std::fs::read_to_string(Path::new("/proc").join(child.to_string()).join("stat"))
            .unwrap_or_default();
        let parent = stat
            .rsplit(')')
            .next()
            .and_then(|rest| rest.split_whitespace().nth(1))
            .and_then(|p| p.parse::<u32>().ok());
        if parent == Some(pid) {
            total += family(child).unwrap_or(0.0);
        }
    }
    Ok(total)
}
