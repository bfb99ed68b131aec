//! What a connection does: requests under way, how long it has been idle, and what it has sent that is no request yet.
use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use tokio_util::sync::CancellationToken;

use super::frame_meter::earned_by_part;

/// What a connection may send without a request and nobody counts: ordinary heads, and the frames of HTTP/2.
const FREE_HEAD_BYTES: usize = 4 * 1024;
/// The most that a connection holds of an unfinished head: one that is read in full, and what came with its end.
const MAX_HEAD_CHARGE_BYTES: usize = 128 * 1024;
/// Bounds what a connection sends while no request is under way: more than the HTTP/2 window, since the body of a
/// refused request may still arrive, and far less than a flood of frames.
const MAX_IDLE_READ_BYTES: usize = 8 * 1024 * 1024;
/// How many requests of a connection may be given up before they were answered, unless more were answered.
const MAX_ABANDONED_REQUESTS: u32 = 1_000;

/// The bound on the unfinished heads of all connections.
#[derive(Debug)]
pub(super) struct HeadBudget {
    taken: AtomicUsize,
    max_bytes: usize,
}

impl HeadBudget {
    pub(super) fn new(max_bytes: usize) -> Self {
        Self {
            taken: AtomicUsize::new(0),
            max_bytes,
        }
    }
}

/// What one connection does.
#[derive(Debug)]
pub(super) struct Activity {
    started: Instant,
    requests: AtomicU32,
    answered: AtomicU32,
    abandoned: AtomicU32,
    /// Milliseconds after `started`.
    idle_since: AtomicU64,
    idle_read: AtomicUsize,
    charged: AtomicUsize,
    /// The control frames that responses have earned and the connection's meter has not seen yet.
    earned_frames: AtomicU32,
    heads: Arc<HeadBudget>,
    /// Cancelled when the connection must end.
    pub(super) end: CancellationToken,
}

/// The connection sends too much that is no request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct TooMuch;

impl Activity {
    pub(super) fn new(heads: Arc<HeadBudget>) -> Self {
        Self {
            started: Instant::now(),
            requests: AtomicU32::new(0),
            answered: AtomicU32::new(0),
            abandoned: AtomicU32::new(0),
            idle_since: AtomicU64::new(0),
            idle_read: AtomicUsize::new(0),
            charged: AtomicUsize::new(0),
            earned_frames: AtomicU32::new(0),
            heads,
            end: CancellationToken::new(),
        }
    }

    /// A request begins.
    pub(super) fn begin(self: &Arc<Self>) -> RequestGuard {
        self.requests.fetch_add(1, Relaxed);
        self.idle_read.store(0, Relaxed);
        self.release_heads();
        RequestGuard {
            activity: self.clone(),
            is_answered: false,
        }
    }

    /// Counts what the connection sent. It is a part of a head while no request is under way.
    pub(super) fn read(&self, bytes: usize) -> Result<(), TooMuch> {
        if self.requests.load(Relaxed) > 0 {
            return Ok(());
        }
        let all = self.idle_read.fetch_add(bytes, Relaxed) + bytes;
        if all <= FREE_HEAD_BYTES {
            return Ok(());
        }
        if all > MAX_IDLE_READ_BYTES {
            return Err(TooMuch);
        }
        let charge = all.min(MAX_HEAD_CHARGE_BYTES) - FREE_HEAD_BYTES;
        let more = charge.saturating_sub(self.charged.load(Relaxed));
        self.charged.fetch_add(more, Relaxed);
        let taken = self.heads.taken.fetch_add(more, Relaxed) + more;
        if taken > self.heads.max_bytes {
            return Err(TooMuch);
        }
        Ok(())
    }

    /// Returns the control frames that responses have earned since it was asked last.
    pub(super) fn take_earned_frames(&self) -> u32 {
        match self.earned_frames.load(Relaxed) {
            0 => 0,
            _ => self.earned_frames.swap(0, Relaxed),
        }
    }

    /// Returns how long it has been idle. None: a request is under way.
    pub(super) fn idle(&self) -> Option<Duration> {
        let since = Duration::from_millis(self.idle_since.load(Relaxed));
        (self.requests.load(Relaxed) == 0).then(|| self.started.elapsed().saturating_sub(since))
    }

    fn release_heads(&self) {
        let charged = self.charged.swap(0, Relaxed);
        if charged > 0 {
            self.heads.taken.fetch_sub(charged, Relaxed);
        }
    }
}

impl Drop for Activity {
    fn drop(&mut self) {
        self.release_heads();
    }
}

/// A request under way, until this is dropped.
pub(super) struct RequestGuard {
    activity: Arc<Activity>,
    is_answered: bool,
}

impl RequestGuard {
    /// A part of the response's body goes out.
    pub(super) fn sends(&self, bytes: usize) {
        let earned = earned_by_part(bytes);
        self.activity.earned_frames.fetch_add(earned, Relaxed);
    }

    /// The request has an answer; its body may still be under way.
    pub(super) fn answered(&mut self) {
        self.is_answered = true;
    }
}

impl Drop for RequestGuard {
    fn drop(&mut self) {
        let activity = &self.activity;
        if self.is_answered {
            activity.answered.fetch_add(1, Relaxed);
        } else {
            let abandoned = activity.abandoned.fetch_add(1, Relaxed);
            if abandoned >= MAX_ABANDONED_REQUESTS.max(activity.answered.load(Relaxed)) {
                activity.end.cancel();
            }
        }
        let now = u64::try_from(activity.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        activity.idle_since.store(now, Relaxed);
        activity.requests.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn activity(max_heads: usize) -> Arc<Activity> {
        Arc::new(Activity::new(Arc::new(HeadBudget::new(max_heads))))
    }

    #[test]
    fn unfinished_heads_are_charged_until_their_request_begins() {
        let one = activity(100_000);
        let other = Arc::new(Activity::new(one.heads.clone()));
        one.read(FREE_HEAD_BYTES).unwrap();
        assert_eq!(one.heads.taken.load(Relaxed), 0);
        one.read(60_000).unwrap();
        assert_eq!(other.read(50_000), Err(TooMuch));
        drop(other);
        let request = one.begin();
        assert_eq!(one.heads.taken.load(Relaxed), 0);
        one.read(MAX_IDLE_READ_BYTES * 2).unwrap();
        assert_eq!(one.idle(), None);
        drop(request);
        assert!(one.idle().is_some());
    }

    #[test]
    fn a_flood_without_requests_is_too_much() {
        let one = activity(1_000_000);
        let frames = std::iter::repeat_n(16_384, MAX_IDLE_READ_BYTES / 16_384);
        frames.for_each(|bytes| one.read(bytes).unwrap());
        assert_eq!(one.read(1), Err(TooMuch));
        assert_eq!(
            one.heads.taken.load(Relaxed),
            MAX_HEAD_CHARGE_BYTES - FREE_HEAD_BYTES
        );
    }

    #[test]
    fn a_connection_that_gives_up_its_requests_ends_and_one_that_waits_does_not() {
        let (hasty, patient) = (activity(0), activity(0));
        for _ in 0..MAX_ABANDONED_REQUESTS {
            drop(hasty.begin());
            drop(patient.begin());
            patient.begin().answered();
        }
        assert!(!hasty.end.is_cancelled());
        patient.begin().answered();
        drop(hasty.begin());
        drop(patient.begin());
        assert!(hasty.end.is_cancelled());
        assert!(!patient.end.is_cancelled());
    }
}
