#![doc = include_str!("../README.md")]
mod queue;
mod split;

use std::{sync::Arc, time::Duration};

use tokio::sync::Mutex;

pub use queue::Queue;
pub use split::split_by_size;

/// The receiving end of a queue, for one worker; a clone is another worker on the same queue.
#[derive(Debug)]
pub struct Batches<T> {
    queue: Arc<Mutex<Queue<T>>>,
    max_items: usize,
    gather: Option<Duration>,
    buffer: Vec<T>,
    /// The buffer was handed out: what the worker left in it is dropped.
    is_handed_out: bool,
}

impl<T> Batches<T> {
    /// Batches of at most `max_items` from a receiver of `tokio::sync::mpsc`, bounded or not.
    #[must_use]
    pub fn new(receiver: impl Into<Queue<T>>, max_items: usize) -> Self {
        Self::on(Arc::new(Mutex::new(receiver.into())), max_items, None)
    }

    fn on(queue: Arc<Mutex<Queue<T>>>, max_items: usize, gather: Option<Duration>) -> Self {
        Self {
            queue,
            max_items,
            gather,
            buffer: Vec::with_capacity(max_items),
            is_handed_out: false,
        }
    }

    /// Lets items gather for so long after the first one of a batch: for hints, of which fewer and larger batches are
    /// better.
    #[must_use]
    pub fn gathering(mut self, time: Duration) -> Self {
        self.gather = Some(time);
        self
    }

    /// Returns this many workers that share the queue.
    pub fn workers(self, count: usize) -> impl Iterator<Item = Self> {
        std::iter::repeat_n(self, count)
    }

    /// Waits for items and returns all that wait, in their order, at most `max_items`. None: every sender is gone and
    /// nothing waits.
    ///
    /// What the worker leaves in the batch is dropped by the next call. Cancel safe: an item that was taken from the
    /// queue comes with the next call.
    pub async fn next(&mut self) -> Option<&mut Vec<T>> {
        if self.is_handed_out {
            self.buffer.clear();
            self.is_handed_out = false;
        }
        if self.buffer.is_empty() {
            let mut queue = self.queue.lock().await;
            if queue.recv_many(&mut self.buffer, self.max_items).await == 0 {
                return None;
            }
        }
        if let Some(time) = self.gather {
            tokio::time::sleep(time).await;
            let mut queue = self.queue.lock().await;
            while self.buffer.len() < self.max_items {
                let Some(item) = queue.try_recv() else {
                    break;
                };
                self.buffer.push(item);
            }
        }
        self.is_handed_out = true;
        Some(&mut self.buffer)
    }
}

impl<T> Clone for Batches<T> {
    fn clone(&self) -> Self {
        Self::on(self.queue.clone(), self.max_items, self.gather)
    }
}

#[cfg(test)]
mod tests;
