//! What ck8s asks of GitHub, and the permission that each of it takes, in the words of GitHub's settings page.

/// What a request is for: what an error says if it is refused.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Need {
    /// Completes "the credential may not".
    pub what: &'static str,
    /// GitHub's words.
    pub permission: &'static str,
    /// Completes "GitHub has no".
    pub thing: &'static str,
}

pub(crate) const METADATA: &str = "Metadata: Read-only";
pub(crate) const CONTENTS: &str = "Contents: Read-only";
pub(crate) const WEBHOOKS: &str = "Webhooks: Read and write";
pub(crate) const STATUSES: &str = "Commit statuses: Read and write";
pub(crate) const ISSUES: &str = "Issues: Read and write";
pub(crate) const PULL_REQUESTS: &str = "Pull requests: Read and write";

pub(crate) const REPOSITORY: Need = Need {
    what: "see the repository",
    permission: METADATA,
    thing: "such repository",
};
pub(crate) const ACTOR: Need = Need {
    what: "say whose it is",
    permission: METADATA,
    thing: "such user",
};
pub(crate) const INSTALLATION: Need = Need {
    what: "act for the app's installation",
    permission: METADATA,
    thing: "such installation of the app for this repository",
};
pub(crate) const COLLABORATOR: Need = Need {
    what: "see who may write",
    permission: METADATA,
    thing: "such repository",
};
pub(crate) const HOOKS_READ: Need = Need {
    what: "see webhooks",
    permission: WEBHOOKS,
    thing: "webhooks to show",
};
pub(crate) const HOOKS_WRITE: Need = Need {
    what: "change webhooks",
    permission: WEBHOOKS,
    thing: "such webhook",
};
pub(crate) const DELIVERIES: Need = Need {
    what: "see a webhook's deliveries",
    permission: WEBHOOKS,
    thing: "such webhook",
};
pub(crate) const REDELIVER: Need = Need {
    what: "redeliver a webhook's delivery",
    permission: WEBHOOKS,
    thing: "such delivery",
};
pub(crate) const FILE: Need = Need {
    what: "read files",
    permission: CONTENTS,
    thing: "such file",
};
pub(crate) const BRANCH: Need = Need {
    what: "read branches",
    permission: CONTENTS,
    thing: "such branch",
};
pub(crate) const STATUS: Need = Need {
    what: "set commit statuses",
    permission: STATUSES,
    thing: "such commit",
};
pub(crate) const COMMENTS_READ: Need = Need {
    what: "read comments",
    permission: ISSUES,
    thing: "such issue or pull request",
};
pub(crate) const COMMENT: Need = Need {
    what: "comment on issues and pull requests",
    permission: ISSUES,
    thing: "such issue, pull request or comment",
};
pub(crate) const PULLS_READ: Need = Need {
    what: "read pull requests",
    permission: PULL_REQUESTS,
    thing: "pull requests to show",
};
