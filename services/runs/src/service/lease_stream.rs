//! A worker's stream, from its Hello to its end.
use std::{collections::HashSet, time::Duration};

use ck8s_types::{LeaseRef, RunId};
use tokio::sync::mpsc;
use tokio_stream::{Stream, StreamExt};

use crate::{
    domain::{
        Lease, LeaseHolder, LeasePhase, Registration, RevokeCause, ServerFrame, StreamId,
        TransitionMessage, WorkerFrame, WorkerHello,
    },
    engine::{Engine, Heartbeat, WorkerSession, resend_grants},
    error::RunsError,
    store::{leases, workers},
};

/// How long a worker may take to leave when it is told that the server stops.
const LEAVE_TIMEOUT: Duration = Duration::from_secs(2);

/// A worker that connects.
pub(crate) struct LeaseConnection {
    pub hello: WorkerHello,
    /// The leases that the worker says it holds.
    pub leases: Vec<LeaseRef>,
    /// What goes to the worker.
    pub frames: mpsc::UnboundedSender<Result<ServerFrame, RunsError>>,
}

/// What the database says about a worker that connects, compared with what it says itself.
struct Reconciliation {
    registration: Registration,
    /// Leases that both name.
    held: Vec<Lease>,
    /// Leases whose grants were lost with the stream before: they are sent again.
    ungranted: Vec<Lease>,
    /// Leases that the worker has lost: they were taken from it.
    lost: Vec<RunId>,
}

/// Serves a worker's stream until it ends.
pub(crate) async fn serve_lease_stream(
    engine: &Engine,
    connection: LeaseConnection,
    incoming: impl Stream<Item = Result<WorkerFrame, RunsError>>,
) -> Result<(), RunsError> {
    let hello = connection.hello.clone();
    let frames = connection.frames.clone();
    let stream = connect(engine, connection).await?;
    let ended = converse(engine, &hello, stream, incoming, &frames).await;
    disconnect(engine, &hello, stream).await;
    ended
}

async fn converse(
    engine: &Engine,
    hello: &WorkerHello,
    stream: StreamId,
    incoming: impl Stream<Item = Result<WorkerFrame, RunsError>>,
    frames: &mpsc::UnboundedSender<Result<ServerFrame, RunsError>>,
) -> Result<(), RunsError> {
    tokio::pin!(incoming);
    loop {
        tokio::select! {
            // The reader of our frames is gone: so is the stream.
            () = frames.closed() => return Ok(()),
            frame = incoming.next() => match frame {
                Some(frame) => take_frame(engine, hello, stream, frame?).await?,
                None => return Ok(()),
            },
            () = engine.shutdown.cancelled() => break,
        }
    }
    let _ = frames.send(Ok(ServerFrame::Draining));
    let _ = tokio::time::timeout(LEAVE_TIMEOUT, frames.closed()).await;
    Err(RunsError::Stopping)
}

/// Takes a worker in: compares its leases with what it says it holds.
async fn connect(engine: &Engine, connection: LeaseConnection) -> Result<StreamId, RunsError> {
    let found = reconcile(engine, &connection).await?;
    let worker = connection.hello.id.clone();
    let mut session = WorkerSession::new(connection.hello, found.registration, connection.frames);
    session.send(ServerFrame::Welcome {
        lease_ttl: engine.config.lease_ttl,
        heartbeat_interval: engine.config.heartbeat_interval,
        installation: engine.installation,
    });
    let held: HashSet<LeaseRef> = found.held.iter().map(|l| l.lease).collect();
    for lease in connection.leases.iter().filter(|l| !held.contains(l)) {
        session.revoke(*lease, RevokeCause::StaleEpoch);
    }
    for lease in &found.held {
        session.add_held_lease(lease.lease, lease.lane.project);
    }
    for lease in &found.ungranted {
        session.add_lease(lease.lease, lease.lane.project);
    }
    let stream = session.id;
    engine.scheduler().add_session(session);
    resend_grants(engine, &found.ungranted).await?;
    tracing::info!(
        %worker,
        held = found.held.len(),
        lost = found.lost.len(),
        "worker connected"
    );
    engine.wake_dispatcher();
    engine.wake_reaper();
    if !found.lost.is_empty() {
        engine.events_written();
    }
    Ok(stream)
}

