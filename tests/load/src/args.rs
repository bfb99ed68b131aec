//! The arguments of the load program.
use std::path::PathBuf;

use clap::Parser;

/// Measures ck8s on this machine.
#[derive(Parser, Debug)]
pub(crate) struct Args {
    /// The rows to measure: 1, 1c, 1d, 2, 2b, 3, 4, 4b, 7, 8, 9. Without one, all of them.
    pub(crate) rows: Vec<String>,
    /// The server to measure, built for release.
    #[arg(long, default_value = "target/release/ck8s")]
    pub(crate) binary: PathBuf,
    /// Rounds of each side, taken in turn.
    #[arg(long, default_value_t = 5)]
    pub(crate) rounds: usize,
    /// Seconds of each round.
    #[arg(long, default_value_t = 3)]
    pub(crate) seconds: u64,
    /// For row 8: a cluster's kubeconfig; without it the row is left out.
    #[arg(long, env = "CK8S_TEST_KUBECONFIG")]
    pub(crate) kubeconfig: Option<PathBuf>,
    /// For row 8: an image that the cluster has, with a shell.
    #[arg(long, default_value = "ck8s.test/busybox:1")]
    pub(crate) image: String,
}

impl Args {
    /// Returns whether a row is to be measured.
    pub(crate) fn wants(&self, row: &str) -> bool {
        self.rows.is_empty() || self.rows.iter().any(|r| r == row)
    }
}
