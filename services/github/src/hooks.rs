//! Webhooks: listing, creating, updating, deleting and pinging them.
use ck8s_provider::{Credential, Hook, HookSpec, ProviderError, Remote};
use http::Method;
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use crate::{client::GitHub, models, operations, pagination::ListEntry, path, request::Request};

/// The events that the webhooks of ck8s receive, and therefore those that services.yaml can name: what people do in a
/// repository, and the ends of workflows. `status` is missing because ck8s itself sets statuses; so are the events that
/// come for every job and every check of a commit.
pub const HOOK_EVENTS: [&str; 17] = [
    "commit_comment",
    "create",
    "delete",
    "discussion",
    "discussion_comment",
    "issue_comment",
    "issues",
    "label",
    "merge_group",
    "milestone",
    "pull_request",
    "pull_request_review",
    "pull_request_review_comment",
    "push",
    "release",
    "repository",
    "workflow_run",
];

impl ListEntry for models::Hook {
    fn id(&self) -> i64 {
        self.id
    }
}

impl From<models::Hook> for Hook {
    fn from(hook: models::Hook) -> Self {
        let receives = |event: &str| hook.events.iter().any(|e| e == "*" || e == event);
        let all_events = HOOK_EVENTS.iter().all(|event| receives(event));
        let insecure = match &hook.config.insecure_ssl {
            Value::String(text) => text != "0",
            Value::Number(number) => number.as_i64() != Some(0),
            _ => false,
        };
        Self {
            id: hook.id.to_string(),
            active: hook.active,
            complete: all_events && hook.config.content_type == "json" && !insecure,
            url: hook.config.url,
        }
    }
}

impl GitHub {
    pub(crate) async fn list_hooks(
        &self,
        credential: &Credential,
        repository: &Remote,
        url: &str,
    ) -> Result<Vec<Hook>, ProviderError> {
        let path = format!("{}?per_page=100", hooks_path(repository)?);
        let hooks: Vec<models::Hook> = self
            .list_all(credential, repository, &path, operations::LIST_HOOKS)
            .await?;
        let ours = hooks.into_iter().filter(|hook| hook.config.url == url);
        Ok(ours.map(Hook::from).collect())
    }

    pub(crate) async fn create_hook(
        &self,
        credential: &Credential,
        repository: &Remote,
        spec: &HookSpec,
    ) -> Result<Hook, ProviderError> {
        let mut body = hook_body(spec);
        body["name"] = json!("web");
        let path = hooks_path(repository)?;
        let request = Request::new(Method::POST, path, operations::WRITE_HOOK).with_body(body);
        self.write_hook(credential, repository, request, spec).await
    }

    pub(crate) async fn update_hook(
        &self,
        credential: &Credential,
        repository: &Remote,
        hook_id: &str,
        spec: &HookSpec,
    ) -> Result<Hook, ProviderError> {
        let path = hook_path(repository, hook_id)?;
        let request = Request::new(Method::PATCH, path, operations::WRITE_HOOK);
        let request = request.with_body(hook_body(spec));
        self.write_hook(credential, repository, request, spec).await
    }

    async fn write_hook<'a>(
        &self,
        credential: &Credential,
        repository: &Remote,
        mut request: Request<'a>,
        spec: &'a HookSpec,
    ) -> Result<Hook, ProviderError> {
        request.secret = Some(spec.secret.expose_secret());
        let response = self.send_to(credential, repository, request).await?;
        let hook: models::Hook = response.success()?.json()?;
        Ok(hook.into())
    }

    pub(crate) async fn delete_hook(
        &self,
        credential: &Credential,
        repository: &Remote,
        hook_id: &str,
    ) -> Result<(), ProviderError> {
        let path = hook_path(repository, hook_id)?;
        let request = Request::new(Method::DELETE, path, operations::WRITE_HOOK);
        let response = self.send_to(credential, repository, request).await?;
        if response.is_not_found() {
            return Ok(());
        }
        response.success().map(|_| ())
    }

    pub(crate) async fn ping_hook(
        &self,
        credential: &Credential,
        repository: &Remote,
        hook_id: &str,
    ) -> Result<(), ProviderError> {
        let path = format!("{}/pings", hook_path(repository, hook_id)?);
        let request = Request::new(Method::POST, path, operations::WRITE_HOOK);
        let response = self.send_to(credential, repository, request).await?;
        response.success().map(|_| ())
    }
}

fn hooks_path(repository: &Remote) -> Result<String, ProviderError> {
    Ok(format!(
        "{}/hooks",
        path::repository(&repository.full_name)?
    ))
}

fn hook_path(repository: &Remote, hook_id: &str) -> Result<String, ProviderError> {
    let hooks = hooks_path(repository)?;
    Ok(format!("{hooks}/{}", path::segment(hook_id)))
}

fn hook_body(spec: &HookSpec) -> Value {
    json!({
        "active": true,
        "events": HOOK_EVENTS,
        "config": {
            "url": spec.url,
            "content_type": "json",
            "insecure_ssl": "0",
            "secret": spec.secret.expose_secret(),
        },
    })
}
