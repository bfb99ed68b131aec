//! Which slots of each project are free, as far as this process knows. A hint: the unique key on (project, slot)
//! decides. It saves the claim from looking at every slot of a project, and the dispatcher from looking at a project
//! whose slots are all taken.
use std::collections::{BTreeSet, HashMap};

use ck8s_types::{ProjectId, Slot};

/// The free slots of every project that was read.
#[derive(Default)]
pub(crate) struct FreeSlots(HashMap<ProjectId, Entry>);

struct Entry {
    /// The number of slots that the project has; slots above it belong to nobody.
    count: i32,
    free: BTreeSet<Slot>,
    /// The slot that was taken last. The next higher one is next, so that no slot's index entry gathers dead rows
    /// faster than others'.
    last_taken: Slot,
    /// More slots may be free than are known here: the database is read again before the project counts as full.
    is_stale: bool,
    /// The changes that happened here while the database is being read. None: it is not being read.
    changes: Option<Vec<SlotChange>>,
}

enum SlotChange {
    Taken(Slot),
    Released(Slot),
}

/// The slots of a project, as the database has them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ProjectSlots {
    pub project: ProjectId,
    /// How many slots the project has.
    pub count: i32,
    pub free: Vec<Slot>,
}

/// Whether a project has a free slot.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum SlotAvailability {
    Free,
    Full,
    /// The project has to be read first.
    Unknown,
    /// The project is being read.
    Loading,
}

impl FreeSlots {
    /// Whether the project has a free slot.
    pub(crate) fn availability(&self, project: ProjectId) -> SlotAvailability {
        match self.0.get(&project) {
            None => SlotAvailability::Unknown,
            Some(entry) if !entry.free.is_empty() => SlotAvailability::Free,
            Some(entry) if entry.changes.is_some() => SlotAvailability::Loading,
            Some(entry) if entry.is_stale => SlotAvailability::Unknown,
            Some(_) => SlotAvailability::Full,
        }
    }

    /// Takes a free slot, for a lease that is planned.
    pub(crate) fn take(&mut self, project: ProjectId) -> Option<Slot> {
        let entry = self.0.get_mut(&project)?;
        let next = Slot::from(entry.last_taken.number() + 1);
        let above = entry.free.range(next..).next();
        let slot = *above.or(entry.free.first())?;
        entry.free.remove(&slot);
        entry.last_taken = slot;
        if let Some(changes) = &mut entry.changes {
            changes.push(SlotChange::Taken(slot));
        }
        Some(slot)
    }

    /// Gives a slot back: its lease has ended, or was planned and not made.
    pub(crate) fn release(&mut self, project: ProjectId, slot: Slot) {
        if let Some(entry) = self.0.get_mut(&project) {
            if slot.number() <= entry.count {
                entry.free.insert(slot);
            }
            if let Some(changes) = &mut entry.changes {
                changes.push(SlotChange::Released(slot));
            }
        }
    }

    /// Notes that slots may have become free that are not known here.
    pub(crate) fn mark_stale(&mut self, project: ProjectId) {
        if let Some(entry) = self.0.get_mut(&project) {
            entry.is_stale = true;
        }
    }

    /// Returns the projects whose number of slots is known here, and the numbers.
    pub(crate) fn counts(&self) -> Vec<(ProjectId, i32)> {
        let loaded = self.0.iter().filter(|(_, entry)| entry.changes.is_none());
        loaded
            .map(|(project, entry)| (*project, entry.count))
            .collect()
    }

    /// Forgets a project whose number of slots changed: too many of its slots may count as free.
    pub(crate) fn forget(&mut self, project: ProjectId) {
        self.0.remove(&project);
    }

    /// Forgets everything: anything may have changed.
    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// Begins to read a project from the database: what happens from here on counts on top of what the database says.
    pub(crate) fn begin_load(&mut self, project: ProjectId) {
        let entry = self.0.entry(project).or_insert(Entry {
            count: 0,
            free: BTreeSet::new(),
            last_taken: Slot::from(0),
            is_stale: true,
            changes: None,
        });
        entry.is_stale = false;
        entry.changes = Some(Vec::new());
    }

