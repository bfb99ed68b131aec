//! The reason why a trigger does not match, ordered by how close it came.

/// The reason why a trigger does not match.
#[derive(PartialEq, Eq, Debug)]
pub(super) enum Mismatch {
    Event,
    Action(String),
    Label(String),
    Comment(String),
    Branch(String),
    Path(String),
    Skip(String),
    Fork(String),
    Sender(String),
}

impl Mismatch {
    /// Returns how close the trigger came; the highest is the closest.
    pub(super) const fn rank(&self) -> u8 {
        match self {
            Self::Event => 0,
            Self::Action(_) => 1,
            Self::Label(_) => 2,
            Self::Comment(_) => 3,
            Self::Branch(_) => 4,
            Self::Path(_) => 5,
            Self::Skip(_) => 6,
            Self::Fork(_) => 7,
            Self::Sender(_) => 8,
        }
    }

    /// Returns the reason for people; none if the event alone did not match.
    pub(super) fn into_text(self) -> Option<String> {
        match self {
            Self::Event => None,
            Self::Action(text)
            | Self::Label(text)
            | Self::Comment(text)
            | Self::Branch(text)
            | Self::Path(text)
            | Self::Skip(text)
            | Self::Fork(text)
            | Self::Sender(text) => Some(text),
        }
    }
}
