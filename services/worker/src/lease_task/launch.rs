//! The launch of a workload: fetch its secrets, find the end of its stored log, then start or adopt it.
use std::{
    collections::{BTreeMap, HashMap},
    time::{Duration, Instant},
};

use ck8s_proto::runs::v1::{
    AppendLogRequest, LeaseRef, LogAppend, LogChunk, LogStream, OpenRunSecretsRequest,
};
use ck8s_types::{Epoch, RunReason, RunSpec};
use secrecy::{ExposeSecret, SecretString};
use tonic::{Code, Status};

use super::{
    handle::{LeaseHandle, executor_backoff},
    live_workload::LiveWorkload,
};
use crate::{
    connection::{Client, request},
    convert::lease_to_pb,
    domain::{Backoff, Exit, GrantPurpose, LogSink, StoredLog, WorkloadRequest, log_channel},
    error::ExecutorError,
    executor::Workload,
    log::{Mask, Pump, PumpOptions},
};

/// The worker's deadline for a start comes this much before the server's, since the worker knows better why a workload
/// did not start.
const START_DEADLINE_LEAD: Duration = Duration::from_secs(1);
/// The first wait before a call is repeated, and the longest.
const CALL_BACKOFF: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(5));

/// Returns how long the workload may take to start.
pub(super) fn start_timeout(spec: &RunSpec) -> Duration {
    let pending = spec.pending_timeout();
    pending.saturating_sub(START_DEADLINE_LEAD.min(pending / 10))
}

/// The log of a workload that is being launched.
pub(super) struct LaunchLog {
    pub(super) sink: LogSink,
    pub(super) pump: Pump,
}

/// How a launch went.
pub(super) enum LaunchOutcome {
    /// The workload was started or adopted.
    Live(LiveWorkload),
    /// There is no workload to adopt.
    NoWorkload(String),
    /// The workload cannot be started.
    Refused(Exit, LaunchLog),
}

/// Starts or adopts the workload of a lease. Tries again until it succeeds or its time is up.
pub(super) async fn launch(lease: &LeaseHandle, spec: RunSpec) -> LaunchOutcome {
    let deadline = Instant::now() + start_timeout(&spec);
    let (mut workload, log) = match prepare(lease, spec).await {
        Ok(prepared) => prepared,
        Err((exit, log)) => return LaunchOutcome::Refused(exit, log),
    };
    let takeover = lease.grant.purpose == GrantPurpose::TakeOver;
    let mut backoff = executor_backoff();
    loop {
        lease.until_live().await;
        if let Some(held) = lease.context.leases.lease(lease.key) {
            workload.epoch = held.epoch;
        }
        match start_or_adopt(lease, &workload, &log.sink).await {
            Ok(Some(started)) if lease.is_live() => {
                return LaunchOutcome::Live(LiveWorkload {
                    workload: started,
                    sink: log.sink,
                    pump: log.pump,
                });
            }
            // The lease expired meanwhile: by now another worker may hold the run.
            Ok(Some(started)) => {
                drop(started);
                if !takeover {
                    lease.remove_workload(Duration::ZERO).await;
                }
            }
            Ok(None) => {
                return LaunchOutcome::NoWorkload("there is no workload to take over".to_owned());
            }
            Err(ExecutorError::Refused(exit)) => return LaunchOutcome::Refused(exit, log),
            // If a newer lease holds the workload, the server is about to revoke this one.
            Err(error) => {
                tracing::warn!(run.id = %lease.key.run_id, %error, "a workload cannot be started yet");
                let wait = backoff.next();
                if !takeover && Instant::now() + wait > deadline {
                    let message = format!("The workload could not be started in time: {error}");
                    let exit = Exit::without_code(RunReason::StartTimedOut, message);
                    return LaunchOutcome::Refused(exit, log);
                }
                tokio::time::sleep(wait).await;
            }
        }
    }
}

/// Fetches what the workload needs from the server, and opens its log. An error is why the run cannot have its secrets.
async fn prepare(
    lease: &LeaseHandle,
    spec: RunSpec,
) -> Result<(WorkloadRequest, LaunchLog), (Exit, LaunchLog)> {
    let (fetched, given, stored_log) = tokio::join!(
        fetch_secrets(lease),
        given_secrets(lease),
        fetch_stored_log(lease)
    );
    let (secrets, refusal) = match fetched {
        Ok(secrets) => (secrets, None),
        Err(why) => (BTreeMap::new(), Some(why)),
    };
    let known = secrets.values().chain(&given);
    let mask = Mask::new(known.map(ExposeSecret::expose_secret));
    let mask = lease.mask.get_or_init(|| mask).clone();
    let (sink, items) = log_channel();
    let options = PumpOptions {
        lease: lease.key,
        attempt: lease.grant.workload.attempt,
        mask,
        stored: stored_log.end,
    };
    let pump = Pump::spawn(&lease.context.shipper, &options, items);
    let log = LaunchLog { sink, pump };
    if let Some(why) = refusal {
        return Err((Exit::without_code(RunReason::ConfigError, why), log));
    }
    let workload = WorkloadRequest {
        id: lease.grant.workload.clone(),
        epoch: lease.grant.epoch,
        spec,
        env: lease.grant.env.clone(),
        secrets,
        lease_expiry: lease.signals.expiry.subscribe(),
        stored_log,
    };
    Ok((workload, log))
}

