//! Between the contract's messages and ours.
use ck8s_proto::{ingress::v1 as pb, repositories::v1 as repositories, runs::v1 as runs};
use ck8s_rpc::convert::{spec_from_pb, spec_to_pb, timestamp, trigger_to_pb};
use ck8s_types::RunId;

use crate::{
    domain::{
        refusal::Refusal,
        trigger::{Patterns, Trigger},
        verify::Secret,
    },
    ingest::Outcome,
    peers::{
        repositories::Known,
        runs::{Made, Order},
    },
    store::deliveries::{Delivery, State},
};

/// A resolved repository by the provider's id; or what is wrong with it.
pub(crate) fn known(resolved: repositories::ResolvedRepository) -> Result<(u64, Known), String> {
    let repository = resolved.repository.ok_or("no repository in it")?;
    let external_id = repository
        .external_id
        .parse()
        .map_err(|_| "external_id is no number")?;
    let mut secrets = resolved
        .webhook_secrets
        .iter()
        .map(|s| Secret::new(s.as_bytes()));
    let until = |at: prost_types::Timestamp| at.seconds * 1_000 + i64::from(at.nanos) / 1_000_000;
    let triggers = repository.services.unwrap_or_default().triggers;
    let known = Known {
        id: repository.id.parse().map_err(|_| "id is no id")?,
        project_id: repository
            .project_id
            .parse()
            .map_err(|_| "project_id is no id")?,
        triggers: triggers
            .into_iter()
            .map(|t| trigger(t, &repository.default_branch))
            .collect(),
        full_name: repository.full_name,
        current: secrets.next(),
        previous: secrets.collect(),
        previous_until: resolved.expire_time.map(until),
        looked_after: repository.credential != repositories::CredentialKind::Unspecified as i32,
    };
    Ok((external_id, known))
}

fn trigger(trigger: repositories::Trigger, default_branch: &str) -> Trigger {
    let branches =
        Patterns::for_branches(trigger.branches, trigger.branches_ignore, default_branch);
    let paths = Patterns::for_paths(trigger.paths, trigger.paths_ignore);
    let spec = spec_from_pb(trigger.spec.unwrap_or_default()).map_err(|fault| fault.to_string());
    let fault = branches.as_ref().err().or(paths.as_ref().err()).cloned();
    Trigger {
        name: trigger.name,
        event: trigger.event,
        actions: trigger.actions,
        labels: trigger.labels,
        comment: trigger.comment,
        branches: branches.unwrap_or_default(),
        paths: paths.unwrap_or_default(),
        allow_bots: trigger.allow_bots,
        spec: fault.map_or(spec, Err),
    }
}

pub(crate) fn new_run(order: Order) -> runs::NewRun {
    runs::NewRun {
        delivery_id: order.delivery_id.to_string(),
        project_id: order.project_id.to_string(),
        repository_id: order.repository_id.to_string(),
        repository_name: order.repository_name,
        trigger: Some(trigger_to_pb(order.wanted.trigger)),
        spec: Some(spec_to_pb(order.wanted.spec)),
    }
}

pub(crate) fn made(result: runs::CreateRunResult) -> Made {
    if result.run_id.is_empty() {
        return Err(result.error);
    }
    result
        .run_id
        .parse::<RunId>()
        .map_err(|_| "the runs service named no run".to_owned())
}

pub(crate) fn result(outcome: Outcome) -> pb::IngestResult {
    use pb::IngestOutcome as O;
    let (kind, code, message) = match outcome {
        Outcome::Accepted => (O::Accepted, "ACCEPTED", "the delivery is stored"),
        Outcome::Duplicate => (O::Duplicate, "DUPLICATE", "the delivery was stored before"),
        Outcome::Refused(refusal) => (kind(refusal), refusal.code(), refusal.message()),
    };
    pb::IngestResult {
        outcome: kind.into(),
        code: code.to_owned(),
        message: message.to_owned(),
    }
}

fn kind(refusal: Refusal) -> pb::IngestOutcome {
    match refusal {
        Refusal::SignatureMissing | Refusal::SignatureInvalid => pb::IngestOutcome::Unauthenticated,
        Refusal::Unavailable => pb::IngestOutcome::Unavailable,
        Refusal::ProviderUnknown
        | Refusal::EventMissing
        | Refusal::EventInvalid
        | Refusal::DeliveryIdMissing
        | Refusal::DeliveryIdInvalid
        | Refusal::BodyNotJson(_)
        | Refusal::NotStorable => pb::IngestOutcome::Invalid,
    }
}

pub(crate) fn state_from_pb(state: pb::DeliveryState) -> Option<State> {
    match state {
        pb::DeliveryState::Unspecified => None,
        pb::DeliveryState::Received => Some(State::Received),
        pb::DeliveryState::RunCreated => Some(State::RunCreated),
        pb::DeliveryState::Ignored => Some(State::Ignored),
        pb::DeliveryState::Failed => Some(State::Failed),
    }
}

fn state_to_pb(state: State) -> pb::DeliveryState {
    match state {
        State::Received => pb::DeliveryState::Received,
        State::RunCreated => pb::DeliveryState::RunCreated,
        State::Ignored => pb::DeliveryState::Ignored,
        State::Failed => pb::DeliveryState::Failed,
    }
}

pub(crate) fn delivery(delivery: Delivery) -> pb::Delivery {
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
        run_id: id(delivery.run_id.map(|r| r.to_string())),
        receive_time: Some(timestamp(delivery.received_at)),
        handle_time: delivery.handled_at.map(timestamp),
        size_bytes: delivery.size_bytes,
        sender: delivery.sender,
    }
}
