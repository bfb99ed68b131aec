//! The database clusters in which this database has lived, and which cursors mean places in it.
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::EventCursor;

/// A database cluster.
#[derive(Clone, Debug)]
pub(crate) struct Cluster {
    pub id: Uuid,
    /// Events from this transaction on were written in it.
    pub first_xact: i64,
}

/// The clusters of this database, the first one first; the last one is where it is now.
#[derive(Clone, Debug)]
pub(crate) struct Clusters(Vec<Cluster>);

/// A cursor as callers have it: a place, and the cluster that gave it out. Those of the first cluster name none.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum CursorKey {
    Of(i64, i64, Uuid),
    OfFirst(i64, i64),
}

impl Clusters {
    /// The clusters, the first one first.
    pub(crate) fn new(clusters: Vec<Cluster>) -> Self {
        Self(clusters)
    }

    /// Returns the cursor of a place, for callers.
    pub(crate) fn key(&self, cursor: EventCursor) -> CursorKey {
        let EventCursor(xact, seq) = cursor;
        match self.0.iter().rposition(|c| c.first_xact <= xact) {
            None | Some(0) => CursorKey::OfFirst(xact, seq),
            Some(at) => CursorKey::Of(xact, seq, self.0[at].id),
        }
    }

    /// Returns the place that a caller's cursor means. None: the cluster that gave it out is none of this database's,
    /// or went on after the dump from which this database was restored.
    pub(crate) fn place(&self, key: &CursorKey) -> Option<EventCursor> {
        let (at, cursor) = match *key {
            CursorKey::OfFirst(xact, seq) => (0, EventCursor(xact, seq)),
            CursorKey::Of(xact, seq, id) => {
                let at = self.0.iter().position(|c| c.id == id)?;
                (at, EventCursor(xact, seq))
            }
        };
        let next = self.0.get(at + 1);
        next.is_none_or(|next| cursor.0 < next.first_xact)
            .then_some(cursor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cluster(first_xact: i64) -> Cluster {
        Cluster {
            id: Uuid::now_v7(),
            first_xact,
        }
    }

    #[test]
    fn cursors_of_the_first_cluster_are_as_they_always_were() {
        let clusters = Clusters::new(vec![cluster(0)]);
        let key = clusters.key(EventCursor(7, 1));
        assert_eq!(serde_json::to_string(&key).unwrap(), "[7,1]");
        assert_eq!(clusters.place(&key), Some(EventCursor(7, 1)));
    }

    #[test]
    fn a_restored_database_knows_its_own_cursors_and_those_of_the_dump() {
        let old = Clusters::new(vec![cluster(0)]);
        let restored = Clusters::new(vec![old.0[0].clone(), cluster(1000)]);
        let in_dump = old.key(EventCursor(999, 5));
        assert_eq!(restored.place(&in_dump), Some(EventCursor(999, 5)));
        let beyond = old.key(EventCursor(1000, 5));
        assert_eq!(restored.place(&beyond), None, "the old cluster went on");
        let own = restored.key(EventCursor(1000, 5));
        let read: CursorKey = serde_json::from_str(&serde_json::to_string(&own).unwrap()).unwrap();
        assert_eq!(restored.place(&read), Some(EventCursor(1000, 5)));
        let other = Clusters::new(vec![old.0[0].clone(), cluster(1000)]);
        assert_eq!(
            other.place(&own),
            None,
            "the dump was restored elsewhere as well"
        );
    }
}
