//! From a workload's output to the stored log: masked, cut into chunks, shipped in batches.
mod chunker;
mod mask;
mod pump;
mod queue;
mod secret_forms;
mod shipper;

pub(crate) use mask::Mask;
pub(crate) use pump::{Pump, PumpOptions};
pub(crate) use shipper::Shipper;
