//! The queue behind the workers: a bounded or an unbounded channel.
use tokio::sync::mpsc;

/// A receiver of `tokio::sync::mpsc`.
#[derive(Debug)]
pub enum Queue<T> {
    /// Senders wait while it is full.
    Bounded(mpsc::Receiver<T>),
    /// Sending never waits: for small items whose number something else bounds.
    Unbounded(mpsc::UnboundedReceiver<T>),
}

impl<T> Queue<T> {
    pub(crate) async fn recv_many(&mut self, buffer: &mut Vec<T>, limit: usize) -> usize {
        match self {
            Self::Bounded(receiver) => receiver.recv_many(buffer, limit).await,
            Self::Unbounded(receiver) => receiver.recv_many(buffer, limit).await,
        }
    }

    pub(crate) fn try_recv(&mut self) -> Option<T> {
        match self {
            Self::Bounded(receiver) => receiver.try_recv().ok(),
            Self::Unbounded(receiver) => receiver.try_recv().ok(),
        }
    }
}

impl<T> From<mpsc::Receiver<T>> for Queue<T> {
    fn from(receiver: mpsc::Receiver<T>) -> Self {
        Self::Bounded(receiver)
    }
}

impl<T> From<mpsc::UnboundedReceiver<T>> for Queue<T> {
    fn from(receiver: mpsc::UnboundedReceiver<T>) -> Self {
        Self::Unbounded(receiver)
    }
}