    /// Takes over what the database said since [`FreeSlots::begin_load`].
    pub(crate) fn finish_load(&mut self, slots: ProjectSlots) {
        let Some(entry) = self.0.get_mut(&slots.project) else {
            return;
        };
        let Some(changes) = entry.changes.take() else {
            return;
        };
        entry.count = slots.count;
        entry.free = slots.free.into_iter().collect();
        for change in changes {
            match change {
                SlotChange::Released(slot) if slot.number() <= slots.count => {
                    entry.free.insert(slot)
                }
                SlotChange::Taken(slot) | SlotChange::Released(slot) => entry.free.remove(&slot),
            };
        }
    }

    /// Notes that the database could not be read.
    pub(crate) fn fail_load(&mut self, project: ProjectId) {
        if let Some(entry) = self.0.get_mut(&project) {
            entry.is_stale = true;
            entry.changes = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(slots: &mut FreeSlots, project: ProjectId, count: i32, free: &[i32]) {
        slots.finish_load(ProjectSlots {
            project,
            count,
            free: free.iter().copied().map(Slot::from).collect(),
        });
    }

    fn take(slots: &mut FreeSlots, project: ProjectId) -> Option<i32> {
        slots.take(project).map(Slot::number)
    }

    #[test]
    fn changes_during_a_load_count_on_top_of_it() {
        let (mut slots, p) = (FreeSlots::default(), ProjectId::new());
        assert_eq!(slots.availability(p), SlotAvailability::Unknown);
        slots.begin_load(p);
        assert_eq!(slots.availability(p), SlotAvailability::Loading);
        slots.release(p, Slot::from(2));
        load(&mut slots, p, 3, &[1, 3]);
        assert_eq!(
            [take(&mut slots, p), take(&mut slots, p)],
            [Some(1), Some(2)]
        );
        slots.begin_load(p);
        assert_eq!(take(&mut slots, p), Some(3));
        load(&mut slots, p, 3, &[3]);
        assert_eq!(slots.availability(p), SlotAvailability::Full);
    }

    #[test]
    fn a_full_project_is_read_again_only_after_a_slot_may_have_become_free() {
        let (mut slots, p) = (FreeSlots::default(), ProjectId::new());
        slots.begin_load(p);
        slots.mark_stale(p);
        load(&mut slots, p, 1, &[1]);
        assert_eq!(
            slots.availability(p),
            SlotAvailability::Free,
            "the slots that are known to be free come first"
        );
        take(&mut slots, p);
        assert_eq!(
            slots.availability(p),
            SlotAvailability::Unknown,
            "it became stale during the load"
        );
        slots.begin_load(p);
        slots.fail_load(p);
        assert_eq!(slots.availability(p), SlotAvailability::Unknown);
        slots.begin_load(p);
        load(&mut slots, p, 1, &[]);
        assert_eq!(slots.availability(p), SlotAvailability::Full);
    }

    #[test]
    fn the_numbers_of_slots_are_known_but_for_those_that_are_being_read() {
        let (mut slots, p) = (FreeSlots::default(), ProjectId::new());
        slots.begin_load(p);
        assert!(slots.counts().is_empty());
        load(&mut slots, p, 3, &[1]);
        assert_eq!(slots.counts(), [(p, 3)]);
        slots.begin_load(p);
        assert!(slots.counts().is_empty());
    }

    #[test]
    fn a_slot_above_the_number_that_is_set_is_not_used_again() {
        let (mut slots, p) = (FreeSlots::default(), ProjectId::new());
        slots.begin_load(p);
        load(&mut slots, p, 3, &[1, 2, 3]);
        assert_eq!(
            [take(&mut slots, p), take(&mut slots, p)],
            [Some(1), Some(2)]
        );
        slots.forget(p);
        slots.release(p, Slot::from(2));
        assert_eq!(slots.availability(p), SlotAvailability::Unknown);
        slots.begin_load(p);
        slots.release(p, Slot::from(2));
        load(&mut slots, p, 1, &[]);
        slots.release(p, Slot::from(2));
        assert_eq!(slots.availability(p), SlotAvailability::Full);
        slots.release(p, Slot::from(1));
        assert_eq!(take(&mut slots, p), Some(1));
    }
}
