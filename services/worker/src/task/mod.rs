//! One lease: from its grant to the last word about it.
mod begin;

use std::{sync::Arc, time::Duration};

use ck8s_proto::runs::v1::{Finished, HandedBack, Lost, Released, Running, transition::Change};
use ck8s_rpc::convert::{reason_to_pb, state_to_pb};
use ck8s_types::{RunReason, RunSpec};
use tokio_util::sync::CancellationToken;

use self::begin::Begun;
use crate::{
    LogItem, LogSettings,
    backoff::Backoff,
    connection::Connection,
    executor::{Event, Executor, Exit, Workload},
    lease::{Control, LeaseKey, LeaseTable},
    log::{LogSink, Pump, Shipper},
    order::Granting,
};

/// What every task needs.
pub(crate) struct Context {
    pub(crate) leases: Arc<LeaseTable>,
    pub(crate) connection: Arc<Connection>,
    pub(crate) executor: Arc<dyn Executor>,
    pub(crate) shipper: Shipper,
    pub(crate) log: LogSettings,
    /// The worker takes no more work.
    pub(crate) drain: CancellationToken,
}

/// The worker's deadline comes a little before the server's, since it knows better why a workload did not start.
const EARLIER: Duration = Duration::from_secs(1);
/// A workload that is stopped for good: at a time limit, or when the worker goes.
const STOP_GRACE: Duration = Duration::from_secs(2);
/// How long the rest of the log may take when the worker goes: another one reads on.
const LAST_LOG: Duration = Duration::from_secs(3);

/// One lease's task.
pub(crate) struct Task {
    pub(crate) context: Arc<Context>,
    pub(crate) lease: LeaseKey,
    pub(crate) control: Arc<Control>,
    pub(crate) granting: Granting,
}

/// Why a task stopped before its workload ended.
enum Stop {
    /// The server said so.
    Canceled(Duration),
    /// The worker goes.
    Draining,
}

/// A workload under way.
struct Live {
    workload: Workload,
    sink: LogSink,
    pump: Pump,
}

impl Task {
    /// Runs until nothing is left to say, or the lease is lost.
    pub(crate) async fn run(self) {
        let let_go = self.control.let_go.clone();
        if let_go.run_until_cancelled(self.work()).await.is_none()
            && !self.context.executor.outlives_worker()
        {
            self.remove(Duration::ZERO).await;
        }
    }

    async fn work(&self) {
        if self.granting.cleanup_only {
            self.remove(Duration::ZERO).await;
            return self.report(Change::Released(Released {}));
        }
        let spec = match &self.granting.spec {
            Ok(spec) => spec.clone(),
            Err(problem) => {
                let message = format!("The run cannot be started as it is described: {problem}");
                return self
                    .finished(Exit {
                        reason: RunReason::ConfigError,
                        message,
                        code: None,
                    })
                    .await;
            }
        };
        tokio::select! {
            biased;
            stop = self.stopped() => self.stop_early(stop).await,
            begun = self.begin(spec.clone()) => match begun {
                Begun::Live(live) => self.follow(live, &spec).await,
                Begun::Nothing(message) => {
                    self.remove(Duration::ZERO).await;
                    self.report(Change::Lost(Lost { message }));
                }
                Begun::Refused(exit, sink, pump) => {
                    // The log's end may be out of reach: the sentence is in the result too.
                    let _ = sink.send(LogItem::Note(exit.message.clone())).await;
                    drop(sink);
                    pump.finish().await;
                    self.finished(exit).await;
                }
            }
        }
    }

    fn report(&self, change: Change) {
        self.context.leases.report(self.lease, change);
    }

    async fn stopped(&self) -> Stop {
        let mut cancel = self.control.cancel.subscribe();
        tokio::select! {
            biased;
            grace = async { cancel.wait_for(Option::is_some).await.ok().and_then(|g| *g) } => {
                Stop::Canceled(grace.unwrap_or_default())
            }
            () = self.context.drain.cancelled() => Stop::Draining,
        }
    }

    /// Stopped before the workload was in hand.
    async fn stop_early(&self, stop: Stop) {
        let goes_on = self.granting.takeover && self.context.executor.outlives_worker();
        match stop {
            Stop::Canceled(grace) => {
                self.remove(grace).await;
                self.report(Change::Released(Released {}));
            }
            Stop::Draining if goes_on => self.report(Change::HandedBack(HandedBack {
                workload_goes_on: true,
            })),
            Stop::Draining => {
                self.remove(Duration::ZERO).await;
                self.report(Change::HandedBack(HandedBack {
                    workload_goes_on: false,
                }));
            }
        }
    }

