//! A worker whose frames a test sends and receives one by one.
use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use ck8s_proto::runs::v1::{
    Drain, Finished, Grant, HandedBack, Heartbeat, Hello, LeaseRef, LeaseRequest, LeaseResponse,
    Lost, Released, RunReason, RunState, Running, Transition, Welcome, lease_request,
    lease_response::Frame, transition::Change,
};
use parking_lot::{Mutex, MutexGuard};
use tokio::{sync::mpsc, task::JoinHandle};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming};

use crate::{Api, WAIT_TIMEOUT, new_id};

/// One lease stream. Heartbeats are sent by themselves until the test stops them.
pub struct ManualWorker {
    /// The Hello that it sent.
    pub hello: Hello,
    /// The Welcome that it received.
    pub welcome: Welcome,
    frames: mpsc::Sender<LeaseRequest>,
    incoming: Streaming<LeaseResponse>,
    /// Frames that were received while the test waited for another one.
    kept: VecDeque<Frame>,
    sequence: i64,
    heart: Arc<Heart>,
    beating: JoinHandle<()>,
}

impl Drop for ManualWorker {
    fn drop(&mut self) {
        self.beating.abort();
    }
}

/// The content of the heartbeats.
#[derive(Default)]
struct Heart {
    sequence: AtomicI64,
    held: Mutex<Vec<LeaseRef>>,
}

impl Heart {
    fn held(&self) -> MutexGuard<'_, Vec<LeaseRef>> {
        self.held.lock()
    }

    fn beat(&self) -> Heartbeat {
        let sequence = self.sequence.fetch_add(1, Ordering::Relaxed) + 1;
        Heartbeat {
            sequence,
            leases: self.held().clone(),
        }
    }

    async fn beats(self: Arc<Self>, frames: mpsc::Sender<LeaseRequest>, every: Duration) {
        let mut ticks = tokio::time::interval(every);
        loop {
            ticks.tick().await;
            let beat = lease_request::Frame::Heartbeat(self.beat());
            if frames
                .send(LeaseRequest { frame: Some(beat) })
                .await
                .is_err()
            {
                return;
            }
        }
    }
}

/// The outcome of a transition.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TransitionOutcome {
    /// Acknowledged, and not refused.
    Stored,
    /// Acknowledged, with a Revoke before: it was stale.
    Revoked,
}

/// Returns the Hello of a process worker with a new instance id.
#[must_use]
pub fn hello(worker: &str, capacity: i32) -> Hello {
    Hello {
        worker_id: worker.to_owned(),
        instance_id: new_id(),
        protocol_version: 1,
        labels: Vec::new(),
        executor: "process".to_owned(),
        capacity,
        leases: Vec::new(),
        version: "by hand".to_owned(),
    }
}

/// Returns the Hello of a Kubernetes worker.
#[must_use]
pub fn hello_of_cluster(worker: &str, cluster: &str, capacity: i32) -> Hello {
    let labels = vec!["kubernetes".to_owned(), format!("cluster={cluster}")];
    Hello {
        executor: "kubernetes".to_owned(),
        labels,
        ..hello(worker, capacity)
    }
}

/// Returns a `Running` change.
#[must_use]
pub fn running() -> Change {
    Change::Running(Running {
        workload: "process:0".to_owned(),
        adopted: false,
    })
}

/// Returns a `Finished` change that succeeded.
#[must_use]
pub fn succeeded() -> Change {
    Change::Finished(Finished {
        state: RunState::Succeeded.into(),
        reason: RunReason::Completed.into(),
        message: String::new(),
        exit_code: Some(0),
    })
}

/// Returns a `Released` change.
#[must_use]
pub fn released() -> Change {
    Change::Released(Released {})
}

/// Returns a `Lost` change.
#[must_use]
pub fn lost() -> Change {
    Change::Lost(Lost {
        message: "gone".to_owned(),
        ..Lost::default()
    })
}

/// Returns a `HandedBack` change.
#[must_use]
pub fn handed_back(workload_goes_on: bool) -> Change {
    Change::HandedBack(HandedBack { workload_goes_on })
}

