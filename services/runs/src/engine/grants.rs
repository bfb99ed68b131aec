//! Grants: what a worker is told about a lease.
use std::collections::HashMap;

use ck8s_proto::runs::v1::{self as pb, Grant, lease_response::Frame};
use ck8s_rpc::convert::timestamp;
use ck8s_types::{Epoch, RunId};
use uuid::Uuid;

use super::Engine;
use crate::{
    RunsError,
    convert::lease_ref,
    domain::Run,
    store::{self, claim::Leased, leases::LeaseRow},
};

/// How a workload is to be met.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Start it.
    Fresh,
    /// It may exist: adopt it.
    Takeover,
    /// The run has ended: stop it, if it exists.
    Cleanup,
}

struct Planned<'a> {
    run: RunId,
    epoch: Epoch,
    slot: i32,
    worker: &'a str,
    kind: Kind,
}

/// Sends grants of leases that were just made. `known`: runs that were made in the same transaction, so need not be read.
pub async fn deliver(
    engine: &Engine,
    leased: &[Leased],
    known: HashMap<RunId, Run>,
) -> Result<(), RunsError> {
    let planned = leased
        .iter()
        .map(|l| Planned {
            run: l.run,
            epoch: l.epoch,
            slot: l.slot,
            worker: &l.worker,
            kind: Kind::Fresh,
        })
        .collect();
    send(engine, planned, known).await
}

/// Sends grants again that were lost with a stream.
pub async fn resend(engine: &Engine, leases: &[LeaseRow]) -> Result<(), RunsError> {
    let planned = leases
        .iter()
        .filter_map(|l| {
            Some(Planned {
                run: l.run,
                epoch: l.epoch,
                slot: l.slot,
                worker: l.worker.as_deref()?,
                kind: Kind::Fresh,
            })
        })
        .collect();
    send(engine, planned, HashMap::new()).await
}

/// Sends the grant of a lease that was taken over.
pub async fn takeover(
    engine: &Engine,
    lease: &LeaseRow,
    epoch: Epoch,
    worker: &str,
) -> Result<(), RunsError> {
    let kind = if lease.releasing {
        Kind::Cleanup
    } else {
        Kind::Takeover
    };
    let planned = Planned {
        run: lease.run,
        epoch,
        slot: lease.slot,
        worker,
        kind,
    };
    send(engine, vec![planned], HashMap::new()).await
}

async fn send(
    engine: &Engine,
    planned: Vec<Planned<'_>>,
    mut known: HashMap<RunId, Run>,
) -> Result<(), RunsError> {
    let missing: Vec<Uuid> = planned
        .iter()
        .filter(|p| !known.contains_key(&p.run))
        .map(|p| p.run.uuid())
        .collect();
    if !missing.is_empty() {
        let runs = store::runs::get_many(&mut *engine.pool.acquire().await?, &missing).await?;
        known.extend(runs.into_iter().map(|r| (r.id, r)));
    }
    let mut frames = Vec::with_capacity(planned.len());
    for p in planned {
        let Some(run) = known.remove(&p.run) else {
            continue;
        };
        let slug = engine.peers.slug(run.project).await?;
        let started_at = run.started_at.map(timestamp);
        let run = pb::Run {
            slot: p.slot,
            worker_id: p.worker.to_owned(),
            ..run.into()
        };
        let grant = Grant {
            lease: Some(lease_ref(p.run, p.epoch)),
            slot: p.slot,
            run: Some(run),
            project_slug: slug,
            takeover: p.kind == Kind::Takeover,
            lease_until: None,
            start_time: if p.kind == Kind::Fresh {
                None
            } else {
                started_at
            },
            cleanup_only: p.kind == Kind::Cleanup,
        };
        frames.push((p.worker, grant));
    }
    let mut board = engine.board();
    for (worker, mut grant) in frames {
        if let Some(session) = board.session(worker) {
            grant.lease_until = Some(timestamp(session.lease_until));
            session.send(Frame::Grant(grant));
        }
        // Without a stream the lease waits for the worker's next Hello, or expires.
    }
    Ok(())
}
