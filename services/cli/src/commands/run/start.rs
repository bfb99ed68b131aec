//! `ck8s run start`: a trigger of a repository, or any command.
use std::time::Duration;

use ck8s_proto::runs::v1::{Run, RunSpec, StartRunRequest};
use clap::Args;

use super::{show, watch};
use crate::{
    args::{duration, key_value, seconds},
    client::request_id,
    connection::Connection,
    error::{CliError, ExitStatus, ResponseExt as _},
};

/// What to start: `--repo R --trigger T`, or any command.
#[derive(Args, Clone, Debug)]
pub struct Start {
    /// The project's id or slug; without it, the repository's.
    #[arg(long, required_unless_present = "repo")]
    pub project: Option<String>,
    /// The repository's id or owner/name.
    #[arg(long)]
    pub repo: Option<String>,
    /// A trigger's name in the repository's services.yaml.
    #[arg(long, requires = "repo", required_unless_present_any = ["image", "command"])]
    pub trigger: Option<String>,
    /// The title that people read; without it, the trigger's name.
    #[arg(long)]
    pub title: Option<String>,
    /// The spec of the run, instead of a trigger's.
    #[command(flatten)]
    pub spec: Spec,
    /// Watch the run until it ends: 0 if it succeeded, else 1.
    #[arg(long)]
    pub watch: bool,
}

/// The spec of a run.
#[derive(Args, Clone, Debug)]
#[group(id = "spec", multiple = true, conflicts_with = "trigger")]
pub struct Spec {
    /// The container image; the process executor takes none.
    #[arg(long)]
    pub image: Option<String>,
    /// An environment variable; may be given again.
    #[arg(long, value_name = "KEY=VALUE", value_parser = key_value)]
    pub env: Vec<(String, String)>,
    /// A secret of the repository to give as an environment variable; may be given again.
    #[arg(long, value_name = "NAME")]
    pub secret: Vec<String>,
    /// A label that the worker must have; may be given again.
    #[arg(long, value_name = "LABEL")]
    pub label: Vec<String>,
    /// A host (name:port or CIDR) that it may reach; may be given again.
    #[arg(long, value_name = "HOST")]
    pub egress: Vec<String>,
    /// CPU, as Kubernetes writes it (500m).
    #[arg(long)]
    pub cpu: Option<String>,
    /// Memory, as Kubernetes writes it (512Mi).
    #[arg(long)]
    pub memory: Option<String>,
    /// How long it may run at most (90s, 10m, 2h); without it, an hour.
    #[arg(long, value_parser = duration, value_name = "TIME")]
    pub timeout: Option<Duration>,
    /// -100 to 100; higher goes first within the project.
    #[arg(long, allow_negative_numbers = true, default_value_t = 0, value_parser = clap::value_parser!(i32).range(-100..=100))]
    pub priority: i32,
    /// At most one run of a group holds a slot.
    #[arg(long)]
    pub group: Option<String>,
    /// End the earlier runs of the group.
    #[arg(long, requires = "group")]
    pub cancel_in_progress: bool,
    /// How many attempts there are in all if the workload is lost.
    #[arg(long, default_value_t = 0, hide_default_value = true, value_parser = clap::value_parser!(i32).range(0..))]
    pub attempts: i32,
    /// Program and arguments; without it, the image's own.
    #[arg(last = true)]
    pub command: Vec<String>,
}

pub(crate) async fn run(connection: &Connection, args: Start) -> Result<ExitStatus, CliError> {
    let spec = args.trigger.is_none().then(|| args.spec.into());
    let request = StartRunRequest {
        request_id: request_id(),
        project: args.project.unwrap_or_default(),
        repository: args.repo.unwrap_or_default(),
        trigger: args.trigger.unwrap_or_default(),
        spec,
        title: args.title.unwrap_or_default(),
    };
    let response = connection
        .client
        .runs()
        .start_run(connection.client.request(request))
        .await;
    let run = response
        .context("cannot start the run")?
        .run
        .unwrap_or_default();
    show_or_watch(connection, run, args.watch).await
}

/// Prints a run that has just been started, or watches it until it ends.
pub(super) async fn show_or_watch(
    connection: &Connection,
    run: Run,
    watch: bool,
) -> Result<ExitStatus, CliError> {
    if watch {
        return watch::started(connection, &run.id).await;
    }
    show::print(connection, &run)?;
    Ok(ExitStatus::Success)
}

impl From<Spec> for RunSpec {
    fn from(spec: Spec) -> Self {
        Self {
            image: spec.image.unwrap_or_default(),
            command: spec.command,
            env: spec.env.into_iter().collect(),
            secrets: spec.secret,
            cpu: spec.cpu.unwrap_or_default(),
            memory: spec.memory.unwrap_or_default(),
            running_timeout_seconds: seconds(spec.timeout),
            concurrency_group: spec.group.unwrap_or_default(),
            cancel_in_progress: spec.cancel_in_progress,
            priority: spec.priority,
            labels: spec.label,
            egress: spec.egress,
            max_attempts: spec.attempts,
            ..Self::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        start: Start,
    }

    fn parse(words: &str) -> Result<Start, clap::Error> {
        Cli::try_parse_from(std::iter::once("start").chain(words.split_whitespace()))
            .map(|cli| cli.start)
    }

    #[test]
    fn either_a_trigger_or_a_command_is_given() {
        for right in [
            "--repo a/b --trigger t",
            "--project p --image i",
            "--project p -- echo hi",
            "--repo a/b --image i --env A=b -- echo --flag",
            "--repo a/b --trigger t --title x --watch",
        ] {
            assert!(
                parse(right).is_ok(),
                "{right}: {}",
                parse(right).unwrap_err()
            );
        }
        for wrong in [
            "",
            "--project p",
            "--repo a/b",
            "--project p --trigger t",
            "--trigger t",
            "--repo a/b --trigger t --image i",
            "--repo a/b --trigger t -- echo",
            "--image i",
            "--image i --title x",
            "--project p --image i --cancel-in-progress",
            "--project p --image i --priority 101",
        ] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_flags_become_a_spec() {
        let words = "--project p --image i --env A=1 --timeout 10m --priority -5 --group g --cancel-in-progress --label gpu -- sh -c x";
        let spec = RunSpec::from(parse(words).unwrap().spec);
        assert_eq!(spec.running_timeout_seconds, 600);
        assert_eq!((spec.priority, spec.cancel_in_progress), (-5, true));
        assert_eq!(spec.command, ["sh", "-c", "x"]);
        assert_eq!(spec.labels, ["gpu"]);
        assert_eq!(spec.env["A"], "1");
    }
}
