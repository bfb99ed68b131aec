//! The life of a lease's task, from the grant to the last report.
use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use ck8s_proto::runs::v1::{NoteKind, Released, Running, transition::Change};
use ck8s_types::{RunReason, RunSpec};
use tokio::time::Instant;

use super::{
    handle::{HandBack, LeaseHandle, Stop},
    launch::{LaunchOutcome, launch, start_timeout},
    live_workload::LiveWorkload,
};
use crate::{
    context::WorkerContext,
    convert::finished_to_pb,
    domain::{Exit, Grant, GrantPurpose, LeaseKey, LeaseSignals, LogItem, WorkloadEvent},
};

/// The grace of a workload that is stopped at a time limit, or because the worker drains.
const STOP_GRACE: Duration = Duration::from_secs(2);
/// How long the end of a workload at its time limit is waited for before the run ends all the same.
const REMOVAL_TIMEOUT: Duration = Duration::from_secs(20);
/// Bounds the wait for the rest of the log where somebody waits for the lease. Another worker reads on, or the rest is
/// of little use.
const LOG_TIMEOUT: Duration = Duration::from_secs(3);

/// The task of one lease.
pub(crate) struct LeaseTask {
    lease: LeaseHandle,
}

/// How far a workload that is being followed is, and the deadline of that phase.
struct Phase {
    running: bool,
    deadline: Instant,
    /// The exit of a workload that misses the deadline.
    timeout_exit: Exit,
}

impl Phase {
    fn starting(spec: &RunSpec) -> Self {
        let seconds = spec.pending_timeout().as_secs();
        Self {
            running: false,
            deadline: Instant::now() + start_timeout(spec),
            timeout_exit: Exit::without_code(
                RunReason::StartTimedOut,
                format!("The workload did not start within {seconds} s."),
            ),
        }
    }

    fn running(spec: &RunSpec, elapsed: Duration) -> Self {
        let limit = spec.running_timeout();
        let seconds = limit.as_secs();
        Self {
            running: true,
            deadline: Instant::now() + limit.saturating_sub(elapsed),
            timeout_exit: Exit::without_code(
                RunReason::TimedOut,
                format!("The workload ran longer than {seconds} s and was ended."),
            ),
        }
    }
}

impl LeaseTask {
    pub(crate) fn new(
        context: Arc<WorkerContext>,
        key: LeaseKey,
        signals: Arc<LeaseSignals>,
        grant: Grant,
    ) -> Self {
        Self {
            lease: LeaseHandle {
                context,
                key,
                signals,
                grant,
                mask: OnceLock::new(),
            },
        }
    }

    /// Runs until nothing is left to report, or until the lease is lost.
    pub(crate) async fn run(self) {
        let ended = self.lease.signals.ended.clone();
        if ended.run_until_cancelled(self.work()).await.is_none() && !self.outlives_worker() {
            self.lease.remove_workload(Duration::ZERO).await;
        }
    }

    fn outlives_worker(&self) -> bool {
        self.lease.context.executor.outlives_worker()
    }

    async fn work(&self) {
        if self.lease.grant.purpose == GrantPurpose::CleanUp {
            return self.release(Duration::ZERO).await;
        }
        let spec = match &self.lease.grant.spec {
            Ok(spec) => spec.clone(),
            Err(problem) => {
                let message = format!("The run cannot be started as it is described: {problem}");
                let exit = Exit::without_code(RunReason::ConfigError, message);
                return self.finish(exit).await;
            }
        };
        tokio::select! {
            biased;
            stop = self.lease.stopped() => self.stop_launch(stop).await,
            outcome = launch(&self.lease, spec.clone()) => match outcome {
                LaunchOutcome::Live(live) => self.follow(live, &spec).await,
                LaunchOutcome::NoWorkload(message) => {
                    self.lease.remove_workload(Duration::ZERO).await;
                    self.lease.report_lost(RunReason::WorkloadLost, message);
                }
                LaunchOutcome::Refused(exit, log) => {
                    // The log may be out of reach: the sentence is part of the result too.
                    let _ = log.sink.send(LogItem::Note(exit.message.clone())).await;
                    drop(log.sink);
                    log.pump.finish().await;
                    self.finish(exit).await;
                }
            }
        }
    }

    /// Stops a launch before there is a workload to follow.
    async fn stop_launch(&self, stop: Stop) {
        let takeover = self.lease.grant.purpose == GrantPurpose::TakeOver;
        match stop {
            Stop::Canceled(grace) => self.release(grace).await,
            Stop::Draining if takeover && self.outlives_worker() => {
                self.lease.hand_back(&HandBack::WorkloadGoesOn);
            }
            Stop::Draining => {
                self.lease.remove_workload(Duration::ZERO).await;
                self.lease.hand_back(&HandBack::WorkloadGone);
            }
        }
    }

