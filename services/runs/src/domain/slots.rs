//! Which slots of each project are free, as far as this process knows. A hint: the unique key on (project, slot) decides. It saves the
//! claim from looking at every slot of a project, and a project whose slots are all taken from being looked at at all.
use std::collections::{BTreeSet, HashMap};

use ck8s_types::ProjectId;

/// The free slots of every project that was asked about.
#[derive(Default)]
pub struct FreeSlots(HashMap<ProjectId, Known>);

struct Known {
    /// How many slots the project has; those above are nobody's.
    count: i32,
    free: BTreeSet<i32>,
    /// The slot that was taken last. The next higher one is next, so that no slot's index entry gathers dead rows faster than others'.
    last: i32,
    /// More may be free than is known: read again before it counts as full.
    stale: bool,
    /// What happened here while the database is being read.
    meanwhile: Option<Vec<Change>>,
}

enum Change {
    Taken(i32),
    Freed(i32),
}

/// Whether a project has a free slot.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Room {
    Free,
    Full,
    /// It has to be read first.
    Unknown,
    /// It is being read.
    Awaited,
}

impl FreeSlots {
    /// Whether the project has a free slot.
    pub fn room(&self, project: ProjectId) -> Room {
        match self.0.get(&project) {
            None => Room::Unknown,
            Some(known) if !known.free.is_empty() => Room::Free,
            Some(known) if known.meanwhile.is_some() => Room::Awaited,
            Some(known) if known.stale => Room::Unknown,
            Some(_) => Room::Full,
        }
    }

    /// Takes a free slot, for a lease that is planned.
    pub fn take(&mut self, project: ProjectId) -> Option<i32> {
        let known = self.0.get_mut(&project)?;
        let above = known.free.range(known.last + 1..).next();
        let slot = *above.or(known.free.first())?;
        known.free.remove(&slot);
        known.last = slot;
        if let Some(meanwhile) = &mut known.meanwhile {
            meanwhile.push(Change::Taken(slot));
        }
        Some(slot)
    }

    /// A slot is free: its lease has ended, or was planned and not made.
    pub fn give(&mut self, project: ProjectId, slot: i32) {
        if let Some(known) = self.0.get_mut(&project) {
            if slot <= known.count {
                known.free.insert(slot);
            }
            if let Some(meanwhile) = &mut known.meanwhile {
                meanwhile.push(Change::Freed(slot));
            }
        }
    }

    /// Slots may have become free that are not known here.
    pub fn forget(&mut self, project: ProjectId) {
        if let Some(known) = self.0.get_mut(&project) {
            known.stale = true;
        }
    }

    /// The number of the project's slots changed: what is known may be too much.
    pub fn reset(&mut self, project: ProjectId) {
        self.0.remove(&project);
    }

    /// Anything may have changed.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// The database is about to be read: what happens from here on counts on top of what it says.
    pub fn begin(&mut self, project: ProjectId) {
        let known = self.0.entry(project).or_insert(Known {
            count: 0,
            free: BTreeSet::new(),
            last: 0,
            stale: true,
            meanwhile: None,
        });
        known.stale = false;
        known.meanwhile = Some(Vec::new());
    }

    /// The database was read since [`FreeSlots::begin`]: the project has `count` slots, and these are free.
    pub fn learn(&mut self, project: ProjectId, count: i32, free: impl IntoIterator<Item = i32>) {
        let Some(known) = self.0.get_mut(&project) else {
            return;
        };
        let Some(meanwhile) = known.meanwhile.take() else {
            return;
        };
        known.count = count;
        known.free = free.into_iter().collect();
        for change in meanwhile {
            match change {
                Change::Freed(slot) if slot <= count => known.free.insert(slot),
                Change::Taken(slot) | Change::Freed(slot) => known.free.remove(&slot),
            };
        }
    }

    /// The database could not be read.
    pub fn failed(&mut self, project: ProjectId) {
        if let Some(known) = self.0.get_mut(&project) {
            known.stale = true;
            known.meanwhile = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_happens_while_the_database_is_read_counts_on_top() {
        let (mut slots, p) = (FreeSlots::default(), ProjectId::new());
        assert_eq!(slots.room(p), Room::Unknown);
        slots.begin(p);
        assert_eq!(slots.room(p), Room::Awaited);
        slots.give(p, 2);
        slots.learn(p, 3, [1, 3]);
        assert_eq!([slots.take(p), slots.take(p)], [Some(1), Some(2)]);
        slots.begin(p);
        assert_eq!(slots.take(p), Some(3));
        slots.learn(p, 3, [3]);
        assert_eq!(slots.room(p), Room::Full);
    }

    #[test]
    fn what_is_full_is_read_again_only_after_something_was_heard() {
        let (mut slots, p) = (FreeSlots::default(), ProjectId::new());
        slots.begin(p);
        slots.forget(p);
        slots.learn(p, 1, [1]);
        assert_eq!(slots.room(p), Room::Free, "what is known free comes first");
        slots.take(p);
        assert_eq!(slots.room(p), Room::Unknown, "heard of while it was read");
        slots.begin(p);
        slots.failed(p);
        assert_eq!(slots.room(p), Room::Unknown);
        slots.begin(p);
        slots.learn(p, 1, []);
        assert_eq!(slots.room(p), Room::Full);
    }

    #[test]
    fn a_slot_above_the_number_that_is_set_is_not_given_again() {
        let (mut slots, p) = (FreeSlots::default(), ProjectId::new());
        slots.begin(p);
        slots.learn(p, 3, [1, 2, 3]);
        assert_eq!([slots.take(p), slots.take(p)], [Some(1), Some(2)]);
        slots.reset(p);
        slots.give(p, 2);
        assert_eq!(slots.room(p), Room::Unknown);
        slots.begin(p);
        slots.give(p, 2);
        slots.learn(p, 1, []);
        slots.give(p, 2);
        assert_eq!(slots.room(p), Room::Full);
        slots.give(p, 1);
        assert_eq!(slots.take(p), Some(1));
    }
}