/// Asks the executor once; none: there is no workload to adopt.
async fn start_or_adopt(
    lease: &LeaseHandle,
    workload: &WorkloadRequest,
    sink: &LogSink,
) -> Result<Option<Workload>, ExecutorError> {
    let executor = &lease.context.executor;
    match lease.grant.purpose {
        GrantPurpose::TakeOver => executor.adopt(workload, sink).await,
        GrantPurpose::Start | GrantPurpose::CleanUp => {
            executor.start(workload, sink).await.map(Some)
        }
    }
}

/// Calls until the server answers. For a lost lease no answer comes, and this task is about to be dropped.
async fn call_until_answered<T, F>(
    lease: &LeaseHandle,
    what: &str,
    call: impl Fn(Client, LeaseRef) -> F,
) -> T
where
    F: Future<Output = Result<T, Status>>,
{
    let mut backoff = Backoff::new(CALL_BACKOFF.0, CALL_BACKOFF.1);
    loop {
        if let Some(held) = lease.context.leases.lease(lease.key) {
            match call(lease.context.connection.client(), lease_to_pb(held)).await {
                Ok(response) => return response,
                // A Revoke or a newer grant is on its way.
                Err(status) if status.code() == Code::Aborted => {
                    tracing::debug!(run.id = %held.run_id, what, "the lease is stale");
                }
                Err(status) => {
                    tracing::warn!(run.id = %held.run_id, what, code = ?status.code(), message = status.message(), "a call failed; trying again");
                }
            }
        }
        tokio::time::sleep(backoff.next()).await;
    }
}

/// Returns the values that the workload which is taken over was given when it started. Some may have changed since, or
/// have been removed: the log is masked by both.
async fn given_secrets(lease: &LeaseHandle) -> Vec<SecretString> {
    if lease.grant.purpose != GrantPurpose::TakeOver {
        return Vec::new();
    }
    let mut backoff = executor_backoff();
    loop {
        let executor = &lease.context.executor;
        match executor.given_secrets(&lease.grant.workload).await {
            Ok(secrets) => return secrets,
            Err(error) => {
                tracing::warn!(run.id = %lease.key.run_id, %error, "the secrets of a workload cannot be read yet");
                tokio::time::sleep(backoff.next()).await;
            }
        }
    }
}

/// Returns the run's secrets, or why it cannot have them: one is not set, or not for this run. A workload that lives
/// already has had them: none are known then.
async fn fetch_secrets(lease: &LeaseHandle) -> Result<BTreeMap<String, SecretString>, String> {
    let takeover = lease.grant.purpose == GrantPurpose::TakeOver;
    let response = call_until_answered(lease, "secrets", |mut client, lease| async move {
        let message = OpenRunSecretsRequest { lease: Some(lease) };
        match client.open_run_secrets(request(message)).await {
            Err(status) if status.code() == Code::FailedPrecondition && takeover => {
                tracing::info!(reason = status.message(), "a secret of a workload is gone");
                Ok(Ok(HashMap::new()))
            }
            Err(status) if status.code() == Code::FailedPrecondition => {
                Ok(Err(status.message().to_owned()))
            }
            answer => answer.map(|response| Ok(response.into_inner().secrets)),
        }
    });
    let secrets = response.await?;
    Ok(secrets
        .into_iter()
        .map(|(name, value)| (name, SecretString::from(value)))
        .collect())
}

/// Returns what is stored of this attempt's log. Under a first lease nothing can be.
async fn fetch_stored_log(lease: &LeaseHandle) -> StoredLog {
    if lease.grant.epoch == Epoch::FIRST {
        return StoredLog::default();
    }
    let attempt = lease.grant.workload.attempt;
    let response = call_until_answered(lease, "log's end", |mut client, lease| async move {
        // An empty chunk changes nothing; its result says where the log ends.
        let chunk = LogChunk {
            attempt,
            stream: LogStream::Output.into(),
            ..LogChunk::default()
        };
        let append = LogAppend {
            lease: Some(lease),
            chunk: Some(chunk),
            position: String::new(),
        };
        let message = AppendLogRequest {
            appends: vec![append],
        };
        client.append_log(request(message)).await
    });
    let results = response.await.into_inner().results;
    results
        .first()
        .map_or_else(StoredLog::default, |result| StoredLog {
            end: u64::try_from(result.end_offset).unwrap_or(0),
            position: result.position.parse().ok(),
        })
}