    /// Follows a workload to its end, its time limit, or the lease's end.
    async fn follow(&self, mut live: LiveWorkload, spec: &RunSpec) {
        let mut phase = Phase::starting(spec);
        loop {
            let event = tokio::select! {
                biased;
                stop = self.lease.stopped() => return self.stop(live, stop).await,
                event = live.workload.watch() => event,
                () = tokio::time::sleep_until(phase.deadline) => {
                    return self.time_out(live, phase.timeout_exit).await;
                }
            };
            match event {
                WorkloadEvent::Running if phase.running => {}
                WorkloadEvent::Running => {
                    self.lease.report(Change::Running(Running {
                        workload: live.workload.reference.clone(),
                        adopted: self.lease.grant.purpose == GrantPurpose::TakeOver,
                    }));
                    phase = Phase::running(spec, self.lease.grant.elapsed);
                }
                WorkloadEvent::StartDelayed(_) if phase.running => {}
                WorkloadEvent::StartDelayed(exit) => {
                    self.lease
                        .note(NoteKind::StartDelayed, exit.message.clone());
                    phase.timeout_exit = exit;
                }
                WorkloadEvent::LogIncomplete(why) => {
                    self.lease.note(NoteKind::LogIncomplete, why);
                }
                WorkloadEvent::EndDelayed(why) => self.lease.note(NoteKind::EndDelayed, why),
                WorkloadEvent::Ended(exit) => {
                    live.close(None).await;
                    return self.finish(exit).await;
                }
                WorkloadEvent::Lost(exit) => {
                    return self.lose(live, exit, phase.deadline).await;
                }
            }
        }
    }

    /// Ends a workload at its time limit. The run ends then, also if it is not certain that the workload is gone, as on
    /// a node that is not heard; its slot is free only when it is.
    async fn time_out(&self, live: LiveWorkload, exit: Exit) {
        live.workload.expect_end();
        let mut removal = std::pin::pin!(self.lease.remove_workload(STOP_GRACE));
        let gone = tokio::time::timeout(REMOVAL_TIMEOUT, &mut removal).await;
        live.close(Some(exit.message.clone())).await;
        self.lease.report(Change::Finished(finished_to_pb(exit)));
        if gone.is_err() {
            removal.await;
        }
        self.lease.report(Change::Released(Released {}));
    }

    /// Ends the attempt of a workload that was taken away, when nothing of it is left. If that is not certain within
    /// the workload's own time limit, the run ends.
    async fn lose(&self, live: LiveWorkload, exit: Exit, deadline: Instant) {
        live.workload.expect_end();
        let mut removal = std::pin::pin!(self.lease.remove_workload(Duration::ZERO));
        let gone = tokio::time::timeout_at(deadline, &mut removal).await;
        live.close(None).await;
        if gone.is_ok() {
            return self.lease.report_lost(exit.reason, exit.message);
        }
        self.lease.report(Change::Finished(finished_to_pb(exit)));
        removal.await;
        self.lease.report(Change::Released(Released {}));
    }

    /// Ends a workload, or lets it go on for another worker, because the lease ends first.
    async fn stop(&self, live: LiveWorkload, stop: Stop) {
        match stop {
            Stop::Canceled(grace) => {
                live.workload.expect_end();
                self.lease.remove_workload(grace).await;
                let _ = tokio::time::timeout(LOG_TIMEOUT, live.close(None)).await;
                self.lease.report(Change::Released(Released {}));
            }
            Stop::Draining if self.outlives_worker() => {
                let _ = tokio::time::timeout(LOG_TIMEOUT, live.release()).await;
                self.lease.hand_back(&HandBack::WorkloadGoesOn);
            }
            Stop::Draining => {
                live.workload.expect_end();
                self.lease.remove_workload(STOP_GRACE).await;
                let message = "the worker shuts down and ends its process".to_owned();
                let close = live.close(Some(message.clone()));
                let _ = tokio::time::timeout(LOG_TIMEOUT, close).await;
                self.lease.report_lost(RunReason::WorkloadLost, message);
            }
        }
    }

    /// Reports the result, and frees the slot when the workload is gone. The log is stored by now.
    async fn finish(&self, exit: Exit) {
        self.lease.report(Change::Finished(finished_to_pb(exit)));
        self.release(Duration::ZERO).await;
    }

    /// Removes the workload and frees the slot.
    async fn release(&self, grace: Duration) {
        self.lease.remove_workload(grace).await;
        self.lease.report(Change::Released(Released {}));
    }
}
