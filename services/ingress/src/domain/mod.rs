//! Types and pure decisions: is a webhook well-formed, is it genuine, which run does it ask for. No async, SQL, wire
//! types or clock.
pub(crate) mod concurrency_group;
pub(crate) mod delivery;
pub(crate) mod delivery_notice;
pub(crate) mod event;
pub(crate) mod forks;
pub(crate) mod head;
pub(crate) mod headers;
pub(crate) mod hook_delivery;
pub(crate) mod matching;
pub(crate) mod missing_delivery;
pub(crate) mod origin;
pub(crate) mod payload;
pub(crate) mod reference;
pub(crate) mod rejection;
pub(crate) mod repository;
pub(crate) mod run_request;
pub(crate) mod sender_rights;
pub(crate) mod signature;
pub(crate) mod stored_body;
pub(crate) mod text;
pub(crate) mod trigger;
pub(crate) mod triggered_run;
pub(crate) mod unavailable;
pub(crate) mod webhook;
pub(crate) mod write_access;
