//! Converts between the messages of the contract and the types of the service.
use ck8s_proto::{repositories::v1 as pb, runs::v1 as runs};
use ck8s_provider::{ChangeSet, ChangedFiles, Credential, PullRequestHead};
use ck8s_rpc::{
    convert::{moment, reason_from_pb, spec_to_pb, state_from_pb, timestamp, trigger_from_pb},
    status,
};
use ck8s_types::{RunId, RunState};
use secrecy::{ExposeSecret, SecretString};
use tonic::Status;

use crate::{
    domain::{
        fields,
        finding::{Finding, Standing},
        hook_delivery::HookDelivery,
        report::ReportedRun,
        repository::{CredentialKind, RepositoryView, ResolvedRepository},
        run_secret::{Binding, RunOrigin, RunSecret},
        services_yaml::{ForkPolicy, Services, Trigger},
    },
    error::Error,
};

/// Bounds a token or a private key: an RSA key in PEM has about 3 KiB.
const MAX_CREDENTIAL_BYTES: usize = 16 * 1024;

/// A repository for the wire, with what its services.yaml says.
pub(crate) fn repository(view: RepositoryView) -> pb::Repository {
    let repository = view.repository;
    let (file, hook, provider) = (
        repository.services_file,
        repository.hook,
        repository.provider,
    );
    pb::Repository {
        id: repository.id.to_string(),
        project_id: repository.project_id.to_string(),
        provider: pb::Provider::Github.into(),
        external_id: repository.external_id,
        full_name: repository.full_name,
        default_branch: repository.default_branch.name,
        services_text: file.text,
        services: Some(services(&view.services)),
        create_time: Some(timestamp(repository.created_at)),
        update_time: Some(timestamp(repository.updated_at)),
        etag: repository.version.to_string(),
        secret_names: repository.secrets.iter().map(|s| s.name.clone()).collect(),
        secrets: repository.secrets.into_iter().map(secret).collect(),
        previous_secret_expire_time: repository.previous_secret_expires_at.map(timestamp),
        credential: match provider.credential {
            Some(CredentialKind::App) => pb::CredentialKind::App,
            Some(CredentialKind::Token) => pb::CredentialKind::Token,
            None => pb::CredentialKind::Unspecified,
        }
        .into(),
        services_path: file.path,
        services_problem: file.problem.unwrap_or_default(),
        services_commit: file.commit.unwrap_or_default(),
        services_check_time: file.checked_at.map(timestamp),
        hook_id: hook.id.unwrap_or_default(),
        hook_problem: hook.problem.unwrap_or_default(),
        wait_until: provider.limited_until.map(timestamp),
    }
}

/// A resolved repository for the wire, without the text of its services.yaml.
pub(crate) fn resolved_repository(resolved: ResolvedRepository) -> pb::ResolvedRepository {
    let provider = &resolved.view.repository.provider;
    let actor = provider.credential.is_some().then(|| pb::Actor {
        external_id: provider.actor_id.clone().unwrap_or_default(),
        login: provider.actor_login.clone().unwrap_or_default(),
    });
    let mut repository = repository(resolved.view);
    repository.services_text.clear();
    if let Some(services) = &mut repository.services {
        services.warnings.clear();
    }
    let secrets = resolved.webhook_secrets.iter();
    pb::ResolvedRepository {
        repository: Some(repository),
        webhook_secrets: secrets.map(|s| s.expose_secret().to_owned()).collect(),
        expire_time: resolved.expires_at.map(timestamp),
        actor,
    }
}

pub(crate) fn services(services: &Services) -> pb::Services {
    pb::Services {
        triggers: services.triggers.iter().cloned().map(trigger).collect(),
        warnings: services.warnings.clone(),
    }
}

fn trigger(trigger: Trigger) -> pb::Trigger {
    pb::Trigger {
        name: trigger.name,
        event: trigger.event,
        actions: trigger.actions,
        labels: trigger.labels,
        comment: trigger.comment,
        branches: trigger.branches,
        paths: trigger.paths,
        allow_bots: trigger.allow_bots,
        allowed_bots: trigger.allowed_bots,
        forks: match trigger.forks {
            ForkPolicy::Deny => pb::ForkPolicy::Deny,
            ForkPolicy::Allow => pb::ForkPolicy::Allow,
            ForkPolicy::AllowWithSecrets => pb::ForkPolicy::AllowWithSecrets,
        }
        .into(),
        spec: Some(spec_to_pb(trigger.spec)),
        branches_ignore: trigger.branches_ignore,
        paths_ignore: trigger.paths_ignore,
        ignores_skip_markers: trigger.ignores_skip_markers,
        tags: trigger.tags,
        tags_ignore: trigger.tags_ignore,
        stop: trigger.stop,
        cron: trigger.cron,
        timezone: trigger.timezone,
    }
}

/// A secret of runs for the wire, without its value.
pub(crate) fn secret(secret: RunSecret) -> pb::Secret {
    pb::Secret {
        triggers: secret.binding.names().to_vec(),
        name: secret.name,
        update_time: Some(timestamp(secret.updated_at)),
    }
}