impl ManualWorker {
    /// Opens a stream and says Hello.
    ///
    /// # Errors
    /// What the server refuses it with.
    ///
    /// # Panics
    /// When the server does not answer.
    pub async fn try_connect(api: &Api, hello: Hello) -> Result<Self, Status> {
        let (frames, outgoing) = mpsc::channel(1024);
        let first = LeaseRequest {
            frame: Some(lease_request::Frame::Hello(hello.clone())),
        };
        frames.send(first).await.expect("the other end is here");
        let opening = async {
            let mut incoming = api
                .leases()
                .lease(ReceiverStream::new(outgoing))
                .await?
                .into_inner();
            let first = incoming.message().await?;
            Ok::<_, Status>((incoming, first))
        };
        let (incoming, first): (_, Option<LeaseResponse>) =
            tokio::time::timeout(WAIT_TIMEOUT, opening)
                .await
                .expect("a Welcome in time")?;
        let Some(LeaseResponse {
            frame: Some(Frame::Welcome(welcome)),
        }) = first
        else {
            panic!("the first frame is no Welcome: {first:?}");
        };
        let every =
            Duration::from_millis(u64::try_from(welcome.heartbeat_interval_ms).expect("a time"));
        let heart = Arc::new(Heart::default());
        heart.held().clone_from(&hello.leases);
        let beating = tokio::spawn(heart.clone().beats(frames.clone(), every));
        Ok(Self {
            hello,
            welcome,
            frames,
            incoming,
            kept: VecDeque::new(),
            sequence: 0,
            heart,
            beating,
        })
    }

    /// Stops the heartbeats; the stream stays open. To the server it looks like a worker that was stopped.
    pub fn fall_silent(&self) {
        self.beating.abort();
    }

    /// The same, for a worker that is welcome.
    ///
    /// # Panics
    /// When it is refused.
    pub async fn connect(api: &Api, hello: Hello) -> Self {
        Self::try_connect(api, hello).await.expect("is welcome")
    }

    /// Sends a frame.
    ///
    /// # Panics
    /// When the stream is gone.
    pub async fn send(&self, frame: lease_request::Frame) {
        self.frames
            .send(LeaseRequest { frame: Some(frame) })
            .await
            .expect("the stream is open");
    }

