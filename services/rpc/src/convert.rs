//! Conversions between the contract's shared messages and the domain's types.
use ck8s_proto::{policy::v1 as policy, runs::v1 as pb};
use ck8s_types::{Invalid, ProjectRole, RunReason, RunSpec, RunState, RunTrigger, Timeouts};
use prost_types::Timestamp;
use time::OffsetDateTime;
use tonic::Status;

use crate::status;

/// Returns a moment for the wire.
#[must_use]
pub fn timestamp(at: OffsetDateTime) -> Timestamp {
    Timestamp {
        seconds: at.unix_timestamp(),
        nanos: i32::try_from(at.nanosecond()).unwrap_or(0),
    }
}

/// Reads a moment from the wire.
///
/// # Errors
/// INVALID_ARGUMENT names `field` where it is no moment.
pub fn moment(field: &str, at: &Timestamp) -> Result<OffsetDateTime, Status> {
    let nanos = i128::from(at.seconds) * 1_000_000_000 + i128::from(at.nanos);
    OffsetDateTime::from_unix_timestamp_nanos(nanos)
        .map_err(|_| status::invalid(field, "no moment in time"))
}

/// Reads an id of any kind.
///
/// # Errors
/// INVALID_ARGUMENT names `field`.
pub fn id<T: std::str::FromStr<Err: std::fmt::Display>>(
    field: &str,
    text: &str,
) -> Result<T, Status> {
    text.parse()
        .map_err(|e: T::Err| status::invalid(field, e.to_string()))
}

/// Reads an id that may be left out.
///
/// # Errors
/// INVALID_ARGUMENT names `field`.
pub fn optional_id<T: std::str::FromStr<Err: std::fmt::Display>>(
    field: &str,
    text: &str,
) -> Result<Option<T>, Status> {
    if text.is_empty() {
        Ok(None)
    } else {
        id(field, text).map(Some)
    }
}

/// Returns the status of a value that is not valid.
#[must_use]
pub fn invalid(fault: &Invalid) -> Status {
    status::invalid(fault.field, fault.problem.clone())
}

/// Returns the contract's value of a project role.
#[must_use]
pub fn role_to_pb(role: ProjectRole) -> policy::ProjectRole {
    match role {
        ProjectRole::Read => policy::ProjectRole::Read,
        ProjectRole::ReadWrite => policy::ProjectRole::ReadWrite,
        ProjectRole::Admin => policy::ProjectRole::Admin,
    }
}

/// Returns the domain's value of a project role. None: unspecified.
#[must_use]
pub fn role_from_pb(role: policy::ProjectRole) -> Option<ProjectRole> {
    ProjectRole::ALL
        .iter()
        .copied()
        .find(|r| role_to_pb(*r) == role)
}

/// Returns the contract's value of a state.
#[must_use]
pub fn state_to_pb(state: RunState) -> pb::RunState {
    match state {
        RunState::Pending => pb::RunState::Pending,
        RunState::Running => pb::RunState::Running,
        RunState::Succeeded => pb::RunState::Succeeded,
        RunState::Failed => pb::RunState::Failed,
        RunState::Canceled => pb::RunState::Canceled,
    }
}

/// Returns the domain's value of a state. None: unspecified.
#[must_use]
pub fn state_from_pb(state: pb::RunState) -> Option<RunState> {
    RunState::ALL
        .iter()
        .copied()
        .find(|s| state_to_pb(*s) == state)
}

/// Returns the contract's value of a reason.
#[must_use]
pub fn reason_to_pb(reason: RunReason) -> pb::RunReason {
    match reason {
        RunReason::Completed => pb::RunReason::Completed,
        RunReason::NoChange => pb::RunReason::NoChange,
        RunReason::AgentError => pb::RunReason::AgentError,
        RunReason::TimedOut => pb::RunReason::TimedOut,
        RunReason::Unscheduled => pb::RunReason::Unscheduled,
        RunReason::StartTimedOut => pb::RunReason::StartTimedOut,
        RunReason::ImagePull => pb::RunReason::ImagePull,
        RunReason::OomKilled => pb::RunReason::OomKilled,
        RunReason::Evicted => pb::RunReason::Evicted,
        RunReason::WorkerLost => pb::RunReason::WorkerLost,
        RunReason::CanceledByUser => pb::RunReason::CanceledByUser,
        RunReason::Superseded => pb::RunReason::Superseded,
        RunReason::QuotaDenied => pb::RunReason::QuotaDenied,
        RunReason::Unschedulable => pb::RunReason::Unschedulable,
        RunReason::ConfigError => pb::RunReason::ConfigError,
        RunReason::WorkloadLost => pb::RunReason::WorkloadLost,
    }
}

