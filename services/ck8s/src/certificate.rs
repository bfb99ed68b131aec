//! `ck8s certificate`: an authority for the mesh and certificates for its processes, where nothing like cert-manager
//! makes them.
use std::{
    path::PathBuf,
    process::ExitCode,
    time::{Duration, SystemTime},
};

use anyhow::{Context, Result, bail};
use ck8s_pki::{Authority, Identity};
use ck8s_types::WorkerId;

use crate::{out, roles::Roles};

/// How far a peer's clock may be behind so that it still accepts a fresh certificate.
const MAX_CLOCK_SKEW: Duration = Duration::from_secs(300);
const DAY: Duration = Duration::from_secs(24 * 3600);

/// Verbs of `ck8s certificate`.
#[derive(clap::Subcommand, Debug)]
pub(crate) enum CertificateCommand {
    /// Makes ca.crt and ca.key, unless they are there.
    #[command(after_help = "Example:\n  ck8s certificate authority --dir authority")]
    Authority {
        /// The directory of the authority.
        #[arg(long, value_name = "DIR")]
        dir: PathBuf,
    },
    /// Makes tls.crt and tls.key for a process of these roles, with ca.crt beside them.
    #[command(
        after_help = "Example:\n  ck8s certificate issue --ca authority --role runs --out certs/runs"
    )]
    Issue(IssueArgs),
}

/// Arguments of `ck8s certificate issue`.
#[derive(clap::Args, Debug)]
pub(crate) struct IssueArgs {
    /// The authority: ca.crt and ca.key.
    #[arg(long, value_name = "DIR")]
    ca: PathBuf,
    /// The roles that the process may act as.
    #[arg(
        long,
        value_name = "R[,R...]",
        value_delimiter = ',',
        required_unless_present = "worker"
    )]
    role: Vec<String>,
    /// A worker's id, instead of roles.
    #[arg(long, value_name = "ID", conflicts_with = "role")]
    worker: Option<WorkerId>,
    /// Where the files go.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// How long it is good.
    #[arg(long, value_name = "N", default_value_t = 90, value_parser = clap::value_parser!(u32).range(1..=3650))]
    days: u32,
}

/// Runs one of the verbs.
pub(crate) fn run(command: CertificateCommand) -> Result<ExitCode> {
    match command {
        CertificateCommand::Authority { dir } => {
            let made = Authority::ensure(&dir)?;
            let word = if made { "made" } else { "kept" };
            out(format_args!("{word} {}", dir.join("ca.crt").display()));
        }
        CertificateCommand::Issue(args) => issue(args)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn issue(args: IssueArgs) -> Result<()> {
    let identity = match args.worker {
        Some(id) => Identity::Worker(id),
        None => {
            let roles = Roles::named(&args.role)?;
            Identity::Roles(roles.names().map(str::to_owned).collect())
        }
    };
    if args.out == args.ca {
        bail!("--out is the authority's own directory: processes must not see its key");
    }
    let authority = Authority::read(&args.ca)
        .context("make one with `ck8s certificate authority --dir DIR`")?;
    let now = SystemTime::now();
    let bundle = authority.bundle(&identity, now - MAX_CLOCK_SKEW, now + DAY * args.days)?;
    bundle.write(&args.out)?;
    out(format_args!("{identity} in {}", args.out.display()));
    Ok(())
}
