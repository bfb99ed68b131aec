//! Which repositories are being synced: of many pushes at once, one more sync follows the one under way.
use std::collections::HashMap;

use ck8s_types::RepositoryId;
use parking_lot::Mutex;

/// The syncs under way, each with whether another one is to follow.
#[derive(Default)]
pub(in crate::service) struct SingleFlight(Mutex<HashMap<RepositoryId, Next>>);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Next {
    Nothing,
    Another,
}

impl SingleFlight {
    /// Returns whether the caller is to sync; if not, whoever syncs does so once more.
    pub(in crate::service) fn begin(&self, repository: RepositoryId) -> bool {
        let mut syncs = self.0.lock();
        let is_running = syncs.contains_key(&repository);
        let next = if is_running {
            Next::Another
        } else {
            Next::Nothing
        };
        syncs.insert(repository, next);
        !is_running
    }

    /// Notes that a sync ended. Returns whether the caller is to sync once more.
    pub(in crate::service) fn end(&self, repository: RepositoryId) -> bool {
        let mut syncs = self.0.lock();
        let another = syncs.remove(&repository) == Some(Next::Another);
        if another {
            syncs.insert(repository, Next::Nothing);
        }
        another
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_many_who_ask_for_a_sync_one_syncs_twice() {
        let (syncs, one) = (SingleFlight::default(), RepositoryId::new());
        assert!(syncs.begin(one));
        assert!(!syncs.begin(one));
        assert!(!syncs.begin(one));
        assert!(syncs.begin(RepositoryId::new()));
        assert!(syncs.end(one));
        assert!(!syncs.end(one));
        assert!(syncs.begin(one));
    }
}
