//! The macro for closed sets of words, and the error for a word outside its set.
use thiserror::Error;

/// A word that is not in the closed set.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
#[error("unknown {set} {word:?}")]
pub struct UnknownWord {
    /// Which set.
    pub set: &'static str,
    /// The word.
    pub word: String,
}

/// Defines an enum whose variants have one word each, the same in SQL, proto and logs.
macro_rules! closed_set {
    ($(#[$doc:meta])* $name:ident, $set:literal, { $($(#[$vdoc:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, ::serde::Serialize, ::serde::Deserialize)]
        pub enum $name { $($(#[$vdoc])* #[serde(rename = $word)] $variant),+ }

        impl $name {
            /// All of them, in the contract's order.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// Its word.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }

        impl ::std::fmt::Display for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl ::std::str::FromStr for $name {
            type Err = $crate::UnknownWord;
            fn from_str(word: &str) -> Result<Self, $crate::UnknownWord> {
                match word {
                    $($word => Ok(Self::$variant),)+
                    _ => Err($crate::UnknownWord { set: $set, word: word.to_owned() }),
                }
            }
        }
    };
}

pub(crate) use closed_set;
