//! Background tasks of a worker.
pub(crate) mod renew_certificate;
pub(crate) mod sweep;