    /// Ends the workload; tries until it is certain that it is gone. What a newer lease holds stays: the server is about to say so.
    async fn remove(&self, grace: Duration) {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(5));
        loop {
            let epoch = self
                .context
                .leases
                .epoch(self.lease)
                .unwrap_or(self.granting.epoch);
            let removed = self
                .context
                .executor
                .remove(&self.granting.target, Some(epoch), grace)
                .await;
            let Err(error) = removed else { return };
            tracing::warn!(run.id = %self.lease.run, %error, "a workload cannot be removed yet");
            tokio::time::sleep(backoff.next()).await;
        }
    }

    /// Everything of the log is stored: now the result, and the slot when all is gone.
    async fn finished(&self, exit: Exit) {
        self.report(Change::Finished(Finished {
            state: state_to_pb(exit.state()).into(),
            reason: reason_to_pb(exit.reason).into(),
            message: exit.message,
            exit_code: exit.code,
        }));
        self.remove(Duration::ZERO).await;
        self.report(Change::Released(Released {}));
    }

    async fn follow(&self, mut live: Live, spec: &RunSpec) {
        let takeover = self.granting.takeover;
        let granted = tokio::time::Instant::now();
        let pending = spec.pending_timeout();
        let mut deadline = granted + pending.saturating_sub(EARLIER.min(pending / 10));
        let mut running = false;
        let mut late = Exit {
            reason: RunReason::StartTimedOut,
            message: format!("The workload did not start within {} s.", pending.as_secs()),
            code: None,
        };
        loop {
            let event = tokio::select! {
                biased;
                stop = self.stopped() => return self.stop(live, stop).await,
                event = live.workload.watch() => event,
                () = tokio::time::sleep_until(deadline) => {
                    live.workload.expect_end();
                    self.remove(STOP_GRACE).await;
                    return self.end(live, late, true).await;
                }
            };
            match event {
                Event::Running if !running => {
                    running = true;
                    let workload = live.workload.reference.clone();
                    self.report(Change::Running(Running {
                        workload,
                        adopted: takeover,
                    }));
                    let limit = spec.running_timeout();
                    deadline =
                        tokio::time::Instant::now() + limit.saturating_sub(self.granting.ran);
                    late = Exit {
                        reason: RunReason::TimedOut,
                        message: format!(
                            "The workload ran longer than {} s and was ended.",
                            limit.as_secs()
                        ),
                        code: None,
                    };
                }
                Event::Running => {}
                Event::Hindered(exit) if !running => late = exit,
                Event::Hindered(_) => {}
                Event::Ended(exit) => return self.end(live, exit, false).await,
                Event::Lost(message) => {
                    live.workload.expect_end();
                    self.remove(Duration::ZERO).await;
                    live.close(None).await;
                    return self.report(Change::Lost(Lost { message }));
                }
            }
        }
    }

    async fn end(&self, live: Live, exit: Exit, noted: bool) {
        let note = noted.then(|| exit.message.clone());
        live.close(note).await;
        self.finished(exit).await;
    }

    async fn stop(&self, live: Live, stop: Stop) {
        match stop {
            Stop::Canceled(grace) => {
                live.workload.expect_end();
                self.remove(grace).await;
                // What is not stored by now is of little use, and the slot waits.
                let _ = tokio::time::timeout(LAST_LOG, live.close(None)).await;
                self.report(Change::Released(Released {}));
            }
            Stop::Draining if self.context.executor.outlives_worker() => {
                let _ = tokio::time::timeout(LAST_LOG, live.let_go()).await;
                self.report(Change::HandedBack(HandedBack {
                    workload_goes_on: true,
                }));
            }
            Stop::Draining => {
                live.workload.expect_end();
                self.remove(STOP_GRACE).await;
                let note = "the worker goes, and the process with it".to_owned();
                let _ = tokio::time::timeout(LAST_LOG, live.close(Some(note.clone()))).await;
                self.report(Change::Lost(Lost { message: note }));
            }
        }
    }
}

impl Live {
    /// Returns when what was read of the log is stored; the workload goes on.
    async fn let_go(self) {
        drop(self.workload);
        drop(self.sink);
        self.pump.finish().await;
    }

    /// Of a workload that has ended: returns when its log is stored to its end.
    async fn close(mut self, note: Option<String>) {
        let _ = tokio::time::timeout(LAST_LOG, self.workload.ended()).await;
        drop(self.workload);
        if let Some(note) = note {
            let _ = self.sink.send(LogItem::Note(note)).await;
        }
        drop(self.sink);
        self.pump.finish().await;
    }
}
