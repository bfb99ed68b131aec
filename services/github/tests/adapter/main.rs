//! The adapter against a GitHub that keeps state and speaks HTTP: what is asserted is what has become of its world. What was asked and
//! answered on the way is checked against GitHub's own description at the end of each test.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod apps;
mod description;
mod failures;
mod files;
mod hooks;
mod limits;
mod lists;
mod permissions;
mod receiver;
mod saying;
mod scene;
mod secrets;
