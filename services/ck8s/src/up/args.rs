//! The arguments of `ck8s up`.
use std::{net::SocketAddr, path::PathBuf};

use crate::{
    config::Tuning,
    sign_in::SignInOptions,
    worker::{Executor, WorkloadArgs},
};

/// Arguments of `ck8s up`.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Stop it with Ctrl-C or SIGTERM; the same directory comes back with all its data.
DATABASE_URL, or CK8S_DATABASE_URL, is used instead of an embedded PostgreSQL when it is set.

Example:
  ck8s up --data-dir /var/lib/ck8s --listen 127.0.0.1:8080")]
pub(crate) struct UpArgs {
    /// Where everything is kept [default: .ck8s].
    #[arg(long, value_name = "DIR")]
    pub(super) data_dir: Option<PathBuf>,
    /// The public listener.
    #[arg(
        long,
        env = "CK8S_LISTEN",
        value_name = "ADDRESS",
        default_value = "127.0.0.1:8080"
    )]
    pub(super) listen: SocketAddr,
    /// What runs the workloads.
    #[arg(long, value_enum, default_value = "process")]
    pub(super) executor: Executor,
    #[command(flatten)]
    pub(super) workload: WorkloadArgs,
    /// Written once everything answers; the same is always in DIR/ready.json.
    #[arg(long, value_name = "FILE")]
    pub(super) ready_file: Option<PathBuf>,
    /// The image of the demo's runs, for the kubernetes executor.
    #[arg(long, value_name = "IMAGE", default_value = "busybox:1.36")]
    pub(super) demo_image: String,
    /// Starts no worker: start your own with `ck8s worker` and DIR/worker-token.
    #[arg(long)]
    pub(super) no_worker: bool,
    /// How many runs the worker takes at once.
    #[arg(long, value_name = "N", default_value_t = 16)]
    pub(super) capacity: u32,
    /// The private listener for metrics and health; off unless set.
    #[arg(long, env = "CK8S_ADMIN_LISTEN", value_name = "ADDRESS")]
    pub(super) admin_listen: Option<SocketAddr>,
    #[command(flatten)]
    pub(super) sign_in: SignInOptions,
    #[command(flatten)]
    pub(super) tuning: Tuning,
}
