//! The id of the repository that a body names, read before anybody knows whether the body is genuine. Nothing else is
//! kept, and nothing after the id is looked at.
use std::fmt;

use serde::{
    Deserializer,
    de::{DeserializeSeed, Error, IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use serde_json::value::RawValue;

use super::{
    PayloadError,
    known_members::KeyIn,
    tolerant_json::{absent, absent_seq},
};

/// Where the id lies.
const PATH: &[&str] = &["repository", "id"];

/// Returns GitHub's id of the repository that a body names. What comes after the id need not be JSON: `Payload::parse`
/// says so after the signature is checked.
pub(crate) fn repository_id(body: &[u8]) -> Result<Option<u64>, PayloadError> {
    match find(body, false) {
        // What no reader takes may stand where an object should be.
        Err(PayloadError::Syntax) => find(body, true),
        found => found,
    }
}

fn find(body: &[u8], as_written: bool) -> Result<Option<u64>, PayloadError> {
    let mut id = None;
    let mut json = serde_json::Deserializer::from_slice(body);
    let find = Find {
        path: PATH,
        found: &mut id,
        as_written,
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
    /// Whether an object is taken as it is written first: whatever it is then, the body is read on.
    as_written: bool,
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
        let (key, path) = self.path.split_at(self.path.len().min(1));
        let mut is_first = true;
        while let Some(place) = map.next_key_seed(KeyIn(key))? {
            let (found, as_written) = (&mut *self.found, self.as_written);
            // Of a key that is repeated the first counts, as in the payload.
            if place.is_none() || !std::mem::take(&mut is_first) {
                map.next_value::<IgnoredAny>()?;
            } else if path.is_empty() {
                // As it is written: a number may be too large for any type.
                *found = map.next_value::<&RawValue>()?.get().parse().ok();
            } else if as_written {
                let json = map.next_value::<&RawValue>()?.get();
                let find = Find {
                    path,
                    found,
                    as_written,
                };
                // An error says that the number is found, or that there is none.
                let _ = find.deserialize(&mut serde_json::Deserializer::from_str(json));
            } else {
                map.next_value_seed(Find {
                    path,
                    found,
                    as_written,
                })?;
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
