//! All SQL of this service. Free functions that take a connection; rows stay here.
pub(crate) mod deliveries;
pub(crate) mod inbox;
pub(crate) mod recovery;
pub(crate) mod requests;

#[cfg(test)]
mod tests;
