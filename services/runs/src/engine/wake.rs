//! Wake-ups between replicas. They are hints: losing one loses nothing, since every reader also sweeps. They gather for a few milliseconds
//! and go in one NOTIFY outside the transactions that they tell of, so that no commit queues for NOTIFY's lock.
use std::{collections::BTreeMap, sync::Arc, time::Duration};

use ck8s_db::{
    channels,
    listen::{Listener, Wake},
};
use ck8s_types::ProjectId;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use uuid::Uuid;

use super::{Engine, reaper};
use crate::domain::{Lane, Place, PoolId};

/// How long wake-ups gather: it bounds NOTIFY to 100 per second.
const GATHER: Duration = Duration::from_millis(10);
/// Most of each in one message (PostgreSQL takes 8,000 bytes); beyond it, "look at everything".
const MOST: usize = 40;

/// Something that another replica may want to know.
#[derive(Debug)]
pub enum Note {
    /// A run waits.
    Opened(Lane, Place),
    /// A slot is free.
    Freed(ProjectId),
    /// The number of a project's slots changed.
    Slots(ProjectId),
    /// A worker elsewhere has to stop something.
    Cancel(String),
    /// Flow events were written.
    Events,
}

#[derive(Default, Serialize, Deserialize)]
struct Message {
    from: Uuid,
    /// (project, pool, rank, seq)
    opened: Vec<(Uuid, i32, i16, i64)>,
    freed: Vec<Uuid>,
    slots: Vec<Uuid>,
    cancel: Vec<String>,
    all: bool,
}

/// Sends what gathers, until shutdown.
pub async fn send(engine: Arc<Engine>, mut notes: mpsc::UnboundedReceiver<Note>) {
    let mut gathered = Vec::new();
    loop {
        tokio::select! {
            n = notes.recv_many(&mut gathered, 4096) => if n == 0 { return },
            () = engine.shutdown.cancelled() => return,
        }
        tokio::time::sleep(GATHER).await;
        while let Ok(note) = notes.try_recv() {
            gathered.push(note);
        }
        let message = gather(engine.replica.uuid(), gathered.drain(..));
        let Ok(text) = serde_json::to_string(&message) else {
            continue;
        };
        if let Err(error) = sqlx::query!("SELECT pg_notify($1, $2)", channels::RUNS, text)
            .fetch_one(&engine.pool)
            .await
        {
            tracing::debug!(%error, "cannot wake other replicas; they sweep");
        }
    }
}

fn gather(from: Uuid, notes: impl Iterator<Item = Note>) -> Message {
    let mut lanes: BTreeMap<Lane, Place> = BTreeMap::new();
    let mut message = Message {
        from,
        ..Message::default()
    };
    for note in notes {
        match note {
            Note::Opened(lane, place) => {
                let first = lanes.entry(lane).or_insert(place);
                *first = (*first).min(place);
            }
            Note::Freed(project) if !message.freed.contains(&project.uuid()) => {
                message.freed.push(project.uuid());
            }
            Note::Slots(project) if !message.slots.contains(&project.uuid()) => {
                message.slots.push(project.uuid());
            }
            Note::Cancel(worker) if !message.cancel.contains(&worker) => {
                message.cancel.push(worker);
            }
            _ => {}
        }
    }
    message.all = [lanes.len(), message.freed.len(), message.slots.len()]
        .iter()
        .any(|n| *n > MOST);
    if message.all {
        message.freed.clear();
        message.slots.clear();
    } else {
        message.opened = lanes
            .into_iter()
            .map(|(l, p)| (l.project.uuid(), l.pool.0, p.rank, p.seq))
            .collect();
    }
    message.cancel.truncate(20); // the rest is found by the reaper of the worker's replica
    message
}

/// Takes what others send, until shutdown.
pub async fn receive(engine: Arc<Engine>, mut listener: Listener) {
    loop {
        let wake = tokio::select! {
            wake = listener.next() => wake,
            () = engine.shutdown.cancelled() => return,
        };
        let message = match wake {
            Wake::Reconnected => Some(Message {
                all: true,
                ..Message::default()
            }),
            Wake::Notified { payload, .. } => serde_json::from_str(&payload).ok(),
        };
        let Some(message) = message.filter(|m: &Message| m.from != engine.replica.uuid()) else {
            continue;
        };
        take(&engine, message).await;
    }
}

async fn take(engine: &Engine, message: Message) {
    let mut unknown = message.all;
    {
        let mut board = engine.board();
        if message.all {
            board.slots.clear();
        }
        for (project, pool, rank, seq) in message.opened {
            let lane = Lane {
                project: ProjectId::from(project),
                pool: PoolId(pool),
            };
            unknown |= board.is_unknown(lane.pool);
            board.fair.opened(lane, Place { rank, seq });
        }
        for project in message.freed {
            board.may_have_room(ProjectId::from(project));
        }
        for project in message.slots.into_iter().map(ProjectId::from) {
            board.slots.reset(project);
            board.fair.reopened(project);
        }
    }
    let done = async {
        if unknown {
            reaper::open_lanes(engine).await?;
        }
        for worker in &message.cancel {
            engine.stop_ended(worker).await?;
        }
        Ok::<_, crate::RunsError>(())
    };
    if let Err(error) = done.await {
        tracing::debug!(%error, "cannot follow a wake-up; the sweep does");
    }
    engine.wake_dispatcher();
    engine.feed.wake();
}
