//! The only crate that names kube: Jobs, pods, their logs and their reasons.
