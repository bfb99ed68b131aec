//! Webhooks.
use ck8s_provider::{Credential, Hook, HookSpec, ProviderError, Remote};
use http::Method;
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use crate::{
    GitHub,
    ask::{Ask, Scope, part},
    needs,
    pages::Entry,
    repositories::path,
    wire,
};

/// What a webhook of ck8s hears of, and so what services.yaml can name: what people do in a repository, and the ends of workflows. Not
/// `status`, which ck8s itself sets, nor what comes for each job and each check of a commit.
pub const EVENTS: [&str; 16] = [
    "commit_comment",
    "create",
    "delete",
    "discussion",
    "discussion_comment",
    "issue_comment",
    "issues",
    "label",
    "milestone",
    "pull_request",
    "pull_request_review",
    "pull_request_review_comment",
    "push",
    "release",
    "repository",
    "workflow_run",
];

impl Entry for wire::Hook {
    fn id(&self) -> i64 {
        self.id
    }
}

impl From<wire::Hook> for Hook {
    fn from(hook: wire::Hook) -> Self {
        let heard = |event: &str| hook.events.iter().any(|e| e == "*" || e == event);
        let complete = EVENTS.iter().all(|event| heard(event));
        let insecure = match &hook.config.insecure_ssl {
            Value::String(text) => text != "0",
            Value::Number(number) => number.as_i64() != Some(0),
            _ => false,
        };
        Self {
            id: hook.id.to_string(),
            active: hook.active,
            complete: complete && hook.config.content_type == "json" && !insecure,
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
        let path = format!("{}/hooks?per_page=100", path(&repository.full_name)?);
        let scope = Scope::Id(&repository.external_id);
        let all: Vec<wire::Hook> = self
            .all(credential, scope, &path, needs::HOOKS_READ)
            .await?;
        let ours = all.into_iter().filter(|hook| hook.config.url == url);
        Ok(ours.map(Hook::from).collect())
    }

    /// Makes one, or gives one that is there what is asked for.
    pub(crate) async fn put_hook(
        &self,
        credential: &Credential,
        repository: &Remote,
        hook_id: Option<&str>,
        spec: &HookSpec,
    ) -> Result<Hook, ProviderError> {
        let path = format!("{}/hooks", path(&repository.full_name)?);
        let secret = spec.secret.expose_secret();
        let mut body = json!({
            "active": true,
            "events": EVENTS,
            "config": {
                "url": spec.url,
                "content_type": "json",
                "insecure_ssl": "0",
                "secret": secret,
            },
        });
        let (method, path) = match hook_id {
            None => {
                body["name"] = json!("web");
                (Method::POST, path)
            }
            Some(id) => (Method::PATCH, format!("{path}/{}", part(id))),
        };
        let mut ask = Ask::new(method, path, needs::HOOKS_WRITE).with(body);
        ask.secret = Some(secret);
        let scope = Scope::Id(&repository.external_id);
        let answer = self.ask(credential, scope, ask).await?;
        let hook: wire::Hook = answer.good(needs::HOOKS_WRITE)?.read()?;
        Ok(hook.into())
    }

    pub(crate) async fn remove_hook(
        &self,
        credential: &Credential,
        repository: &Remote,
        hook_id: &str,
    ) -> Result<(), ProviderError> {
        let path = format!("{}/hooks/{}", path(&repository.full_name)?, part(hook_id));
        let ask = Ask::new(Method::DELETE, path, needs::HOOKS_WRITE);
        let scope = Scope::Id(&repository.external_id);
        let answer = self.ask(credential, scope, ask).await?;
        if answer.missing() {
            return Ok(());
        }
        answer.good(needs::HOOKS_WRITE).map(|_| ())
    }

    pub(crate) async fn ping(
        &self,
        credential: &Credential,
        repository: &Remote,
        hook_id: &str,
    ) -> Result<(), ProviderError> {
        let path = path(&repository.full_name)?;
        let path = format!("{path}/hooks/{}/pings", part(hook_id));
        let ask = Ask::new(Method::POST, path, needs::HOOKS_WRITE);
        let scope = Scope::Id(&repository.external_id);
        let answer = self.ask(credential, scope, ask).await?;
        answer.good(needs::HOOKS_WRITE).map(|_| ())
    }
}
