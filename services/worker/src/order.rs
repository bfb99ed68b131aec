//! From a grant to what an executor is asked to do.
use std::{collections::BTreeMap, time::Duration};

use ck8s_proto::runs::v1::{Grant, LeaseRef, Run};
use ck8s_rpc::convert;
use ck8s_types::{Epoch, RunId, RunSpec};

use crate::executor::Target;

/// A grant, checked.
pub(crate) struct Granting {
    pub(crate) target: Target,
    pub(crate) epoch: Epoch,
    /// What is wrong with it, where it cannot be run.
    pub(crate) spec: Result<RunSpec, String>,
    /// What the trigger says, as variables.
    pub(crate) env: BTreeMap<String, String>,
    pub(crate) takeover: bool,
    pub(crate) cleanup_only: bool,
    /// How long the workload has been running, for a takeover.
    pub(crate) ran: Duration,
}

impl Granting {
    /// None: not a grant of this protocol.
    pub(crate) fn read(grant: Grant) -> Option<Self> {
        let LeaseRef { run_id, epoch } = grant.lease?;
        let run_id: RunId = run_id.parse().ok()?;
        let mut run = grant.run?;
        let spec =
            convert::spec_from_pb(run.spec.take().unwrap_or_default()).map_err(|e| e.to_string());
        let ran = grant.start_time.map_or(Duration::ZERO, |start| {
            let started_ms =
                start.seconds.saturating_mul(1000) + i64::from(start.nanos / 1_000_000);
            let ms = ck8s_types::now_ms().saturating_sub(started_ms);
            Duration::from_millis(u64::try_from(ms).unwrap_or(0))
        });
        Some(Self {
            target: Target {
                run: run_id,
                attempt: run.attempt,
                project: grant.project_slug.clone(),
            },
            epoch: Epoch(epoch),
            spec,
            env: variables(run_id, &grant.project_slug, &run),
            takeover: grant.takeover,
            cleanup_only: grant.cleanup_only,
            ran,
        })
    }
}

fn variables(run_id: RunId, project: &str, run: &Run) -> BTreeMap<String, String> {
    let trigger = run.trigger.clone().unwrap_or_default();
    let number = if trigger.number == 0 {
        String::new()
    } else {
        trigger.number.to_string()
    };
    let all = [
        ("CK8S_RUN_ID", run_id.to_string()),
        ("CK8S_PROJECT", project.to_owned()),
        ("CK8S_ATTEMPT", run.attempt.to_string()),
        ("CK8S_REPOSITORY", run.repository_name.clone()),
        ("CK8S_EVENT", trigger.event),
        ("CK8S_ACTION", trigger.action),
        ("CK8S_REF", trigger.r#ref),
        ("CK8S_SHA", trigger.commit_sha),
        ("CK8S_NUMBER", number),
        ("CK8S_ARGUMENTS", trigger.arguments),
        ("CK8S_TITLE", trigger.title),
    ];
    // A payload may hold a NUL; an environment cannot.
    all.into_iter()
        .map(|(name, value)| (name.to_owned(), value.replace('\0', "")))
        .collect()
}
