//! Handling from what is stored: after a crash, when a service was away, and on request. The same decision as on arrival, against
//! the services.yaml that is in force now.
use std::collections::HashMap;

use ck8s_types::DeliveryId;

use crate::{
    domain::{matching::Decision, payload::Payload, run::clean},
    error::IngressError,
    handler::{Handler, Pending},
    ingest::{Found, matched},
    peers::repositories::{Known, Repositories},
    store::{
        deliveries::{State, Waiting},
        inbox::Outcome,
    },
};

/// More than a webhook can hold: a stored length that says so is wrong.
const LARGEST_BODY: usize = 32 * 1024 * 1024;

/// The raw body of a stored payload.
pub(crate) fn body_of(payload: &[u8]) -> Result<Vec<u8>, String> {
    let sound = payload
        .first_chunk::<4>()
        .is_some_and(|l| u32::from_le_bytes(*l) as usize <= LARGEST_BODY);
    if !sound {
        return Err("its stored length is wrong".to_owned());
    }
    lz4_flex::decompress_size_prepended(payload).map_err(|error| error.to_string())
}

/// Handles deliveries that wait; how many. Those that cannot be handled for now go on waiting; an error: whoever is needed is away.
pub(crate) async fn rehandle(
    handler: &Handler,
    repositories: &Repositories,
    waiting: Vec<Waiting>,
) -> Result<usize, IngressError> {
    let bodies: Vec<(Waiting, Result<Vec<u8>, String>)> = waiting
        .into_iter()
        .map(|mut delivery| {
            let body = body_of(&std::mem::take(&mut delivery.payload));
            (delivery, body)
        })
        .collect();
    let payload = |body: &Result<Vec<u8>, String>| {
        body.as_ref()
            .ok()
            .and_then(|b| Payload::read(b).ok()?.repository_id())
    };
    let mut ids: Vec<u64> = bodies
        .iter()
        .filter_map(|(_, body)| payload(body))
        .collect();
    ids.sort_unstable();
    ids.dedup();
    let mut known = HashMap::new();
    for (id, found) in ids.iter().zip(repositories.resolve(&ids).await) {
        known.insert(*id, found?);
    }
    let (mut pending, mut outcomes) = (Vec::new(), Vec::new());
    for (delivery, body) in &bodies {
        let repository = payload(body).and_then(|id| known.get(&id)?.as_deref());
        match again(delivery, body, repository) {
            Ok(found) => pending.push(Pending {
                id: delivery.id,
                found,
            }),
            Err((state, reason)) => outcomes.push(outcome(delivery.id, state, &reason)),
        }
    }
    handler.handle(pending, outcomes).await
}

fn again(
    delivery: &Waiting,
    body: &Result<Vec<u8>, String>,
    repository: Option<&Known>,
) -> Result<Found, (State, String)> {
    let failed = |cause: &str| {
        (
            State::Failed,
            format!("the stored payload cannot be read: {cause}"),
        )
    };
    let ignored = |reason: &str| (State::Ignored, reason.to_owned());
    let body = body.as_ref().map_err(|cause| failed(cause))?;
    let payload = Payload::read(body).map_err(|_| failed("it is not JSON"))?;
    // It was verified for one repository. If the provider's id means another one by now, it is not that one's to act on.
    let known = repository.filter(|known| Some(known.id) == delivery.repository_id);
    if delivery.repository_id.is_some() && known.is_none() {
        return Err(ignored("the repository was removed"));
    }
    match (matched(&delivery.event, &payload, known), known) {
        (Decision::Run(wanted), Some(known)) => Ok(Found::new(known, *wanted)),
        (Decision::Ignored(reason), _) => Err((State::Ignored, reason)),
        (Decision::Run(_), None) => Err(ignored("the repository was removed")),
    }
}

fn outcome(id: DeliveryId, state: State, reason: &str) -> Outcome {
    Outcome {
        id,
        state,
        reason: clean(reason, 500),
        run_id: None,
    }
}
