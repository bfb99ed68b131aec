//! A body, from which its payload is read however it is written.
use std::{borrow::Cow, sync::OnceLock};

use super::{Payload, PayloadError, repair::repair};

/// A body, and its repaired text if it needs one.
#[derive(Debug)]
pub(crate) struct PayloadBody<'a> {
    raw: Cow<'a, [u8]>,
    repaired: OnceLock<Option<Vec<u8>>>,
}

impl<'a> PayloadBody<'a> {
    pub(crate) fn new(raw: impl Into<Cow<'a, [u8]>>) -> Self {
        Self {
            raw: raw.into(),
            repaired: OnceLock::new(),
        }
    }

    /// Parses the body. Only one that cannot be read as it is costs a copy.
    pub(crate) fn payload(&self) -> Result<Payload<'_>, PayloadError> {
        match Payload::parse(&self.raw) {
            Err(PayloadError::Syntax) => {
                let repaired = self.repaired.get_or_init(|| repair(&self.raw));
                let repaired = repaired.as_ref().ok_or(PayloadError::Syntax)?;
                Payload::parse(repaired)
            }
            parsed => parsed,
        }
    }
}
