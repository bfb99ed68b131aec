//! Conversions between the contract's messages and the domain types.
use std::iter;

use ck8s_proto::{ingress::v1 as pb, repositories::v1 as repositories, runs::v1 as runs};
use ck8s_rpc::{
    convert::{moment, spec_from_pb, spec_to_pb, timestamp, trigger_to_pb},
    status,
};
use ck8s_types::{RepositoryId, RunId};
use tonic::Status;

use crate::domain::{
    changed_files::{ChangeSet, ChangedFiles},
    delivery::{Delivery, DeliveryState},
    delivery_notice::DeliveryNotice,
    event::{Actor, WriteAccessSource},
    forks::ForkPolicy,
    head::PullRequestHead,
    hook_delivery::{HookDelivery, HookLog, HookLogPage, Redelivery, RefusedRedelivery},
    origin::OtherRepository,
    rejection::Rejection,
    repository::{Repository, WebhookSecrets},
    run_request::PendingRun,
    schedule::TriggerSchedule,
    signature::WebhookSecret,
    trigger::{AllowedBots, GlobFilter, Trigger},
    webhook::{Webhook, WebhookOutcome},
    write_access::ProviderQuestion,
};

/// Converts a resolved repository. Returns it with its id at the provider, or what is wrong with the message.
pub(crate) fn repository(
    resolved: repositories::ResolvedRepository,
) -> Result<(u64, Repository), String> {
    let secrets = secrets(&resolved);
    let repository = resolved.repository.ok_or("no repository in it")?;
    let external_id = repository
        .external_id
        .parse()
        .map_err(|_| "external_id is not a number")?;
    let has_credential = repository.credential != repositories::CredentialKind::Unspecified as i32;
    let triggers = repository.services.unwrap_or_default().triggers;
    let converted = Repository {
        id: repository.id.parse().map_err(|_| "id is not an id")?,
        project_id: repository
            .project_id
            .parse()
            .map_err(|_| "project_id is not an id")?,
        triggers: triggers
            .into_iter()
            .map(|t| trigger(t, &repository.default_branch))
            .collect(),
        full_name: repository.full_name,
        default_branch: repository.default_branch,
        secrets,
        write_access: match has_credential {
            true => WriteAccessSource::Provider {
                actor: actor(resolved.actor.unwrap_or_default()),
            },
            false => WriteAccessSource::Payload,
        },
    };
    Ok((external_id, converted))
}

fn secrets(resolved: &repositories::ResolvedRepository) -> WebhookSecrets {
    let mut secrets = resolved
        .webhook_secrets
        .iter()
        .map(|s| WebhookSecret::new(s.as_bytes()));
    let to_ms = |at: prost_types::Timestamp| at.seconds * 1_000 + i64::from(at.nanos) / 1_000_000;
    WebhookSecrets {
        current: secrets.next(),
        previous: secrets.collect(),
        previous_until_ms: resolved.expire_time.map(to_ms),
    }
}

fn actor(actor: repositories::Actor) -> Actor {
    Actor {
        id: actor.external_id.parse().ok(),
        login: actor.login,
    }
}

fn trigger(trigger: repositories::Trigger, default_branch: &str) -> Trigger {
    let forks = match trigger.forks() {
        repositories::ForkPolicy::Unspecified | repositories::ForkPolicy::Deny => ForkPolicy::Deny,
        repositories::ForkPolicy::Allow => ForkPolicy::Allow,
        repositories::ForkPolicy::AllowWithSecrets => ForkPolicy::AllowWithSecrets,
    };
    let branches =
        GlobFilter::for_branches(trigger.branches, trigger.branches_ignore, default_branch);
    let tags = GlobFilter::new(trigger.tags, trigger.tags_ignore);
    let paths = GlobFilter::new(trigger.paths, trigger.paths_ignore);
    let spec = spec_from_pb(trigger.spec.unwrap_or_default()).map_err(|fault| fault.to_string());
    let faults = [&branches, &tags, &paths].map(|globs| globs.as_ref().err());
    let fault = faults.into_iter().flatten().next().cloned();
    Trigger {
        name: trigger.name,
        event: trigger.event,
        actions: trigger.actions,
        labels: trigger.labels,
        comment: trigger.comment,
        branches: branches.unwrap_or_default(),
        tags: tags.unwrap_or_default(),
        paths: paths.unwrap_or_default(),
        honours_skip_markers: !trigger.ignores_skip_markers,
        bots: AllowedBots {
            any: trigger.allow_bots,
            named: trigger.allowed_bots,
        },
        forks,
        stop: trigger.stop,
        schedule: TriggerSchedule::parse(trigger.cron, trigger.timezone),
        spec: fault.map_or(spec, Err),
    }
}

