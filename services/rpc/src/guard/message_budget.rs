//! The bound on the bytes of all request messages that a process holds at once, whoever sends them.
use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    task::{Context, Poll},
};

use bytes::Bytes;
use hyper::body::{Body as HttpBody, Frame};
use tonic::{Status, body::Body};

use crate::{mesh::MAX_MESSAGE_BYTES, status};

/// The part of the process's memory that messages may take: a handler holds another copy of those that it works on.
const MEMORY_PART: u64 = 4;
/// What messages may take in a process that has hardly any memory: two of the largest.
const MIN_BUDGET_BYTES: usize = 2 * MAX_MESSAGE_BYTES;

/// The bound, and what is taken of it; a clone is the same budget.
#[derive(Clone)]
pub(super) struct MessageBudget {
    max_bytes: usize,
    taken_bytes: Arc<AtomicUsize>,
}

impl MessageBudget {
    /// Returns the budget of a process that may use so much memory.
    pub(super) fn of_memory(memory_bytes: u64) -> Self {
        let part = usize::try_from(memory_bytes / MEMORY_PART).unwrap_or(usize::MAX);
        Self {
            max_bytes: part.max(MIN_BUDGET_BYTES),
            taken_bytes: Arc::default(),
        }
    }

    /// Returns a share of zero bytes for one call.
    pub(super) fn share(&self) -> Arc<MessageShare> {
        Arc::new(MessageShare {
            budget: self.clone(),
            bytes: AtomicUsize::new(0),
        })
    }
}

/// What one call has taken, given back when the call and its body are gone.
pub(super) struct MessageShare {
    budget: MessageBudget,
    bytes: AtomicUsize,
}

impl MessageShare {
    /// Takes more bytes; false if they are not there.
    fn grow(&self, bytes: usize) -> bool {
        let max = self.budget.max_bytes;
        let add = |taken: usize| taken.checked_add(bytes).filter(|taken| *taken <= max);
        let grown = self
            .budget
            .taken_bytes
            .fetch_update(Relaxed, Relaxed, add)
            .is_ok();
        if grown {
            self.bytes.fetch_add(bytes, Relaxed);
        }
        grown
    }
}

impl Drop for MessageShare {
    fn drop(&mut self) {
        let bytes = *self.bytes.get_mut();
        self.budget.taken_bytes.fetch_sub(bytes, Relaxed);
    }
}

/// A request whose bytes are taken from the budget as they arrive. It ends with an error when there are none left.
pub(super) struct BudgetedBody {
    inner: Body,
    share: Arc<MessageShare>,
}

impl BudgetedBody {
    pub(super) fn new(inner: Body, share: Arc<MessageShare>) -> Self {
        Self { inner, share }
    }
}

impl HttpBody for BudgetedBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let polled = std::task::ready!(Pin::new(&mut self.inner).poll_frame(cx));
        if let Some(Ok(frame)) = &polled
            && let Some(data) = frame.data_ref()
            && !self.share.grow(data.len())
        {
            metrics::counter!("ck8s_rpc_messages_refused_total").increment(1);
            let cause = "the messages of other calls take all memory that there is for them";
            let status = status::unavailable("room for the message", &cause);
            return Poll::Ready(Some(Err(status)));
        }
        Poll::Ready(polled)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_calls_have_taken_is_given_back_with_them() {
        let budget = MessageBudget::of_memory(0);
        let (one, other) = (budget.share(), budget.share());
        assert!(one.grow(MAX_MESSAGE_BYTES));
        assert!(other.grow(MAX_MESSAGE_BYTES));
        assert!(!other.grow(1));
        drop(one);
        assert!(other.grow(1));
        drop(other);
        assert_eq!(budget.taken_bytes.load(Relaxed), 0);
    }

    #[test]
    fn a_quarter_of_the_memory_is_for_messages() {
        let large = MessageBudget::of_memory(1 << 32);
        assert_eq!(large.max_bytes, 1 << 30);
        let small = MessageBudget::of_memory(128 << 20);
        assert_eq!(small.max_bytes, 64 << 20);
    }
}