/// Reads which triggers a secret is bound to.
pub(crate) fn binding(binding: pb::SecretBinding) -> Result<Binding, Error> {
    Ok(Binding::from_names(fields::trigger_names(
        binding.triggers,
    )?))
}

/// Reads what a run is of.
pub(crate) fn run_origin(origin: Option<pb::open_secrets_request::Origin>) -> RunOrigin {
    use pb::open_secrets_request::Origin;
    match origin {
        Some(Origin::Trigger(name)) => RunOrigin::Trigger(name),
        Some(Origin::AdminSpec(true)) => RunOrigin::AdminSpec,
        Some(Origin::AdminSpec(false)) | None => RunOrigin::Spec,
    }
}

/// A pull request's head for the wire.
pub(crate) fn pull_request_head(head: PullRequestHead) -> pb::PullRequestHead {
    let (external_id, name) = head
        .repository
        .map(|repository| (repository.external_id, repository.full_name))
        .unwrap_or_default();
    pb::PullRequestHead {
        commit_sha: head.commit,
        r#ref: head.branch,
        repository_external_id: external_id,
        repository_name: name,
        base_ref: head.base_branch,
        update_time: head.updated_at.map(timestamp),
    }
}

/// Reads a change whose files are asked for.
pub(crate) fn change(change: pb::ChangeSet) -> ChangeSet {
    match change.pull_request {
        0 => ChangeSet::Between {
            base: change.base,
            head: change.head,
        },
        number => ChangeSet::PullRequest(number),
    }
}

/// The files of a change for the wire.
pub(crate) fn changed_files(files: ChangedFiles) -> pb::ChangedFiles {
    pb::ChangedFiles {
        paths: files.paths,
        is_complete: files.is_complete,
    }
}

/// A secret for the wire; none: an empty text.
pub(crate) fn shown_secret(secret: Option<&SecretString>) -> String {
    secret.map_or_else(String::new, |secret| secret.expose_secret().to_owned())
}

/// A finding for the wire.
pub(crate) fn finding(finding: Finding) -> pb::Finding {
    pb::Finding {
        subject: finding.subject.to_owned(),
        standing: match finding.standing {
            Standing::Ok => pb::Standing::Ok,
            Standing::Wrong => pb::Standing::Wrong,
            Standing::Unknown => pb::Standing::Unknown,
        }
        .into(),
        message: finding.message,
        remedy: finding.remedy,
    }
}

/// A delivery that a hook tried to make, for the wire.
pub(crate) fn hook_delivery(delivery: HookDelivery) -> pb::HookDelivery {
    pb::HookDelivery {
        delivery_id: delivery.delivery_id,
        attempt_id: delivery.attempt_id,
        event: delivery.event,
        time: Some(timestamp(delivery.at)),
        succeeded: delivery.succeeded,
        status: delivery.status,
    }
}

/// A run of the runs service.
pub(crate) fn reported_run(id: RunId, run: runs::Run) -> ReportedRun {
    let time = |at: &Option<_>| at.as_ref().and_then(|at| moment("time", at).ok());
    ReportedRun {
        id,
        repository: run.repository_id.parse().ok(),
        state: state_from_pb(run.state()).unwrap_or(RunState::Pending),
        reason: reason_from_pb(run.reason()),
        started_at: time(&run.start_time),
        finished_at: time(&run.finish_time),
        trigger: run.trigger.map(trigger_from_pb).unwrap_or_default(),
    }
}

/// The credential of a request to add a repository.
pub(crate) fn new_credential(
    credential: pb::add_repository_request::Credential,
) -> Result<Credential, Status> {
    match credential {
        pb::add_repository_request::Credential::Token(token) => token_credential(&token),
        pb::add_repository_request::Credential::App(app) => app_credential(app),
    }
}

/// The credential of a request to replace one.
pub(crate) fn other_credential(
    credential: Option<pb::rotate_credential_request::Credential>,
) -> Result<Credential, Status> {
    match credential {
        Some(pb::rotate_credential_request::Credential::Token(token)) => token_credential(&token),
        Some(pb::rotate_credential_request::Credential::App(app)) => app_credential(app),
        None => Err(status::invalid("credential", "must be a token or an app")),
    }
}

fn token_credential(token: &str) -> Result<Credential, Status> {
    let token = token.trim();
    let is_odd = |c: char| c.is_whitespace() || c.is_control() || !c.is_ascii();
    if token.is_empty() || token.len() > MAX_CREDENTIAL_BYTES || token.contains(is_odd) {
        return Err(status::invalid("token", "must be a token: one word"));
    }
    Ok(Credential::Token(token.into()))
}

fn app_credential(app: pb::App) -> Result<Credential, Status> {
    let number = |field, text: &str| {
        let fits = (1..=19).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
        fits.then(|| text.to_owned())
            .ok_or_else(|| status::invalid(field, "must be the provider's number"))
    };
    let key = app.private_key.trim();
    if !key.starts_with("-----BEGIN ") || key.len() > MAX_CREDENTIAL_BYTES {
        return Err(status::invalid("app.private_key", "must be a key in PEM"));
    }
    Ok(Credential::App {
        app_id: number("app.app_id", &app.app_id)?,
        installation_id: number("app.installation_id", &app.installation_id)?,
        private_key: app.private_key.into(),
    })
}