pub(crate) fn new_run(run: PendingRun) -> runs::NewRun {
    let request = run.request;
    runs::NewRun {
        delivery_id: run.delivery_id.to_string(),
        project_id: request.project_id.to_string(),
        repository_id: request.repository_id.to_string(),
        repository_name: request.repository_name,
        trigger: Some(trigger_to_pb(request.run.trigger)),
        spec: Some(spec_to_pb(request.run.spec)),
        id_of_trigger: request.id_of_trigger,
    }
}

/// Returns the run that was created, or why there is none and never will be.
pub(crate) fn created_run(result: runs::CreateRunResult) -> Result<RunId, String> {
    if result.run_id.is_empty() {
        return Err(result.error);
    }
    result
        .run_id
        .parse::<RunId>()
        .map_err(|_| "the runs service named no run".to_owned())
}

pub(crate) fn may_write_request(
    repository: RepositoryId,
    question: &ProviderQuestion,
) -> repositories::MayWriteRequest {
    let sender = question.sender.as_ref();
    let id = sender.and_then(|sender| sender.id);
    let number = question.pull_request.unwrap_or_default();
    repositories::MayWriteRequest {
        repository_id: repository.to_string(),
        login: sender
            .map(|sender| sender.login.clone())
            .unwrap_or_default(),
        external_id: id.map(|id| id.to_string()).unwrap_or_default(),
        // The largest number is refused: no pull request has it.
        pull_request: i64::try_from(number).unwrap_or(i64::MAX),
        change: question.change.as_ref().map(change),
    }
}

fn change(change: &ChangeSet) -> repositories::ChangeSet {
    match change {
        ChangeSet::PullRequest(number) => repositories::ChangeSet {
            pull_request: i64::try_from(*number).unwrap_or(i64::MAX),
            ..repositories::ChangeSet::default()
        },
        ChangeSet::Between { base, head } => repositories::ChangeSet {
            pull_request: 0,
            base: base.clone(),
            head: head.clone(),
        },
    }
}

pub(crate) fn changed_files(files: repositories::ChangedFiles) -> ChangedFiles {
    ChangedFiles {
        paths: files.paths,
        is_complete: files.is_complete,
    }
}

pub(crate) fn pull_request_head(head: repositories::PullRequestHead) -> PullRequestHead {
    let updated_at = head.update_time.as_ref();
    PullRequestHead {
        commit: head.commit_sha,
        branch: head.r#ref,
        base_branch: head.base_ref,
        repository: OtherRepository {
            id: head.repository_external_id.parse().ok(),
            full_name: head.repository_name,
        },
        updated_at: updated_at.and_then(|at| moment("update_time", at).ok()),
    }
}

pub(crate) fn note_delivery_request(notice: DeliveryNotice) -> repositories::NoteDeliveryRequest {
    repositories::NoteDeliveryRequest {
        repository_id: notice.repository_id.to_string(),
        event: notice.event,
        branch: notice.branch,
        signed_with_current: notice.proves_rotation,
    }
}

/// Converts a page of hook deliveries, or returns what is wrong with the message.
pub(crate) fn hook_log_page(
    page: repositories::ListHookDeliveriesResponse,
) -> Result<HookLogPage, String> {
    let log = match page.until {
        None => None,
        Some(until) => Some(HookLog {
            repository_id: page
                .repository_id
                .parse()
                .map_err(|_| "repository_id is not an id")?,
            deliveries: page.deliveries.into_iter().map(hook_delivery).collect(),
            complete_until: moment("until", &until).map_err(|s| s.message().to_owned())?,
        }),
    };
    Ok(HookLogPage {
        log,
        next_page_token: page.next_page_token,
    })
}

fn hook_delivery(delivery: repositories::HookDelivery) -> HookDelivery {
    HookDelivery {
        delivery_key: delivery.delivery_id,
        attempt_id: delivery.attempt_id,
        event: delivery.event,
        status: delivery.status,
        time: delivery.time.and_then(|at| moment("time", &at).ok()),
    }
}

pub(crate) fn refused_redeliveries(
    answer: repositories::RedeliverHookDeliveriesResponse,
) -> Vec<RefusedRedelivery> {
    // An older service gives no reasons.
    let reasons = answer.reasons.into_iter().chain(iter::repeat_with(|| {
        "the provider does not answer".to_owned()
    }));
    let refused = answer.later_attempt_ids.into_iter().zip(reasons);
    refused
        .map(|(attempt_id, reason)| RefusedRedelivery { attempt_id, reason })
        .collect()
}

