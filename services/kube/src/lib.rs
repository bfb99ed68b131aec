#![doc = include_str!("../README.md")]
mod cluster;
mod egress;
mod error;
mod faults;
mod job;
mod logs;
mod name;
mod namespace;
mod pod;
mod remove;
mod sighting;
mod start;
mod sweep;

pub use cluster::{Cluster, ClusterOptions};
pub use error::KubeError;
pub use faults::CreationFault;
pub use job::WorkloadSpec;
pub use logs::PodLog;
pub use name::JobName;
pub use pod::{Exit, PodView, Stage};
pub use sighting::{JobView, Sighting, Watched};
pub use start::Started;
pub use sweep::Leftover;
