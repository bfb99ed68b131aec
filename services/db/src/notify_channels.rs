//! The channels of NOTIFY that one service sends on and another listens to. A notification is a hint: losing one loses
//! nothing.

/// Runs changed, or their flow events were written. The payload is the runs service's own.
pub const RUNS: &str = "ck8s_runs";
/// A repository changed: caches must read it again. The payload is the provider's id of it.
pub const REPOSITORIES: &str = "ck8s_repositories";
/// A ping of a repository's hook came. The payload is the repository's id.
pub const HOOKS: &str = "ck8s_hooks";