/// Returns the domain's value of a reason. None: unspecified.
#[must_use]
pub fn reason_from_pb(reason: pb::RunReason) -> Option<RunReason> {
    RunReason::ALL
        .iter()
        .copied()
        .find(|r| reason_to_pb(*r) == reason)
}

/// Returns a spec for the wire.
#[must_use]
pub fn spec_to_pb(spec: RunSpec) -> pb::RunSpec {
    pb::RunSpec {
        image: spec.image,
        command: spec.command,
        env: spec.env.into_iter().collect(),
        secrets: spec.secrets,
        cpu: spec.cpu,
        memory: spec.memory,
        unscheduled_timeout_seconds: spec.timeouts.unscheduled.into(),
        pending_timeout_seconds: spec.timeouts.pending.into(),
        running_timeout_seconds: spec.timeouts.running.into(),
        concurrency_group: spec.concurrency_group.unwrap_or_default(),
        cancel_in_progress: spec.cancel_in_progress,
        priority: spec.priority.into(),
        labels: spec.labels,
        egress: spec.egress,
        max_attempts: spec.max_attempts,
    }
}

/// Reads a spec from the wire, checks it and fills in the defaults.
///
/// # Errors
/// [`Invalid`] names the field.
pub fn spec_from_pb(spec: pb::RunSpec) -> Result<RunSpec, Invalid> {
    let seconds = |asked: i64, default: u32| match asked {
        0 => default,
        _ => u32::try_from(asked).unwrap_or(0),
    };
    let timeouts = Timeouts::default();
    RunSpec {
        image: spec.image,
        command: spec.command,
        env: spec.env.into_iter().collect(),
        secrets: spec.secrets,
        cpu: spec.cpu,
        memory: spec.memory,
        timeouts: Timeouts {
            unscheduled: seconds(spec.unscheduled_timeout_seconds, timeouts.unscheduled),
            pending: seconds(spec.pending_timeout_seconds, timeouts.pending),
            running: seconds(spec.running_timeout_seconds, timeouts.running),
        },
        concurrency_group: Some(spec.concurrency_group),
        cancel_in_progress: spec.cancel_in_progress,
        priority: i16::try_from(spec.priority).unwrap_or(i16::MAX),
        labels: spec.labels,
        egress: spec.egress,
        max_attempts: spec.max_attempts,
    }
    .checked()
}

/// Returns a trigger for the wire.
#[must_use]
pub fn trigger_to_pb(trigger: RunTrigger) -> pb::RunTrigger {
    pb::RunTrigger {
        name: trigger.name,
        event: trigger.event,
        action: trigger.action,
        actor: trigger.actor,
        number: trigger.number,
        title: trigger.title,
        r#ref: trigger.git_ref,
        commit_sha: trigger.commit_sha,
        url: trigger.url,
        arguments: trigger.arguments,
        comment_id: trigger.comment_id,
        head_repository: trigger.head_repository,
        secrets_withheld: trigger.secrets_withheld,
        note: trigger.note,
        before_sha: trigger.before_sha,
        pushed_at: trigger.pushed_at,
    }
}

/// Reads a trigger from the wire.
#[must_use]
pub fn trigger_from_pb(trigger: pb::RunTrigger) -> RunTrigger {
    RunTrigger {
        name: trigger.name,
        event: trigger.event,
        action: trigger.action,
        actor: trigger.actor,
        number: trigger.number,
        title: trigger.title,
        git_ref: trigger.r#ref,
        commit_sha: trigger.commit_sha,
        url: trigger.url,
        arguments: trigger.arguments,
        comment_id: trigger.comment_id,
        admin_spec: false,
        head_repository: trigger.head_repository,
        secrets_withheld: trigger.secrets_withheld,
        note: trigger.note,
        before_sha: trigger.before_sha,
        pushed_at: trigger.pushed_at,
    }
}
