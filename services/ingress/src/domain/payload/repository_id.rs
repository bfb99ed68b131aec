//! The id of the repository that a body names, read before anybody knows whether the body is genuine. Nothing else is
//! kept, and nothing after the id is looked at.
use std::fmt;

use serde::{
    Deserializer,
    de::{DeserializeSeed, Error, IgnoredAny, MapAccess, SeqAccess, Visitor},
};

use super::{
    PayloadError,
    tolerant_json::{Number, absent, absent_seq},
};

/// Where the id lies.
const PATH: &[&str] = &["repository", "id"];

/// Returns GitHub's id of the repository that a body names. What comes after the id need not be JSON: `Payload::parse`
/// says so after the signature is checked.
pub(crate) fn repository_id(body: &[u8]) -> Result<Option<u64>, PayloadError> {
    let mut id = None;
    let mut json = serde_json::Deserializer::from_slice(body);
    let find = Find {
        path: PATH,
        found: &mut id,
    };
    let is_object = find
        .deserialize(&mut json)
        .and_then(|is_object| json.end().map(|()| is_object));
    match (id, is_object) {
        (Some(id), _) => Ok(Some(id)),
        (None, Ok(true)) => Ok(None),
        (None, Ok(false)) => Err(PayloadError::Shape),
        (None, Err(_)) => Err(PayloadError::Syntax),
    }
}

/// Looks for the number at a path. The value is whether it looked into an object. The error that ends the reading once
/// the number is found means nothing.
struct Find<'a> {
    path: &'static [&'static str],
    found: &'a mut Option<u64>,
}

impl<'de> DeserializeSeed<'de> for Find<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, input: D) -> Result<bool, D::Error> {
        input.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Find<'_> {
    type Value = bool;

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<bool, A::Error> {
        let Some((key, path)) = self.path.split_first() else {
            return Err(A::Error::custom("the number is an object"));
        };
        while let Some(is_on_path) = map.next_key_seed(IsKey(key))? {
            let found = &mut *self.found;
            if !is_on_path {
                map.next_value::<IgnoredAny>()?;
            } else if path.is_empty() {
                *found = map.next_value::<Number>()?.0;
            } else {
                map.next_value_seed(Find { path, found })?;
            }
            if self.found.is_some() {
                return Err(A::Error::custom("the number is found"));
            }
        }
        Ok(true)
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

/// Whether a key is this one.
struct IsKey(&'static str);

impl<'de> DeserializeSeed<'de> for IsKey {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, input: D) -> Result<bool, D::Error> {
        input.deserialize_str(self)
    }
}

impl Visitor<'_> for IsKey {
    type Value = bool;

    fn visit_str<E>(self, key: &str) -> Result<bool, E> {
        Ok(key == self.0)
    }

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }
}
