//! Work beside the calls. Losing any of it loses nothing that anybody was promised.
mod sweep;
mod token_use;

pub(crate) use sweep::sweep_periodically;
pub(crate) use token_use::TokenUse;
