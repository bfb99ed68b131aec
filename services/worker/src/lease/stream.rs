//! The lease stream over the worker's life: it opens one session after the other, until everything is handed back.
use std::{sync::Arc, time::Duration};

use ck8s_proto::runs::v1::Grant;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tonic::{Code, Status};

use super::{
    LeaseTable,
    session::{Session, SessionEnd, WorkerIdentity},
};
use crate::{
    connection::{Connection, ConnectionState},
    domain::{Backoff, Moment},
    error::WorkerError,
    executor::Executor,
};

/// The first wait before a reconnect, and the longest: short, because leases expire meanwhile.
const RECONNECT_BACKOFF: (Duration, Duration) =
    (Duration::from_millis(100), Duration::from_secs(5));

/// The lease stream.
pub(crate) struct LeaseStream {
    pub(crate) identity: WorkerIdentity,
    pub(crate) connection: Arc<Connection>,
    pub(crate) leases: Arc<LeaseTable>,
    /// Cancelled when the worker takes no more work.
    pub(crate) drain: CancellationToken,
    /// Learns from each server's Welcome whose installation it works for.
    pub(crate) executor: Arc<dyn Executor>,
    /// Set when a session begins and when it ends.
    pub(crate) connection_state: watch::Sender<ConnectionState>,
}

impl LeaseStream {
    /// Runs until everything is handed back after `drain`. Every grant goes to `on_grant`, with the end of its first
    /// term.
    ///
    /// # Errors
    /// [`WorkerError::Refused`] if the server refuses this worker before it has ever accepted it.
    pub(crate) async fn run(
        &self,
        mut on_grant: impl FnMut(Grant, Moment),
    ) -> Result<(), WorkerError> {
        let mut backoff = Backoff::new(RECONNECT_BACKOFF.0, RECONNECT_BACKOFF.1);
        let mut welcomed = false;
        loop {
            let end = match self.open().await {
                Ok(mut session) => {
                    welcomed = true;
                    backoff.reset();
                    self.executor.serve(session.installation);
                    self.connection_state
                        .send_replace(ConnectionState::Connected);
                    session.run(&mut on_grant).await
                }
                Err(status) => SessionEnd::Broken(status),
            };
            self.connection_state
                .send_replace(ConnectionState::Disconnected);
            match end {
                SessionEnd::HandedBack => return Ok(()),
                SessionEnd::ServerDrains => {
                    tracing::info!("the server shuts down; connecting to another replica");
                }
                SessionEnd::Broken(status) if !welcomed && is_refusal(&status) => {
                    return Err(WorkerError::Refused {
                        message: status.message().to_owned(),
                    });
                }
                SessionEnd::Broken(status) => {
                    tracing::warn!(code = ?status.code(), message = status.message(), "the lease stream broke");
                }
            }
            if self.drain.is_cancelled() && self.leases.is_empty() {
                return Ok(());
            }
            metrics::counter!("ck8s_worker_reconnects_total").increment(1);
            tokio::time::sleep(backoff.next()).await;
            self.connection.reconnect();
        }
    }

    async fn open(&self) -> Result<Session, Status> {
        let client = self.connection.client();
        Session::open(client, &self.identity, &self.leases, &self.drain).await
    }
}

/// Whether trying again does not help.
fn is_refusal(status: &Status) -> bool {
    matches!(
        status.code(),
        Code::Unauthenticated
            | Code::PermissionDenied
            | Code::InvalidArgument
            | Code::FailedPrecondition
            | Code::Unimplemented
    )
}
