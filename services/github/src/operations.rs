//! The operations of GitHub's API that ck8s uses, and the permission that each needs, as GitHub's settings page calls
//! it.

/// What people call this provider.
pub(crate) const PROVIDER_NAME: &str = "GitHub";

/// What a request does, for the error if GitHub refuses it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Operation {
    /// Completes "the credential may not".
    pub action: &'static str,
    /// The permission, as GitHub's settings page calls it.
    pub permission: &'static str,
    /// Completes "GitHub has no".
    pub resource: &'static str,
}

pub(crate) const METADATA: &str = "Metadata: Read-only";
pub(crate) const CONTENTS: &str = "Contents: Read-only";
pub(crate) const WEBHOOKS: &str = "Webhooks: Read and write";
pub(crate) const STATUSES: &str = "Commit statuses: Read and write";
pub(crate) const ISSUES: &str = "Issues: Read and write";
pub(crate) const PULL_REQUESTS: &str = "Pull requests: Read and write";

pub(crate) const GET_REPOSITORY: Operation = Operation {
    action: "see the repository",
    permission: METADATA,
    resource: "such repository",
};
pub(crate) const GET_ACTOR: Operation = Operation {
    action: "say whose it is",
    permission: METADATA,
    resource: "such user",
};
pub(crate) const CREATE_INSTALLATION_TOKEN: Operation = Operation {
    action: "act for the app's installation",
    permission: METADATA,
    resource: "such installation of the app for this repository",
};
pub(crate) const GET_COLLABORATOR: Operation = Operation {
    action: "see who may write",
    permission: METADATA,
    resource: "such repository",
};
pub(crate) const LIST_HOOKS: Operation = Operation {
    action: "see webhooks",
    permission: WEBHOOKS,
    resource: "webhooks to show",
};
pub(crate) const WRITE_HOOK: Operation = Operation {
    action: "change webhooks",
    permission: WEBHOOKS,
    resource: "such webhook",
};
pub(crate) const LIST_DELIVERIES: Operation = Operation {
    action: "see a webhook's deliveries",
    permission: WEBHOOKS,
    resource: "such webhook",
};
pub(crate) const REDELIVER: Operation = Operation {
    action: "redeliver a webhook's delivery",
    permission: WEBHOOKS,
    resource: "such delivery",
};
pub(crate) const GET_FILE: Operation = Operation {
    action: "read files",
    permission: CONTENTS,
    resource: "such file",
};
pub(crate) const GET_BRANCH: Operation = Operation {
    action: "read branches",
    permission: CONTENTS,
    resource: "such branch",
};
pub(crate) const SET_STATUS: Operation = Operation {
    action: "set commit statuses",
    permission: STATUSES,
    resource: "such commit",
};
pub(crate) const LIST_COMMENTS: Operation = Operation {
    action: "read comments",
    permission: ISSUES,
    resource: "such issue or pull request",
};
pub(crate) const WRITE_COMMENT: Operation = Operation {
    action: "comment on issues and pull requests",
    permission: ISSUES,
    resource: "such issue, pull request or comment",
};
pub(crate) const LIST_PULL_REQUESTS: Operation = Operation {
    action: "read pull requests",
    permission: PULL_REQUESTS,
    resource: "pull requests to show",
};
pub(crate) const COMPARE: Operation = Operation {
    action: "compare commits",
    permission: CONTENTS,
    resource: "such commits",
};
pub(crate) const LIST_FILES: Operation = Operation {
    action: "read the files of pull requests",
    permission: PULL_REQUESTS,
    resource: "such pull request",
};
pub(crate) const GET_PULL_REQUEST: Operation = Operation {
    action: "read pull requests",
    permission: PULL_REQUESTS,
    resource: "such pull request",
};
