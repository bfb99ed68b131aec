//! The bound on the bytes of all bodies in memory. Only bytes that have arrived count: a large announced length takes
//! nothing away.
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

/// The bound, and what is taken of it; a clone is the same budget.
#[derive(Clone, Debug)]
pub(super) struct MemoryBudget {
    taken: Arc<AtomicUsize>,
    max_bytes: usize,
}

/// A share of the budget, given back when it is dropped.
#[derive(Debug)]
pub(super) struct MemoryShare {
    budget: MemoryBudget,
    bytes: usize,
}

/// The budget is used up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct OutOfBudget;

impl MemoryBudget {
    pub(super) fn new(max_bytes: usize) -> Self {
        Self {
            taken: Arc::default(),
            max_bytes,
        }
    }

    /// Returns a share of zero bytes.
    pub(super) fn share(&self) -> MemoryShare {
        MemoryShare {
            budget: self.clone(),
            bytes: 0,
        }
    }
}

impl MemoryShare {
    /// Takes more bytes.
    pub(super) fn grow(&mut self, bytes: usize) -> Result<(), OutOfBudget> {
        let taken = self.budget.taken.fetch_add(bytes, Ordering::Relaxed);
        self.bytes += bytes;
        if taken + bytes > self.budget.max_bytes {
            Err(OutOfBudget)
        } else {
            Ok(())
        }
    }
}

impl Drop for MemoryShare {
    fn drop(&mut self) {
        self.budget.taken.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_bounded_and_given_back() {
        let budget = MemoryBudget::new(10);
        let (mut one, mut other) = (budget.share(), budget.share());
        assert_eq!(one.grow(6), Ok(()));
        assert_eq!(other.grow(4), Ok(()));
        assert_eq!(other.grow(1), Err(OutOfBudget));
        drop(other);
        assert_eq!(one.grow(4), Ok(()));
        drop(one);
        assert_eq!(budget.share().grow(10), Ok(()));
    }
}