/// Stores that the worker is connected here, and takes the leases from it that it has lost.
async fn reconcile(
    engine: &Engine,
    connection: &LeaseConnection,
) -> Result<Reconciliation, RunsError> {
    let hello = &connection.hello;
    let ttl = engine.config.lease_ttl.as_secs_f64();
    let mut tx = engine.pool.begin().await?;
    let registration = workers::connect(&mut tx, hello, engine.replica, ttl).await?;
    let stored = leases::of_workers(&mut tx, std::slice::from_ref(&hello.id)).await?;
    let named: HashSet<LeaseRef> = connection.leases.iter().copied().collect();
    let (held, missing): (Vec<_>, Vec<_>) =
        stored.into_iter().partition(|l| named.contains(&l.lease));
    // A grant that was lost with the stream is sent again. What ran in another process, or is gone in this one, is
    // lost.
    let (ungranted, lost): (Vec<_>, Vec<_>) = missing
        .into_iter()
        .partition(|l| registration.resumed && l.phase == LeasePhase::Starting);
    let lost: Vec<RunId> = lost.iter().map(|l| l.lease.run_id).collect();
    if !lost.is_empty() {
        let why = "its worker came back without it";
        let until = registration.predecessor_until;
        leases::orphan(&mut tx, &hello.id, &lost, until, why).await?;
    }
    tx.commit().await?;
    Ok(Reconciliation {
        registration,
        held,
        ungranted,
        lost,
    })
}

/// Takes a frame after the Hello.
async fn take_frame(
    engine: &Engine,
    hello: &WorkerHello,
    stream: StreamId,
    frame: WorkerFrame,
) -> Result<(), RunsError> {
    let worker = &hello.id;
    match frame {
        WorkerFrame::Heartbeat { sequence, leases } => {
            compare_leases(engine, hello, stream, &leases).await?;
            let heartbeat = Heartbeat {
                worker: worker.clone(),
                instance: hello.instance,
                stream,
                sequence,
            };
            engine.renew(heartbeat).await?;
        }
        WorkerFrame::Transition {
            lease,
            sequence,
            transition,
        } => {
            let holder = LeaseHolder {
                lease,
                worker: worker.clone(),
            };
            let message = TransitionMessage {
                holder,
                sequence,
                stream,
                transition,
            };
            engine.report(message).await?;
        }
        WorkerFrame::Capacity(capacity) => {
            engine.set_capacity(worker, capacity);
            let mut conn = engine.pool.acquire().await?;
            workers::set_capacity(&mut conn, worker, capacity).await?;
        }
        WorkerFrame::Drain => engine.set_leaving(worker, stream),
        WorkerFrame::Unknown => {}
    }
    Ok(())
}

/// Compares what a heartbeat names with what the worker holds here: revokes what is not the worker's any more, and
/// finds what it has not heard of or has forgotten.
async fn compare_leases(
    engine: &Engine,
    hello: &WorkerHello,
    stream: StreamId,
    named: &[LeaseRef],
) -> Result<(), RunsError> {
    let worker = &hello.id;
    let forgotten = {
        let mut scheduler = engine.scheduler();
        let Some(session) = scheduler.session_on(worker, stream) else {
            return Ok(());
        };
        session.compare(named)
    };
    if forgotten.is_empty() {
        return Ok(());
    }
    let mut conn = engine.pool.acquire().await?;
    let stored = leases::of_workers(&mut conn, std::slice::from_ref(worker)).await?;
    let (running, ungranted): (Vec<_>, Vec<_>) = stored
        .into_iter()
        .filter(|l| l.phase != LeasePhase::Releasing && forgotten.contains(&l.lease.run_id))
        .partition(|l| l.phase == LeasePhase::Running);
    if !running.is_empty() {
        let runs: Vec<RunId> = running.iter().map(|l| l.lease.run_id).collect();
        leases::orphan(
            &mut conn,
            worker,
            &runs,
            None,
            "its worker has forgotten it",
        )
        .await?;
        let mut scheduler = engine.scheduler();
        for lease in &running {
            scheduler.drop_lease(worker, lease.lease.run_id, lease.lane.project);
        }
        engine.wake_reaper();
    }
    drop(conn);
    resend_grants(engine, &ungranted).await
}

/// Removes a stream that has ended. The worker's leases live on.
async fn disconnect(engine: &Engine, hello: &WorkerHello, stream: StreamId) {
    if !engine.scheduler().remove_session(&hello.id, stream) {
        return;
    }
    tracing::info!(worker = %hello.id, "worker disconnected");
    let left = async {
        let mut conn = engine.pool.acquire().await?;
        workers::disconnect(&mut conn, &hello.id, hello.instance, engine.replica).await
    };
    match left.await {
        Ok(()) => {}
        // All streams end at once, and the connections with them: the replicas to which the workers go next store that
        // they are there.
        Err(error) if engine.shutdown.is_cancelled() => {
            tracing::debug!(worker = %hello.id, %error, "cannot store that a worker left");
        }
        Err(error) => {
            tracing::warn!(worker = %hello.id, %error, "cannot store that a worker left; its leases expire all the same");
        }
    }
}
