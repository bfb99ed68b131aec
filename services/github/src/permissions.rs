//! The permissions that ck8s needs, and which of them are missing from what GitHub tells of a token.
use std::collections::BTreeMap;

use ck8s_provider::MissingPermission;

use crate::{
    models,
    operations::{CONTENTS, ISSUES, METADATA, PULL_REQUESTS, STATUSES, WEBHOOKS},
};

/// The scope of a classic token that includes all others, for private repositories too.
const REPO_SCOPE: &str = "repo";

/// A permission that ck8s needs in a repository.
struct RequiredPermission {
    /// As GitHub's settings page calls it.
    label: &'static str,
    /// As GitHub's API calls it, for apps.
    app_name: &'static str,
    app_level: &'static str,
    needed_for: &'static str,
}

/// The permissions, in the order in which people are shown them.
const REQUIRED: [RequiredPermission; 6] = [
    RequiredPermission {
        label: METADATA,
        app_name: "metadata",
        app_level: "read",
        needed_for: "seeing the repository, and who may write to it",
    },
    RequiredPermission {
        label: CONTENTS,
        app_name: "contents",
        app_level: "read",
        needed_for: "reading services.yaml",
    },
    RequiredPermission {
        label: WEBHOOKS,
        app_name: "repository_hooks",
        app_level: "write",
        needed_for: "making the webhook, and having lost deliveries made again",
    },
    RequiredPermission {
        label: STATUSES,
        app_name: "statuses",
        app_level: "write",
        needed_for: "the status of a run on its commit",
    },
    RequiredPermission {
        label: ISSUES,
        app_name: "issues",
        app_level: "write",
        needed_for: "the comment on an issue, and reactions",
    },
    RequiredPermission {
        label: PULL_REQUESTS,
        app_name: "pull_requests",
        app_level: "write",
        needed_for: "the comment on a pull request",
    },
];

/// Describes a required permission as missing.
pub(crate) fn missing(label: &str) -> MissingPermission {
    let required = REQUIRED.iter().find(|required| required.label == label);
    MissingPermission {
        permission: label.to_owned(),
        needed_for: required
            .map_or("", |required| required.needed_for)
            .to_owned(),
    }
}

/// Returns what an app's token is missing, by the permissions that GitHub lists with it.
pub(crate) fn missing_from_app(permissions: &BTreeMap<String, String>) -> Vec<MissingPermission> {
    let is_granted = |required: &RequiredPermission| {
        let level = permissions.get(required.app_name).map(String::as_str);
        level == Some("admin") || level == Some("write") || level == Some(required.app_level)
    };
    let absent = REQUIRED.iter().filter(|required| !is_granted(required));
    absent.map(|required| missing(required.label)).collect()
}

/// Returns what a token's owner is missing in the repository: a token has no more rights than its owner.
pub(crate) fn missing_from_owner(rights: Option<&models::Permissions>) -> Vec<MissingPermission> {
    let mut missing = Vec::new();
    let Some(rights) = rights else {
        return missing;
    };
    let mut role = |name: &str, needed_for: &str| {
        missing.push(MissingPermission {
            permission: format!("repository role {name}"),
            needed_for: needed_for.to_owned(),
        });
    };
    if !rights.admin {
        role("Admin", "making the webhook");
    }
    if !rights.push && !rights.admin {
        role("Write", "the status of a run on its commit");
    }
    missing
}

/// Returns what a classic token is missing, by its scopes.
pub(crate) fn missing_from_scopes(scopes: &str, private: bool) -> Vec<MissingPermission> {
    let has = |name: &str| scopes.split(',').any(|scope| scope.trim() == name);
    if has(REPO_SCOPE) {
        return Vec::new();
    }
    if private {
        return vec![scope(REPO_SCOPE, "a private repository")];
    }
    let mut missing = Vec::new();
    if !has("public_repo") {
        missing.push(scope("public_repo", "statuses and comments"));
    }
    if !has("admin:repo_hook") && !has("write:repo_hook") {
        missing.push(scope("write:repo_hook", "making the webhook"));
    }
    missing
}

fn scope(name: &str, needed_for: &str) -> MissingPermission {
    MissingPermission {
        permission: format!("scope {name}"),
        needed_for: needed_for.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(missing: &[MissingPermission]) -> Vec<&str> {
        missing.iter().map(|one| one.permission.as_str()).collect()
    }

    #[test]
    fn a_classic_token_is_judged_by_its_scopes() {
        assert_eq!(missing_from_scopes("repo, user", true), []);
        assert_eq!(
            labels(&missing_from_scopes("public_repo, admin:repo_hook", true)),
            ["scope repo"]
        );
        assert_eq!(
            missing_from_scopes("public_repo, admin:repo_hook", false),
            []
        );
        assert_eq!(
            labels(&missing_from_scopes("", false)),
            ["scope public_repo", "scope write:repo_hook"]
        );
    }

    #[test]
    fn an_app_is_judged_by_the_permissions_of_its_token() {
        let required = REQUIRED.iter();
        let all: BTreeMap<String, String> = required
            .map(|one| (one.app_name.to_owned(), one.app_level.to_owned()))
            .collect();
        assert_eq!(missing_from_app(&all), []);
        let mut fewer = all;
        fewer.insert("statuses".into(), "read".into());
        fewer.remove("contents");
        let missing = missing_from_app(&fewer);
        assert_eq!(labels(&missing), [CONTENTS, STATUSES]);
        assert!(missing.iter().all(|one| !one.needed_for.is_empty()));
    }

    #[test]
    fn a_token_has_no_more_rights_than_its_owner() {
        let reader = models::Permissions {
            admin: false,
            push: false,
        };
        assert_eq!(
            labels(&missing_from_owner(Some(&reader))),
            ["repository role Admin", "repository role Write"]
        );
        let writer = models::Permissions {
            admin: false,
            push: true,
        };
        assert_eq!(
            labels(&missing_from_owner(Some(&writer))),
            ["repository role Admin"]
        );
        assert_eq!(missing_from_owner(None), []);
    }
}
