//! The members of a JSON object that a struct knows, each once: of a name that is repeated the first counts, as it does
//! for the repository's id (`repository_id`). A key may be any text, half a surrogate pair too.
use std::fmt;

use serde::{
    Deserializer,
    de::{
        DeserializeSeed, IgnoredAny, MapAccess, Visitor,
        value::{BorrowedStrDeserializer, MapAccessDeserializer},
    },
    forward_to_deserialize_any,
};

/// A map from which a struct is read.
pub(super) struct KnownMembers<A>(pub(super) A);

impl<'de, A: MapAccess<'de>> Deserializer<'de> for KnownMembers<A> {
    type Error = A::Error;

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, A::Error> {
        visitor.visit_map(FirstOfEach {
            map: self.0,
            fields,
            seen: 0,
        })
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, A::Error> {
        MapAccessDeserializer::new(self.0).deserialize_any(visitor)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

/// The first member of each name.
struct FirstOfEach<A> {
    map: A,
    fields: &'static [&'static str],
    /// A bit for each field that was read. No struct has more fields than it has bits.
    seen: u64,
}

impl<A> FirstOfEach<A> {
    /// Returns the name of a field that is met for the first time.
    fn first(&mut self, field: usize) -> Option<&'static str> {
        let bit = 1_u64.checked_shl(u32::try_from(field).ok()?)?;
        let is_first = self.seen & bit == 0;
        self.seen |= bit;
        self.fields.get(field).copied().filter(|_| is_first)
    }
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for FirstOfEach<A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, A::Error> {
        while let Some(place) = self.map.next_key_seed(KeyIn(self.fields))? {
            if let Some(name) = place.and_then(|field| self.first(field)) {
                let name = BorrowedStrDeserializer::new(name);
                return seed.deserialize(name).map(Some);
            }
            self.map.next_value::<IgnoredAny>()?;
        }
        Ok(None)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, A::Error> {
        self.map.next_value_seed(seed)
    }
}

/// Which of these names a key is; none: another.
pub(super) struct KeyIn(pub(super) &'static [&'static str]);

impl<'de> DeserializeSeed<'de> for KeyIn {
    type Value = Option<usize>;

    fn deserialize<D: Deserializer<'de>>(self, input: D) -> Result<Self::Value, D::Error> {
        // As bytes a key may have what no text has.
        input.deserialize_bytes(self)
    }
}

impl Visitor<'_> for KeyIn {
    type Value = Option<usize>;

    fn visit_bytes<E>(self, key: &[u8]) -> Result<Self::Value, E> {
        Ok(self.0.iter().position(|name| name.as_bytes() == key))
    }

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }
}
