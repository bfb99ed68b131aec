//! What a credential lacks, as far as GitHub lets one know. An app's token says what it may. A classic token's scopes stand in a header,
//! and what its person may in the repository. A fine-grained token says nothing by itself: it is asked to read, and to write to what does
//! not exist; only a refusal of its permissions counts, and nothing can change.
use std::collections::BTreeMap;

use ck8s_provider::{Credential, Lacking, ProviderError};
use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    GitHub,
    answer::Answer,
    ask::{Ask, Scope},
    needs::{
        BRANCH, COMMENT, COMMENTS_READ, CONTENTS, HOOKS_READ, HOOKS_WRITE, ISSUES, METADATA, Need,
        PULL_REQUESTS, PULLS_READ, STATUS, STATUSES, WEBHOOKS,
    },
    wire::{Permissions, Repository},
};

/// No commit has it.
const NO_COMMIT: &str = "0000000000000000000000000000000000000000";
/// Where a classic token's scopes stand; other tokens have no such header.
const SCOPES: &str = "x-oauth-scopes";
/// The scopes that do it all, for private repositories too.
const EVERYTHING: &str = "repo";

/// What each permission is for, in the order in which they are shown: GitHub's words, its name of it for apps, the level, why.
const WANTED: [(&str, &str, &str, &str); 6] = [
    (
        METADATA,
        "metadata",
        "read",
        "seeing the repository, and who may write to it",
    ),
    (CONTENTS, "contents", "read", "reading services.yaml"),
    (
        WEBHOOKS,
        "repository_hooks",
        "write",
        "making the webhook, and having lost deliveries made again",
    ),
    (
        STATUSES,
        "statuses",
        "write",
        "the status of a run on its commit",
    ),
    (
        ISSUES,
        "issues",
        "write",
        "the comment on an issue, and reactions",
    ),
    (
        PULL_REQUESTS,
        "pull_requests",
        "write",
        "the comment on a pull request",
    ),
];

fn lack(permission: &str) -> Lacking {
    let wanted = WANTED.iter().find(|(words, ..)| *words == permission);
    Lacking {
        permission: permission.to_owned(),
        needed_for: wanted.map_or("", |(.., why)| why).to_owned(),
    }
}

impl GitHub {
    /// `answer` is the one that told of the repository.
    pub(crate) async fn lacking(
        &self,
        credential: &Credential,
        scope: Scope<'_>,
        path: &str,
        answer: &Answer,
        found: &Repository,
    ) -> Result<Vec<Lacking>, ProviderError> {
        if matches!(credential, Credential::App { .. }) {
            let caller = self.callers.of(credential);
            let minted = self.minted(&caller, credential, scope).await?;
            return Ok(of_app(&minted.permissions));
        }
        let mut lacking = of_person(found.permissions.as_ref());
        match answer.headers.get(SCOPES) {
            Some(scopes) => {
                lacking.extend(of_scopes(
                    scopes.to_str().unwrap_or_default(),
                    found.private,
                ));
            }
            None => lacking.extend(self.probe(credential, scope, path, found).await?),
        }
        Ok(lacking)
    }

    /// Asks a fine-grained token to show what it may.
    async fn probe(
        &self,
        credential: &Credential,
        scope: Scope<'_>,
        path: &str,
        found: &Repository,
    ) -> Result<Vec<Lacking>, ProviderError> {
        let mut lacking = Vec::new();
        for (permission, asks) in probes(path, &found.default_branch) {
            for ask in asks {
                let answer = self.ask(credential, scope, ask).await?;
                if denied(&answer) {
                    lacking.push(lack(permission));
                    break;
                }
            }
        }
        Ok(lacking)
    }
}

/// A refusal of the token's permissions, which names those that would do; or of a webhook list, which people without the right do not see.
fn denied(answer: &Answer) -> bool {
    let named = !answer.header("x-accepted-github-permissions").is_empty();
    let said = answer.why().starts_with("Resource not accessible by");
    answer.status == StatusCode::FORBIDDEN && (named || said)
}

