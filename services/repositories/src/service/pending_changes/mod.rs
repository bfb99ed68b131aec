//! Changes at the provider: one at a time of each repository, and each undone or completed when it was interrupted.
mod complete_rotation;
mod lock;
mod recover;

pub(crate) use recover::RecoveryOutcome;
