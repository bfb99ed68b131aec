//! The arguments of `ck8s smoke`.
use std::time::Duration;

use clap::Args;

use crate::args::duration;

/// The arguments of `ck8s smoke`.
#[derive(Args, Clone, Debug)]
pub struct Smoke {
    /// The image of the run, with `echo` in it; the process executor takes none.
    #[arg(long)]
    pub image: Option<String>,
    /// A label that the run's worker must have; may be given again.
    #[arg(long = "label", value_name = "LABEL")]
    pub labels: Vec<String>,
    /// The revision that the server must run; without it, any.
    #[arg(long)]
    pub revision: Option<String>,
    /// How long the run may take from the delivery to its end.
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "3m")]
    pub timeout: Duration,
}
