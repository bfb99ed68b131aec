//! Between the wire's messages and the worker's types.
use std::{collections::BTreeMap, time::Duration};

use ck8s_proto::runs::v1 as pb;
use ck8s_rpc::convert::{reason_to_pb, spec_from_pb, state_to_pb};
use ck8s_types::{Epoch, LeaseRef, RunId, now_ms, without_nul};

use crate::domain::{Exit, Grant, GrantPurpose, WorkloadId};

/// Encodes a lease.
pub(crate) fn lease_to_pb(lease: LeaseRef) -> pb::LeaseRef {
    pb::LeaseRef {
        run_id: lease.run_id.to_string(),
        epoch: lease.epoch.0,
    }
}

/// Decodes a lease; none if it names no run.
pub(crate) fn lease_from_pb(lease: Option<pb::LeaseRef>) -> Option<LeaseRef> {
    let pb::LeaseRef { run_id, epoch } = lease?;
    Some(LeaseRef {
        run_id: run_id.parse().ok()?,
        epoch: Epoch(epoch),
    })
}

/// Encodes the end of a workload.
pub(crate) fn finished_to_pb(exit: Exit) -> pb::Finished {
    pb::Finished {
        state: state_to_pb(exit.state()).into(),
        reason: reason_to_pb(exit.reason).into(),
        message: exit.message,
        exit_code: exit.code,
    }
}

/// Decodes a grant; none if it names no lease or no run.
pub(crate) fn grant_from_pb(grant: pb::Grant) -> Option<Grant> {
    let lease = lease_from_pb(grant.lease)?;
    let mut run = grant.run?;
    let spec = spec_from_pb(run.spec.take().unwrap_or_default()).map_err(|e| e.to_string());
    let purpose = if grant.cleanup_only {
        GrantPurpose::CleanUp
    } else if grant.takeover {
        GrantPurpose::TakeOver
    } else {
        GrantPurpose::Start
    };
    let elapsed = match (u64::try_from(grant.running_ms), grant.start_time) {
        // All that an older server says; this machine's clock may differ from the server's.
        (Ok(0), Some(start)) => {
            let millis = i64::from(start.nanos / 1_000_000);
            let started_ms = start.seconds.saturating_mul(1000).saturating_add(millis);
            u64::try_from(now_ms().saturating_sub(started_ms)).unwrap_or(0)
        }
        (running_ms, _) => running_ms.unwrap_or(0),
    };
    Some(Grant {
        env: trigger_env(lease.run_id, &grant.project_slug, &run),
        workload: WorkloadId {
            run_id: lease.run_id,
            attempt: run.attempt,
            project: grant.project_slug,
        },
        epoch: lease.epoch,
        purpose,
        spec,
        elapsed: Duration::from_millis(elapsed),
    })
}

/// Returns the environment variables that describe a run and its trigger.
fn trigger_env(run_id: RunId, project: &str, run: &pb::Run) -> BTreeMap<String, String> {
    let trigger = run.trigger.clone().unwrap_or_default();
    let number = if trigger.number == 0 {
        String::new()
    } else {
        trigger.number.to_string()
    };
    let variables = [
        ("CK8S_RUN_ID", run_id.to_string()),
        ("CK8S_PROJECT", project.to_owned()),
        ("CK8S_ATTEMPT", run.attempt.to_string()),
        ("CK8S_REPOSITORY", run.repository_name.clone()),
        ("CK8S_EVENT", trigger.event),
        ("CK8S_ACTION", trigger.action),
        ("CK8S_REF", trigger.r#ref),
        ("CK8S_SHA", trigger.commit_sha),
        ("CK8S_HEAD_REPOSITORY", trigger.head_repository),
        ("CK8S_NUMBER", number),
        ("CK8S_ARGUMENTS", trigger.arguments),
        ("CK8S_TITLE", trigger.title),
    ];
    // An environment cannot hold a NUL.
    variables
        .into_iter()
        .map(|(name, value)| (name.to_owned(), without_nul(&value)))
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_documentation_lists_the_variables_that_a_run_gets() {
        let documentation = include_str!("../../../docs/services-yaml.md");
        let (_, section) = documentation.split_once("## What a run is told").unwrap();
        let rows = section
            .lines()
            .filter_map(|line| line.strip_prefix("| `CK8S_"));
        let documented: BTreeSet<String> = rows
            .filter_map(|row| Some(format!("CK8S_{}", row.split_once('`')?.0)))
            .collect();
        let env = trigger_env(RunId::new(), "", &pb::Run::default());
        // The executors add the server's address.
        let given = env.into_keys().chain(["CK8S_URL".to_owned()]).collect();
        assert_eq!(documented, given);
    }
}
