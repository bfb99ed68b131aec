//! Follows one guard: passes on commands, renewals and output, and turns its last report into an event.
use bytes::BytesMut;
use ck8s_types::RunReason;
use tokio::{
    io::AsyncReadExt,
    process::ChildStderr,
    sync::{mpsc, watch},
};

use super::{
    guard_process::{GuardProcess, milliseconds_until},
    protocol::{EndCause, GuardCommand, GuardReport},
};
use crate::domain::{Exit, LogItem, LogSink, Moment, WorkloadEvent};

/// How much output is read at once.
const READ_BYTES: usize = 16 * 1024;

/// The task between one guard and the worker.
pub(super) struct Driver {
    pub(super) guard: GuardProcess,
    /// Commands for the guard.
    pub(super) commands: mpsc::UnboundedReceiver<GuardCommand>,
    pub(super) lease_expiry: watch::Receiver<Moment>,
}

impl Driver {
    /// Follows the workload to its end.
    pub(super) async fn run(
        mut self,
        output: ChildStderr,
        log: &LogSink,
        events: &mpsc::Sender<WorkloadEvent>,
    ) {
        if events.send(WorkloadEvent::Running).await.is_err() {
            return;
        }
        let ((), last_event) = tokio::join!(pass_output(output, log), self.follow_guard());
        // The task that followed the workload may have gone.
        let _ = events.send(last_event).await;
    }

    /// Passes on commands and renewals until the workload has ended. Returns how it ended.
    async fn follow_guard(&mut self) -> WorkloadEvent {
        let report = loop {
            let command = tokio::select! {
                report = self.guard.next_report() => break report,
                Some(command) = self.commands.recv() => command,
                Ok(()) = self.lease_expiry.changed() => {
                    GuardCommand::Renew(milliseconds_until(*self.lease_expiry.borrow_and_update()))
                }
            };
            // If the guard is gone, the end of its reports says so.
            let _ = self.guard.send(&command).await;
        };
        if let Some(GuardReport::Ended {
            code,
            signal,
            cause,
        }) = report
        {
            self.guard.wait().await;
            return end_event(code, signal, cause);
        }
        // Somebody has killed the guard: end the workload in its place.
        self.guard.kill_workload().await;
        lost("the process's guard was ended by somebody else")
    }
}

fn lost(message: &str) -> WorkloadEvent {
    WorkloadEvent::Lost(Exit::without_code(RunReason::WorkloadLost, message))
}

/// Returns the event that follows from a guard's last report.
fn end_event(code: Option<i32>, signal: Option<i32>, cause: EndCause) -> WorkloadEvent {
    let (reason, message) = match (cause, code, signal) {
        (EndCause::LeaseExpired, ..) => {
            return lost("the lease was not renewed in time, so the process was ended");
        }
        (EndCause::WorkerGone, ..) => {
            return lost("the worker let go of the process, so it was ended");
        }
        (EndCause::Workload, None, None) => return lost("nobody knows how the process ended"),
        (EndCause::StopCommand, ..) => (
            RunReason::CanceledByUser,
            "The process was ended as asked.".to_owned(),
        ),
        (EndCause::Workload, Some(0), _) => (
            RunReason::Completed,
            "The workload ended with exit code 0.".to_owned(),
        ),
        (EndCause::Workload, Some(code), _) => (
            RunReason::AgentError,
            format!("The workload ended with exit code {code}."),
        ),
        (EndCause::Workload, None, Some(signal)) => (
            RunReason::AgentError,
            format!("The workload was ended by signal {signal}."),
        ),
    };
    WorkloadEvent::Ended(Exit {
        reason,
        message,
        code,
    })
}

/// Passes on everything that the workload and its children write.
async fn pass_output(mut output: ChildStderr, log: &LogSink) {
    let mut buffer = BytesMut::new();
    loop {
        buffer.reserve(READ_BYTES);
        match output.read_buf(&mut buffer).await {
            Ok(1..) => {
                let data = buffer.split().freeze();
                // A log that nobody takes must not hold up the workload.
                let _ = log.send(LogItem::Output(data)).await;
            }
            Ok(0) => return,
            Err(error) => {
                tracing::warn!(%error, "a workload's output cannot be read");
                return;
            }
        }
    }
}