/// By permission: what to read, and what to write where nothing is.
fn probes(path: &str, branch: &str) -> Vec<(&'static str, Vec<Ask<'static>>)> {
    let branch = crate::ask::part(branch);
    let read = |rest: &str, need: Need| Ask::get(format!("{path}/{rest}"), need);
    let write = |method: Method, rest: &str, body: Value, need: Need| {
        Ask::new(method, format!("{path}/{rest}"), need).with(body)
    };
    let status = json!({ "state": "pending", "context": "ck8s" });
    let comment = json!({ "body": "ck8s" });
    vec![
        (CONTENTS, vec![read(&format!("branches/{branch}"), BRANCH)]),
        (
            WEBHOOKS,
            vec![
                read("hooks?per_page=1", HOOKS_READ),
                write(
                    Method::PATCH,
                    "hooks/0",
                    json!({ "active": true }),
                    HOOKS_WRITE,
                ),
            ],
        ),
        (
            STATUSES,
            vec![write(
                Method::POST,
                &format!("statuses/{NO_COMMIT}"),
                status,
                STATUS,
            )],
        ),
        (
            ISSUES,
            vec![
                read("issues?per_page=1", COMMENTS_READ),
                write(Method::POST, "issues/0/comments", comment, COMMENT),
            ],
        ),
        (PULL_REQUESTS, vec![read("pulls?per_page=1", PULLS_READ)]),
    ]
}

fn of_app(permissions: &BTreeMap<String, String>) -> Vec<Lacking> {
    let enough = |name: &str, level: &str| {
        let has = permissions.get(name).map(String::as_str);
        has == Some("admin") || has == Some("write") || has == Some(level)
    };
    let lacking = WANTED
        .iter()
        .filter(|(_, name, level, _)| !enough(name, level));
    lacking.map(|(words, ..)| lack(words)).collect()
}

/// Roles in a repository; a token has no more rights than its person.
fn of_person(permissions: Option<&Permissions>) -> Vec<Lacking> {
    let mut lacking = Vec::new();
    let Some(may) = permissions else {
        return lacking;
    };
    let mut role = |name: &str, needed_for: &str| {
        lacking.push(Lacking {
            permission: format!("repository role {name}"),
            needed_for: needed_for.to_owned(),
        });
    };
    if !may.admin {
        role("Admin", "making the webhook");
    }
    if !may.push && !may.admin {
        role("Write", "the status of a run on its commit");
    }
    lacking
}

/// The scopes of a classic token.
fn of_scopes(scopes: &str, private: bool) -> Vec<Lacking> {
    let has = |name: &str| scopes.split(',').any(|scope| scope.trim() == name);
    if has(EVERYTHING) {
        return Vec::new();
    }
    if private {
        return vec![scope(EVERYTHING, "a private repository")];
    }
    let mut lacking = Vec::new();
    if !has("public_repo") {
        lacking.push(scope("public_repo", "statuses and comments"));
    }
    if !has("admin:repo_hook") && !has("write:repo_hook") {
        lacking.push(scope("write:repo_hook", "making the webhook"));
    }
    lacking
}

fn scope(name: &str, needed_for: &str) -> Lacking {
    Lacking {
        permission: format!("scope {name}"),
        needed_for: needed_for.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(lacking: &[Lacking]) -> Vec<&str> {
        lacking.iter().map(|l| l.permission.as_str()).collect()
    }

    #[test]
    fn a_classic_token_is_known_by_its_scopes() {
        assert_eq!(of_scopes("repo, user", true), []);
        assert_eq!(
            words(&of_scopes("public_repo, admin:repo_hook", true)),
            ["scope repo"]
        );
        assert_eq!(of_scopes("public_repo, admin:repo_hook", false), []);
        assert_eq!(
            words(&of_scopes("", false)),
            ["scope public_repo", "scope write:repo_hook"]
        );
    }

    #[test]
    fn an_app_is_known_by_what_its_token_may() {
        let may = |pairs: &[(&str, &str)]| {
            let owned = pairs
                .iter()
                .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
            owned.collect::<BTreeMap<_, _>>()
        };
        let all = may(&WANTED.map(|(_, name, level, _)| (name, level)));
        assert_eq!(of_app(&all), []);
        let mut less = all;
        less.insert("statuses".into(), "read".into());
        less.remove("contents");
        assert_eq!(words(&of_app(&less)), [CONTENTS, STATUSES]);
        assert!(of_app(&less).iter().all(|l| !l.needed_for.is_empty()));
    }

    #[test]
    fn a_token_has_no_more_rights_than_its_person() {
        let reader = Permissions {
            admin: false,
            push: false,
        };
        assert_eq!(
            words(&of_person(Some(&reader))),
            ["repository role Admin", "repository role Write"]
        );
        let writer = Permissions {
            admin: false,
            push: true,
        };
        assert_eq!(words(&of_person(Some(&writer))), ["repository role Admin"]);
        assert_eq!(of_person(None), []);
    }
}
