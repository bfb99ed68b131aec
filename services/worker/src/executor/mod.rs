//! What runs workloads. Two implementations, and no third without need.
pub(crate) mod kubernetes;
pub(crate) mod process;

use std::{
    collections::BTreeMap,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use async_trait::async_trait;
use ck8s_types::{Epoch, RunId, RunReason, RunSpec, RunState};
use secrecy::SecretString;
use tokio::{
    sync::{mpsc, watch},
    task::JoinHandle,
};
use tokio_util::task::AbortOnDropHandle;

use crate::log::LogSink;

/// Events of one workload that may wait for its task.
const EVENTS: usize = 16;

/// Where the workload of a run's attempt is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Target {
    /// The run.
    pub run: RunId,
    /// The attempt.
    pub attempt: i32,
    /// The project's slug.
    pub project: String,
}

/// A workload to start or to adopt.
pub struct Order {
    /// Which.
    pub target: Target,
    /// The lease that it runs under.
    pub epoch: Epoch,
    /// What runs.
    pub spec: RunSpec,
    /// Variables besides the spec's own: what the trigger says.
    pub env: BTreeMap<String, String>,
    /// Variables with secrets.
    pub secrets: BTreeMap<String, SecretString>,
    /// Until when the lease lives; it moves on as the lease is renewed.
    pub lease: watch::Receiver<Instant>,
    /// Where the stored log of this attempt ends.
    pub stored_log: u64,
}

/// How a workload ended, or why it did not start.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Exit {
    /// Why.
    pub reason: RunReason,
    /// In a sentence.
    pub message: String,
    /// Where one is known.
    pub code: Option<i32>,
}

impl Exit {
    /// The run's state that follows.
    #[must_use]
    pub fn state(&self) -> RunState {
        match self.reason {
            RunReason::Completed | RunReason::NoChange => RunState::Succeeded,
            RunReason::CanceledByUser | RunReason::Superseded => RunState::Canceled,
            _ => RunState::Failed,
        }
    }
}

/// What happens to a workload.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Event {
    /// It runs.
    Running,
    /// It does not start yet; this is why, should it never.
    Hindered(Exit),
    /// It ended, and its log has been read. Nothing follows.
    Ended(Exit),
    /// It is not there any more, and nobody knows how it ended. Nothing follows.
    Lost(String),
}

/// Why a workload cannot be started or adopted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum StartError {
    /// It never can.
    Refused(Exit),
    /// A newer lease holds it.
    Superseded,
    /// It may later.
    Unavailable(String),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(exit) => f.write_str(&exit.message),
            Self::Superseded => f.write_str("a newer lease holds the workload"),
            Self::Unavailable(message) => f.write_str(message),
        }
    }
}

/// A workload that is watched. Dropped, it is not watched any more; the process executor's then ends.
pub struct Workload {
    /// As in the contract: `kubernetes:<namespace>/<job>` or `process:<pid>`.
    pub reference: String,
    events: mpsc::Receiver<Event>,
    ending: Ending,
    _driver: AbortOnDropHandle<()>,
}

/// Whether the worker is ending a workload itself: then its end is no news.
#[derive(Clone, Default)]
pub(crate) struct Ending(Arc<AtomicBool>);

impl Ending {
    fn get(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl Workload {
    fn new(
        reference: String,
        events: mpsc::Receiver<Event>,
        ending: Ending,
        driver: JoinHandle<()>,
    ) -> Self {
        Self {
            reference,
            events,
            ending,
            _driver: AbortOnDropHandle::new(driver),
        }
    }

    /// What happens next. Safe to drop and ask again.
    pub async fn watch(&mut self) -> Event {
        let broken = || Event::Lost("the worker lost sight of the workload".to_owned());
        self.events.recv().await.unwrap_or_else(broken)
    }

    /// To be said before it is removed.
    pub fn expect_end(&self) {
        self.ending.0.store(true, Ordering::Relaxed);
    }

    /// Returns when nothing follows: its log has been read.
    pub async fn ended(&mut self) {
        while self.events.recv().await.is_some() {}
    }
}

/// Runs workloads.
#[async_trait]
pub trait Executor: Send + Sync {
    /// Whether a workload goes on when its worker is gone, and can be adopted.
    fn outlives_worker(&self) -> bool;

    /// Labels of the worker that follow from where its workloads live. `cluster=<id>` bounds who may adopt them.
    fn labels(&self) -> Vec<String>;

    /// Starts a workload. One that is there already is adopted, or, where that cannot be, ended first: at no moment are there two.
    async fn start(&self, order: &Order, log: &LogSink) -> Result<Workload, StartError>;

    /// Takes over a workload that another worker, or this one before a restart, started. None: there is none, and for certain.
    async fn adopt(&self, order: &Order, log: &LogSink) -> Result<Option<Workload>, StartError>;

    /// Ends a workload if there is one, and removes what belongs to it. Returns when all of it is gone; safe to repeat.
    /// Under a lease, a workload that a newer one holds is left alone ([`StartError::Superseded`]).
    async fn remove(
        &self,
        target: &Target,
        lease: Option<Epoch>,
        grace: Duration,
    ) -> Result<(), StartError>;

    /// Workloads of which something is left, this worker's own live ones included.
    async fn leftovers(&self) -> Result<Vec<Target>, StartError>;
}
