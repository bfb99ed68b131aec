//! A change at the provider that has begun and not ended.

/// What a pending change does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ChangeKind {
    /// Adds the repository. It is undone if it stops.
    Add,
    /// Removes the repository. It is completed if it stops.
    Remove,
    /// Replaces the webhook secret. It is completed if it stops.
    Rotate,
}

impl ChangeKind {
    /// Every kind, as the CHECK of the table has them.
    pub(crate) const ALL: [Self; 3] = [Self::Add, Self::Remove, Self::Rotate];

    /// Returns its word in the database.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Add => "add",
            Self::Remove => "remove",
            Self::Rotate => "rotate",
        }
    }

    /// Reads its word in the database; none: no kind has this word.
    pub(crate) fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }
}

/// A change that has begun and not ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PendingChange {
    pub kind: ChangeKind,
    /// The address that hooks posted to when the change began.
    pub hook_url: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_word_is_no_kind() {
        for kind in ChangeKind::ALL {
            assert_eq!(ChangeKind::from_word(kind.as_str()), Some(kind));
        }
        for word in ["", "ADD", "renew"] {
            assert_eq!(ChangeKind::from_word(word), None, "{word}");
        }
    }
}
