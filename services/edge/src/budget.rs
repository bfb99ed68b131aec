//! How many bytes of bodies are in memory, in all. Only what has come counts: to announce much costs nobody else anything.
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

/// The bound and what is taken of it; a clone is the same.
#[derive(Clone, Debug)]
pub(crate) struct Budget {
    taken: Arc<AtomicUsize>,
    most: usize,
}

/// A share; given back when dropped.
#[derive(Debug)]
pub(crate) struct Share {
    budget: Budget,
    bytes: usize,
}

/// The bound is reached.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Full;

impl Budget {
    pub(crate) fn new(most: usize) -> Self {
        Self {
            taken: Arc::default(),
            most,
        }
    }

    /// A share of nothing yet.
    pub(crate) fn share(&self) -> Share {
        Share {
            budget: self.clone(),
            bytes: 0,
        }
    }
}

impl Share {
    /// Takes more.
    pub(crate) fn grow(&mut self, bytes: usize) -> Result<(), Full> {
        let taken = self.budget.taken.fetch_add(bytes, Ordering::Relaxed);
        self.bytes += bytes;
        if taken + bytes > self.budget.most {
            Err(Full)
        } else {
            Ok(())
        }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.budget.taken.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_bounded_and_given_back() {
        let budget = Budget::new(10);
        let (mut one, mut other) = (budget.share(), budget.share());
        assert_eq!(one.grow(6), Ok(()));
        assert_eq!(other.grow(4), Ok(()));
        assert_eq!(other.grow(1), Err(Full));
        drop(other);
        assert_eq!(one.grow(4), Ok(()));
        drop(one);
        assert_eq!(budget.share().grow(10), Ok(()));
    }
}
