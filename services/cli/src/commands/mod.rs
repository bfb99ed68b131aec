//! One file a noun, and the larger verbs in files of their own.
pub(crate) mod completion;
pub(crate) mod delivery;
mod explain;
pub(crate) mod join;
mod logs;
mod payload;
pub(crate) mod project;
pub(crate) mod repo;
mod retarget;
pub(crate) mod run;
mod secret;
mod send;
mod sign;
pub(crate) mod slot;
mod start;
pub(crate) mod token;
mod watch;
pub(crate) mod worker;
