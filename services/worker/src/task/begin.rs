//! Getting the workload in hand: its secrets, its place in the log, a start or an adoption.
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use ck8s_proto::runs::v1::{
    AppendLogRequest, LeaseRef, LogAppend, LogChunk, LogStream, OpenRunSecretsRequest,
};
use ck8s_types::{Epoch, RunReason, RunSpec};
use secrecy::{ExposeSecret, SecretString};
use tonic::{Code, Status};

use super::{EARLIER, Live, Task};
use crate::{
    backoff::Backoff,
    connection::{Client, call},
    executor::{Exit, Order, StartError},
    log::{LogSink, Masker, Pump, PumpStart, log_channel},
};

/// How a start or an adoption went.
pub(super) enum Begun {
    Live(Live),
    /// There is no workload to take over.
    Nothing(String),
    Refused(Exit, LogSink, Pump),
}

impl Task {
    pub(super) async fn begin(&self, spec: RunSpec) -> Begun {
        let pending = spec.pending_timeout();
        let until = Instant::now() + pending.saturating_sub(EARLIER.min(pending / 10));
        let (secrets, stored_log) = tokio::join!(self.secrets(), self.stored_log());
        let masker = Masker::new(secrets.values().map(ExposeSecret::expose_secret));
        let (sink, items) = log_channel();
        let start = PumpStart {
            lease: self.lease,
            attempt: self.granting.target.attempt,
            masker,
            settings: self.context.log,
            stored: stored_log,
        };
        let pump = Pump::spawn(&self.context.shipper, start, items);
        let mut order = Order {
            target: self.granting.target.clone(),
            epoch: self.granting.epoch,
            spec,
            env: self.granting.env.clone(),
            secrets,
            lease: self.control.until.subscribe(),
            stored_log,
        };
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(5));
        loop {
            self.alive().await;
            order.epoch = self.context.leases.epoch(self.lease).unwrap_or(order.epoch);
            let executor = &self.context.executor;
            let begun = if self.granting.takeover {
                executor.adopt(&order, &sink).await
            } else {
                executor.start(&order, &sink).await.map(Some)
            };
            match begun {
                Ok(Some(workload)) if self.is_live() => {
                    return Begun::Live(Live {
                        workload,
                        sink,
                        pump,
                    });
                }
                // Started too late: the run may be somebody else's by now.
                Ok(Some(workload)) => {
                    drop(workload);
                    if !self.granting.takeover {
                        self.remove(Duration::ZERO).await;
                    }
                }
                Ok(None) => return Begun::Nothing("there is no workload to take over".to_owned()),
                Err(StartError::Refused(exit)) => return Begun::Refused(exit, sink, pump),
                // A newer lease holds it: the server is about to say so.
                Err(error) => {
                    tracing::warn!(run.id = %self.lease.run, %error, "a workload cannot be started yet");
                    let wait = backoff.next();
                    if !self.granting.takeover && Instant::now() + wait > until {
                        let message = format!("The workload could not be started in time: {error}");
                        let exit = Exit {
                            reason: RunReason::StartTimedOut,
                            message,
                            code: None,
                        };
                        return Begun::Refused(exit, sink, pump);
                    }
                    tokio::time::sleep(wait).await;
                }
            }
        }
    }

    /// Nothing is started under a lease that may have ended.
    async fn alive(&self) {
        let mut until = self.control.until.subscribe();
        // The sender lives as long as this task.
        let _ = until.wait_for(|until| *until > Instant::now()).await;
    }

    fn is_live(&self) -> bool {
        self.context.leases.live_epoch(self.lease).is_some()
    }

    /// Calls until there is an answer. For a lease that is lost there is none, and this task is about to be dropped.
    async fn ask<T, F>(&self, what: &str, call: impl Fn(Client, LeaseRef) -> F) -> T
    where
        F: Future<Output = Result<T, Status>>,
    {
        let mut backoff = Backoff::new(Duration::from_millis(50), Duration::from_secs(5));
        loop {
            if let Some(epoch) = self.context.leases.epoch(self.lease) {
                match call(self.context.connection.client(), self.lease.at(epoch.0)).await {
                    Ok(answer) => return answer,
                    // A Revoke or a newer grant is on its way.
                    Err(status) if status.code() == Code::Aborted => {
                        tracing::debug!(run.id = %self.lease.run, what, "the lease is stale");
                    }
                    Err(status) => {
                        tracing::warn!(run.id = %self.lease.run, what, code = ?status.code(), message = status.message(), "no answer yet");
                    }
                }
            }
            tokio::time::sleep(backoff.next()).await;
        }
    }

    async fn secrets(&self) -> BTreeMap<String, SecretString> {
        let answer = self.ask("secrets", |mut client, lease| async move {
            let request = OpenRunSecretsRequest { lease: Some(lease) };
            client.open_run_secrets(call(request)).await
        });
        let secrets = answer.await.into_inner().secrets;
        secrets
            .into_iter()
            .map(|(name, value)| (name, SecretString::from(value)))
            .collect()
    }

    /// Where the stored log of this attempt ends. Under a first lease, nothing can be stored.
    async fn stored_log(&self) -> u64 {
        if self.granting.epoch == Epoch::FIRST {
            return 0;
        }
        let attempt = self.granting.target.attempt;
        let answer = self.ask("log's end", |mut client, lease| async move {
            let chunk = LogChunk {
                attempt,
                stream: LogStream::Output.into(),
                ..LogChunk::default()
            };
            let append = LogAppend {
                lease: Some(lease),
                chunk: Some(chunk),
            };
            client
                .append_log(call(AppendLogRequest {
                    appends: vec![append],
                }))
                .await
        });
        let end = answer
            .await
            .into_inner()
            .results
            .first()
            .map_or(0, |r| r.end_offset);
        u64::try_from(end).unwrap_or(0)
    }
}
