//! JSON values that borrow from the body and tolerate surprises: a field of an unexpected type counts as absent,
//! because a provider may change a payload and no delivery must be lost for it. Of a repeated key the first counts.
//! Only what no JSON reader takes is an error, and `repair` mends it if it is JSON.
use std::{borrow::Cow, fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use serde_json::value::RawValue;

use super::{known_members::KnownMembers, repair::repair};

/// Bounds a string that cannot be borrowed, because it has escapes: GitHub's longest comment has 65,536 characters.
const MAX_OWNED_TEXT_BYTES: usize = 256 * 1024;

/// A string; empty if absent.
#[derive(Default, Clone, Debug)]
pub(crate) struct Text<'a>(Cow<'a, str>);

/// A whole number from 0 on; none if absent.
#[derive(Default, Clone, Copy, Debug)]
pub(crate) struct Number(pub(crate) Option<u64>);

/// A boolean; false if absent.
#[derive(Default, Clone, Copy, Debug)]
pub(crate) struct Flag(pub(crate) bool);

/// An object; none if absent.
#[derive(Clone, Debug)]
pub(crate) struct Object<T>(pub(crate) Option<T>);

/// An object whose absence means another thing than a null.
#[derive(Clone, Default, Debug)]
pub(crate) enum Member<T> {
    /// The payload does not have it.
    #[default]
    Missing,
    /// It is null, or no object.
    Null,
    Object(T),
}

/// An array, of which at most `MAX` elements are read; empty if absent.
#[derive(Clone, Debug)]
pub(crate) struct List<T, const MAX: usize>(pub(crate) Vec<T>);

/// An array of file names, still as JSON: it is read one by one, because it may have very many elements.
#[derive(Default, Clone, Copy, Debug)]
pub(crate) struct FileNames<'a>(Option<&'a RawValue>);

impl FileNames<'_> {
    /// Returns whether one of the names satisfies the condition.
    pub(crate) fn any(self, condition: impl FnMut(&str) -> bool) -> bool {
        let Some(json) = self.0 else {
            return false;
        };
        let mut names = serde_json::Deserializer::from_str(json.get());
        let found = Deserializer::deserialize_any(&mut names, AnyFileName(condition));
        found.unwrap_or(false)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for FileNames<'a> {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        <&'de RawValue>::deserialize(input).map(|json| Self(Some(json)))
    }
}

impl Text<'_> {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl<T> Default for Object<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T, const MAX: usize> Default for List<T, MAX> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

/// Visitor methods for values of an unexpected type: they read the value and count it as absent.
macro_rules! absent {
    ($($method:ident($type:ty)),* $(,)?) => {
        $(fn $method<E>(self, _: $type) -> Result<Self::Value, E> {
            Ok(Default::default())
        })*

        fn visit_unit<E>(self) -> Result<Self::Value, E> {
            Ok(Default::default())
        }

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a JSON value")
        }
    };
}

pub(super) use absent;

macro_rules! absent_map {
    ($lifetime:lifetime) => {
        fn visit_map<A: MapAccess<$lifetime>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
            Ok(Default::default())
        }
    };
}

macro_rules! absent_seq {
    ($lifetime:lifetime) => {
        fn visit_seq<A: SeqAccess<$lifetime>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
            while seq.next_element::<IgnoredAny>()?.is_some() {}
            Ok(Default::default())
        }
    };
}

pub(super) use absent_seq;

struct TextVisitor;

impl<'de> Visitor<'de> for TextVisitor {
    type Value = Text<'de>;

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        let end = text.floor_char_boundary(MAX_OWNED_TEXT_BYTES);
        Ok(Text(Cow::Owned(text[..end].to_owned())))
    }

    absent!(
        visit_bool(bool),
        visit_i64(i64),
        visit_u64(u64),
        visit_f64(f64)
    );
    absent_map!('de);
    absent_seq!('de);
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        input.deserialize_any(TextVisitor)
    }
}

struct NumberVisitor;

impl<'de> Visitor<'de> for NumberVisitor {
    type Value = Number;

    fn visit_u64<E>(self, number: u64) -> Result<Self::Value, E> {
        Ok(Number(Some(number)))
    }

    absent!(
        visit_bool(bool),
        visit_i64(i64),
        visit_f64(f64),
        visit_str(&str)
    );
    absent_map!('de);
    absent_seq!('de);
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        input.deserialize_any(NumberVisitor)
    }
}

struct FlagVisitor;

impl<'de> Visitor<'de> for FlagVisitor {
    type Value = Flag;

    fn visit_bool<E>(self, flag: bool) -> Result<Self::Value, E> {
        Ok(Flag(flag))
    }

    absent!(
        visit_u64(u64),
        visit_i64(i64),
        visit_f64(f64),
        visit_str(&str)
    );
    absent_map!('de);
    absent_seq!('de);
}

impl<'de> Deserialize<'de> for Flag {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        input.deserialize_any(FlagVisitor)
    }
}

struct ObjectVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for ObjectVisitor<T> {
    type Value = Object<T>;

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        T::deserialize(KnownMembers(map)).map(|object| Object(Some(object)))
    }

    absent!(
        visit_bool(bool),
        visit_u64(u64),
        visit_i64(i64),
        visit_f64(f64),
        visit_str(&str)
    );
    absent_seq!('de);
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        input.deserialize_any(ObjectVisitor(PhantomData))
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Member<T> {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        let object = Object::deserialize(input)?;
        Ok(object.0.map_or(Self::Null, Self::Object))
    }
}

struct ListVisitor<T, const MAX: usize>(PhantomData<T>);

impl<'de, T: Deserialize<'de>, const MAX: usize> Visitor<'de> for ListVisitor<T, MAX> {
    type Value = List<T, MAX>;

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut list = Vec::new();
        while list.len() < MAX {
            match seq.next_element()? {
                Some(element) => list.push(element),
                None => return Ok(List(list)),
            }
        }
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(List(list))
    }

    absent!(
        visit_bool(bool),
        visit_u64(u64),
        visit_i64(i64),
        visit_f64(f64),
        visit_str(&str)
    );
    absent_map!('de);
}

impl<'de, T: Deserialize<'de>, const MAX: usize> Deserialize<'de> for List<T, MAX> {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        input.deserialize_any(ListVisitor::<T, MAX>(PhantomData))
    }
}

/// Returns whether a name, as JSON, satisfies the condition.
fn name(json: &str, mut condition: impl FnMut(&str) -> bool) -> bool {
    if let Ok(name) = serde_json::from_str::<Text<'_>>(json) {
        return condition(name.as_str());
    }
    let repaired = repair(json.as_bytes()).unwrap_or_default();
    serde_json::from_slice::<Text<'_>>(&repaired).is_ok_and(|name| condition(name.as_str()))
}

/// Looks for a file name that satisfies a condition.
struct AnyFileName<F>(F);

impl<'de, F: FnMut(&str) -> bool> Visitor<'de> for AnyFileName<F> {
    type Value = bool;

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut seq: A) -> Result<Self::Value, A::Error> {
        while let Some(json) = seq.next_element::<&RawValue>()? {
            if name(json.get(), &mut self.0) {
                while seq.next_element::<IgnoredAny>()?.is_some() {}
                return Ok(true);
            }
        }
        Ok(false)
    }

    absent!(
        visit_bool(bool),
        visit_u64(u64),
        visit_i64(i64),
        visit_f64(f64),
        visit_str(&str)
    );
    absent_map!('de);
}