pub(crate) fn redeliver_request(
    redelivery: Redelivery,
) -> repositories::RedeliverHookDeliveriesRequest {
    repositories::RedeliverHookDeliveriesRequest {
        repository_id: redelivery.repository_id.to_string(),
        attempt_ids: redelivery.attempt_ids,
        until: redelivery.complete_until.map(timestamp),
    }
}

/// Moves a webhook out of its message; nothing is copied.
pub(crate) fn webhook(webhook: pb::Webhook) -> Webhook {
    Webhook {
        provider: webhook.provider,
        event: webhook.event,
        delivery_key: webhook.delivery_id,
        signature: webhook.signature,
        body: webhook.body,
    }
}

pub(crate) fn ingest_result(outcome: WebhookOutcome) -> pb::IngestResult {
    use pb::IngestOutcome as O;
    let (outcome, code, message) = match outcome {
        WebhookOutcome::Accepted => (O::Accepted, "ACCEPTED", "the delivery is stored"),
        WebhookOutcome::Duplicate => (O::Duplicate, "DUPLICATE", "the delivery was stored before"),
        WebhookOutcome::Rejected(rejection) => (
            rejection_to_pb(rejection),
            rejection.code(),
            rejection.message(),
        ),
    };
    pb::IngestResult {
        outcome: outcome.into(),
        code: code.to_owned(),
        message: message.to_owned(),
    }
}

fn rejection_to_pb(rejection: Rejection) -> pb::IngestOutcome {
    match rejection {
        Rejection::SignatureMissing | Rejection::SignatureInvalid => {
            pb::IngestOutcome::Unauthenticated
        }
        Rejection::Unavailable => pb::IngestOutcome::Unavailable,
        Rejection::ProviderUnknown
        | Rejection::EventMissing
        | Rejection::EventInvalid
        | Rejection::DeliveryIdMissing
        | Rejection::DeliveryIdInvalid
        | Rejection::BodyNotJson(_)
        | Rejection::NotStorable => pb::IngestOutcome::Invalid,
    }
}

fn state_from_pb(state: pb::DeliveryState) -> Option<DeliveryState> {
    match state {
        pb::DeliveryState::Unspecified => None,
        pb::DeliveryState::Received => Some(DeliveryState::Received),
        pb::DeliveryState::RunCreated => Some(DeliveryState::RunCreated),
        pb::DeliveryState::Ignored => Some(DeliveryState::Ignored),
        pb::DeliveryState::Failed => Some(DeliveryState::Failed),
    }
}

/// Decodes a filter; none: all states. A state that this program does not know is refused: it matches no delivery that
/// it knows, and certainly not all.
pub(crate) fn state_filter_from_pb(number: i32) -> Result<Option<DeliveryState>, Status> {
    let state = pb::DeliveryState::try_from(number)
        .map_err(|_| status::invalid("state", format!("there is no delivery state {number}")))?;
    Ok(state_from_pb(state))
}

fn state_to_pb(state: DeliveryState) -> pb::DeliveryState {
    match state {
        DeliveryState::Received => pb::DeliveryState::Received,
        DeliveryState::RunCreated => pb::DeliveryState::RunCreated,
        DeliveryState::Ignored => pb::DeliveryState::Ignored,
        DeliveryState::Failed => pb::DeliveryState::Failed,
    }
}

pub(crate) fn delivery_to_pb(delivery: Delivery) -> pb::Delivery {
    let id = |id: Option<String>| id.unwrap_or_default();
    pb::Delivery {
        id: delivery.id.to_string(),
        delivery_id: delivery.key,
        provider: delivery.provider,
        event: delivery.event,
        action: delivery.action,
        project_id: id(delivery.project_id.map(|p| p.to_string())),
        repository_id: id(delivery.repository_id.map(|r| r.to_string())),
        state: state_to_pb(delivery.state).into(),
        reason: delivery.reason,
        run_id: id(delivery.run_ids.first().map(ToString::to_string)),
        run_ids: delivery.run_ids.iter().map(ToString::to_string).collect(),
        receive_time: Some(timestamp(delivery.received_at)),
        handle_time: delivery.handled_at.map(timestamp),
        size_bytes: delivery.size_bytes,
        sender: delivery.sender,
    }
}
