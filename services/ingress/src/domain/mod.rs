//! Pure decisions: is it a webhook, is it genuine, what does it ask for. No async, no SQL, no wire.
pub(crate) mod headers;
mod lenient;
pub(crate) mod matching;
pub(crate) mod payload;
pub(crate) mod refusal;
pub(crate) mod run;
pub(crate) mod trigger;
pub(crate) mod verify;
