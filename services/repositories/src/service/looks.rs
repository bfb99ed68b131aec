//! Which repositories are being looked at: of many pushes at once, one look follows the one that is under way.
use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use uuid::Uuid;

/// Looks under way, and whether somebody wants another one after it.
#[derive(Default)]
pub struct Looks(Mutex<HashMap<Uuid, bool>>);

impl Looks {
    /// Whether the caller is to look; if not, whoever looks does so again.
    pub fn begin(&self, repository: Uuid) -> bool {
        let mut looks = self.lock();
        let begun = looks.contains_key(&repository);
        looks.insert(repository, begun);
        !begun
    }

    /// A look has ended: whether there is to be another one.
    pub fn again(&self, repository: Uuid) -> bool {
        let mut looks = self.lock();
        let again = looks.remove(&repository) == Some(true);
        if again {
            looks.insert(repository, false);
        }
        again
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Uuid, bool>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_many_who_want_a_look_one_looks_twice() {
        let (looks, one) = (Looks::default(), Uuid::now_v7());
        assert!(looks.begin(one));
        assert!(!looks.begin(one));
        assert!(!looks.begin(one));
        assert!(looks.begin(Uuid::now_v7()));
        assert!(looks.again(one));
        assert!(!looks.again(one));
        assert!(looks.begin(one));
    }
}