    /// Returns the first frame that `pick` takes; the others are kept.
    ///
    /// # Panics
    /// When none comes in time, or the stream ends.
    #[track_caller]
    pub fn next<'a, T: 'a>(
        &'a mut self,
        what: &'a str,
        pick: impl Fn(&Frame) -> Option<T> + 'a,
    ) -> impl Future<Output = T> + 'a {
        let at = std::panic::Location::caller();
        async move {
            if let Some((i, picked)) = self
                .kept
                .iter()
                .enumerate()
                .find_map(|(i, f)| Some((i, pick(f)?)))
            {
                self.kept.remove(i);
                return picked;
            }
            let reading = async {
                loop {
                    let frame = match self.incoming.message().await {
                        Ok(Some(LeaseResponse { frame: Some(frame) })) => frame,
                        end => {
                            panic!("the stream ended while {what} was waited for ({at}): {end:?}")
                        }
                    };
                    if !hear(&self.heart, &frame) {
                        continue;
                    }
                    if let Some(picked) = pick(&frame) {
                        return picked;
                    }
                    if !matches!(&frame, Frame::Renewed(_)) {
                        self.kept.push_back(frame);
                    }
                }
            };
            let Ok(picked) = tokio::time::timeout(WAIT_TIMEOUT, reading).await else {
                panic!(
                    "waited {WAIT_TIMEOUT:?} for {what} ({at}); there is {:?}",
                    self.kept
                );
            };
            picked
        }
    }

    /// Returns the next grant.
    #[track_caller]
    pub fn grant(&mut self) -> impl Future<Output = Grant> + '_ {
        self.next("a grant", |f| match f {
            Frame::Grant(grant) => Some(grant.clone()),
            _ => None,
        })
    }

    /// Returns the next grant of this run.
    ///
    /// # Panics
    /// When none comes.
    pub async fn grant_of(&mut self, run: &str) -> Grant {
        self.next("a grant of the run", |f| match f {
            Frame::Grant(grant) if lease(grant).run_id == run => Some(grant.clone()),
            _ => None,
        })
        .await
    }

    /// Sends a transition, and waits until it is acknowledged.
    pub async fn tell(&mut self, lease: &LeaseRef, change: Change) -> TransitionOutcome {
        let sequence = self.say(lease, change).await;
        self.acknowledged(sequence, lease).await
    }

    /// Sends a transition, and returns its sequence number.
    pub async fn say(&mut self, lease: &LeaseRef, change: Change) -> i64 {
        self.sequence += 1;
        self.say_as(self.sequence, lease, change).await;
        self.sequence
    }

    /// Sends a transition with this sequence number, for example a second time.
    pub async fn say_as(&mut self, sequence: i64, lease: &LeaseRef, change: Change) {
        if matches!(
            change,
            Change::Released(_) | Change::Lost(_) | Change::HandedBack(_)
        ) {
            self.heart.held().retain(|l| l != lease);
        }
        let transition = Transition {
            sequence,
            lease: Some(lease.clone()),
            change: Some(change),
        };
        self.send(lease_request::Frame::Transition(transition))
            .await;
    }

    /// Waits for the acknowledgement. A Revoke of the lease comes before it, if at all.
    pub async fn acknowledged(&mut self, sequence: i64, lease: &LeaseRef) -> TransitionOutcome {
        self.next("an Ack", |f| {
            matches!(f, Frame::Ack(ack) if ack.sequence == sequence).then_some(())
        })
        .await;
        let revoke = self
            .kept
            .iter()
            .position(|f| matches!(f, Frame::Revoke(r) if r.lease.as_ref() == Some(lease)));
        match revoke {
            Some(i) => {
                self.kept.remove(i);
                TransitionOutcome::Revoked
            }
            None => TransitionOutcome::Stored,
        }
    }

    /// Sends a heartbeat and waits for its response. Frames that the server sent before have been received by then.
    pub async fn beat(&mut self) {
        let beat = self.heart.beat();
        let sequence = beat.sequence;
        self.send(lease_request::Frame::Heartbeat(beat)).await;
        // Heartbeats that gather are answered together, by the last one's number.
        self.next("a Renewed", |f| {
            matches!(f, Frame::Renewed(r) if r.sequence >= sequence).then_some(())
        })
        .await;
    }

    /// Tells the server that the worker takes no more work.
    pub async fn drain(&self) {
        self.send(lease_request::Frame::Drain(Drain {})).await;
    }

    /// Waits for the Revoke of this lease, and returns its code.
    pub async fn revoked(&mut self, lease: &LeaseRef) -> String {
        self.next("a Revoke", |f| match f {
            Frame::Revoke(revoke) if revoke.lease.as_ref() == Some(lease) => {
                Some(revoke.code.clone())
            }
            _ => None,
        })
        .await
    }

    /// Waits for the Cancel of this lease, and returns its reason.
    pub async fn canceled(&mut self, lease: &LeaseRef) -> RunReason {
        self.next("a Cancel", |f| match f {
            Frame::Cancel(cancel) if cancel.lease.as_ref() == Some(lease) => Some(cancel.reason()),
            _ => None,
        })
        .await
    }

    /// Returns the frames that nothing waited for.
    #[must_use]
    pub fn kept(&self) -> &VecDeque<Frame> {
        &self.kept
    }

    /// Returns whether there is a grant that nothing waited for.
    #[must_use]
    pub fn has_grant(&self) -> bool {
        self.kept.iter().any(|f| matches!(f, Frame::Grant(_)))
    }

    /// Waits for the stream's end.
    ///
    /// # Panics
    /// When it does not end.
    pub async fn closed(&mut self) -> Option<Status> {
        let reading = async {
            loop {
                match self.incoming.message().await {
                    Ok(Some(LeaseResponse { frame: Some(frame) })) => self.kept.push_back(frame),
                    Ok(Some(_)) => {}
                    Ok(None) => return None,
                    Err(status) => return Some(status),
                }
            }
        };
        tokio::time::timeout(WAIT_TIMEOUT, reading)
            .await
            .expect("the stream ends")
    }

    /// Completes a lease: running, succeeded, released.
    ///
    /// # Panics
    /// When any of it is refused.
    pub async fn work_off(&mut self, grant: &Grant) {
        for change in [running(), succeeded(), released()] {
            assert_eq!(
                self.tell(lease(grant), change).await,
                TransitionOutcome::Stored
            );
        }
    }
}

/// Updates the leases that the heartbeats name. Returns false for a grant that is known already: the server sends a
/// grant again if two heartbeats did not name it, because the test had not read it yet.
fn hear(heart: &Heart, frame: &Frame) -> bool {
    let mut held = heart.held();
    match frame {
        Frame::Grant(grant) if held.contains(lease(grant)) => return false,
        Frame::Grant(grant) => {
            held.retain(|l| l.run_id != lease(grant).run_id);
            held.push(lease(grant).clone());
        }
        Frame::Revoke(revoke) => held.retain(|l| Some(l) != revoke.lease.as_ref()),
        _ => {}
    }
    true
}

/// Returns the lease of a grant.
///
/// # Panics
/// When it has none: the server always says it.
#[must_use]
pub fn lease(grant: &Grant) -> &LeaseRef {
    grant.lease.as_ref().expect("a grant names its lease")
}
