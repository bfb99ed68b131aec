//! Finds out which permissions a credential is missing. GitHub lists an app's permissions with its token, and a classic
//! token's scopes in a header. It lists nothing for a fine-grained token: that one is probed with reads, and with
//! writes to resources that do not exist. Only a refusal for want of a permission counts, and no probe can change
//! anything.
use ck8s_provider::{Credential, MissingPermission, ProviderError};
use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    client::GitHub,
    models::Repository,
    operations::{
        CONTENTS, GET_BRANCH, ISSUES, LIST_COMMENTS, LIST_HOOKS, LIST_PULL_REQUESTS, Operation,
        PULL_REQUESTS, SET_STATUS, STATUSES, WEBHOOKS, WRITE_COMMENT, WRITE_HOOK,
    },
    path, permissions,
    request::{Request, TokenScope},
    response::Response,
};

/// A commit that no repository has.
const NULL_COMMIT: &str = "0000000000000000000000000000000000000000";
/// Lists the scopes of a classic token; responses to other tokens have no such header.
const SCOPES_HEADER: &str = "x-oauth-scopes";

/// The requests that show whether a token has a permission.
struct Probe {
    permission: &'static str,
    requests: Vec<Request<'static>>,
}

impl GitHub {
    /// Returns what a credential is missing in a repository. `response` is GitHub's response to reading that
    /// repository.
    pub(crate) async fn missing_permissions(
        &self,
        credential: &Credential,
        full_name: &str,
        response: &Response,
    ) -> Result<Vec<MissingPermission>, ProviderError> {
        let repository: Repository = response.json()?;
        if matches!(credential, Credential::App { .. }) {
            let (state, scope) = (
                self.state(credential),
                TokenScope::RepositoryName(full_name),
            );
            let token = self.installation_token(&state, credential, scope).await?;
            return Ok(permissions::missing_from_app(&token.permissions));
        }
        let mut missing = permissions::missing_from_owner(repository.permissions.as_ref());
        match response.headers.get(SCOPES_HEADER) {
            Some(scopes) => {
                let scopes = scopes.to_str().unwrap_or_default();
                missing.extend(permissions::missing_from_scopes(scopes, repository.private));
            }
            None => {
                let branch = &repository.default_branch;
                missing.extend(self.probe(credential, full_name, branch).await?);
            }
        }
        Ok(missing)
    }

    async fn probe(
        &self,
        credential: &Credential,
        full_name: &str,
        branch: &str,
    ) -> Result<Vec<MissingPermission>, ProviderError> {
        let mut missing = Vec::new();
        for probe in probes(&path::repository(full_name)?, branch) {
            for request in probe.requests {
                let scope = TokenScope::RepositoryName(full_name);
                let response = self.send(credential, scope, request).await?;
                if is_permission_refusal(&response) {
                    missing.push(permissions::missing(probe.permission));
                    break;
                }
            }
        }
        Ok(missing)
    }
}

/// Reports whether GitHub refuses for want of a permission. It then names the permissions that would do; or the token's
/// owner lacks the right to see a list of webhooks.
fn is_permission_refusal(response: &Response) -> bool {
    let names_permissions = !response.header("x-accepted-github-permissions").is_empty();
    let not_accessible = response
        .error_message()
        .starts_with("Resource not accessible by");
    response.status == StatusCode::FORBIDDEN && (names_permissions || not_accessible)
}

fn probes(path: &str, branch: &str) -> [Probe; 5] {
    let branch = path::segment(branch);
    let read = |rest: &str, operation: Operation| Request::get(format!("{path}/{rest}"), operation);
    let write = |method: Method, rest: &str, body: Value, operation: Operation| {
        Request::new(method, format!("{path}/{rest}"), operation).with_body(body)
    };
    let status = json!({ "state": "pending", "context": "ck8s" });
    let status_path = format!("statuses/{NULL_COMMIT}");
    let comment = json!({ "body": "ck8s" });
    let hook = json!({ "active": true });
    [
        Probe {
            permission: CONTENTS,
            requests: vec![read(&format!("branches/{branch}"), GET_BRANCH)],
        },
        Probe {
            permission: WEBHOOKS,
            requests: vec![
                read("hooks?per_page=1", LIST_HOOKS),
                write(Method::PATCH, "hooks/0", hook, WRITE_HOOK),
            ],
        },
        Probe {
            permission: STATUSES,
            requests: vec![write(Method::POST, &status_path, status, SET_STATUS)],
        },
        Probe {
            permission: ISSUES,
            requests: vec![
                read("issues?per_page=1", LIST_COMMENTS),
                write(Method::POST, "issues/0/comments", comment, WRITE_COMMENT),
            ],
        },
        Probe {
            permission: PULL_REQUESTS,
            requests: vec![read("pulls?per_page=1", LIST_PULL_REQUESTS)],
        },
    ]
}
