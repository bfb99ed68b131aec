//! services.yaml: its syntax, and what it says.
mod events;
mod fields;
mod parse;
mod parse_error;
mod run;
mod services;
#[cfg(test)]
mod tests;
mod tree;
mod warnings;

pub(crate) use parse::parse;
pub(crate) use services::{ForkPolicy, Services, Trigger};
