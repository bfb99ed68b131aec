//! Times in stored answers: nanoseconds since 1970, as a text.
use serde::{Deserialize, Deserializer, Serializer, de::Error};
use time::OffsetDateTime;

pub(crate) fn serialize<S: Serializer>(at: &OffsetDateTime, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(&at.unix_timestamp_nanos())
}

pub(crate) fn deserialize<'a, D: Deserializer<'a>>(from: D) -> Result<OffsetDateTime, D::Error> {
    let nanos = String::deserialize(from)?
        .parse()
        .map_err(D::Error::custom)?;
    OffsetDateTime::from_unix_timestamp_nanos(nanos).map_err(D::Error::custom)
}

/// The same for a time that may be missing.
pub(crate) mod option {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use time::OffsetDateTime;

    #[derive(Serialize, Deserialize)]
    struct Timestamp(#[serde(with = "super")] OffsetDateTime);

    pub(crate) fn serialize<S: Serializer>(
        at: &Option<OffsetDateTime>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        at.map(Timestamp).serialize(to)
    }

    pub(crate) fn deserialize<'a, D: Deserializer<'a>>(
        from: D,
    ) -> Result<Option<OffsetDateTime>, D::Error> {
        let at = Option::<Timestamp>::deserialize(from)?;
        Ok(at.map(|at| at.0))
    }
}
