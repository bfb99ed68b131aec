//! The flow events of missing deliveries: what people read when they ask what did not arrive, and why.
use ck8s_db::events::FlowEvent;
use ck8s_types::{EventKind, ProjectId, RepositoryId};
use time::OffsetDateTime;

use super::Recovery;
use crate::{
    domain::missing_delivery::{EndedSearch, FoundMissing},
    error::IngressError,
};

/// Bounds the deliveries that an event names: the rows have all.
const MAX_NAMED_DELIVERIES: usize = 20;

/// The repository that an event is about.
pub(super) struct About {
    repository_id: RepositoryId,
    project_id: Option<ProjectId>,
    name: String,
}

impl Recovery {
    /// Returns what events say of a repository.
    pub(super) async fn about(&self, repository: RepositoryId) -> Result<About, IngressError> {
        let (project_id, name) = self.hooks.project_and_name(repository).await?;
        Ok(About {
            repository_id: repository,
            project_id,
            name,
        })
    }
}

/// One delivery of an event.
struct Named<'a> {
    key: &'a str,
    reason: &'a str,
    attempted_at: OffsetDateTime,
}

impl<'a> From<&'a EndedSearch> for Named<'a> {
    fn from(ended: &'a EndedSearch) -> Self {
        Self {
            key: &ended.delivery_key,
            reason: &ended.reason,
            attempted_at: ended.attempted_at,
        }
    }
}

/// Deliveries that are newly missing.
pub(super) fn missed(about: &About, missed: &[&FoundMissing]) -> Vec<FlowEvent> {
    let named = missed.iter().map(|found| Named {
        key: &found.delivery_key,
        reason: &found.reason,
        attempted_at: found.attempted_at,
    });
    let named: Vec<Named<'_>> = named.collect();
    event(about, EventKind::DeliveryMissed, &named, |count, reason| {
        format!("{count} did not come through and are asked for again: {reason}")
    })
}

/// Missing deliveries that have arrived.
pub(super) fn recovered(about: &About, arrived: &[EndedSearch]) -> Vec<FlowEvent> {
    let named: Vec<Named<'_>> = arrived.iter().map(Named::from).collect();
    event(about, EventKind::DeliveryRecovered, &named, |count, _| {
        format!("{count} recovered: they had not come through and are here now")
    })
}

/// Missing deliveries that nobody asks for any more.
pub(super) fn given_up(about: &About, given_up: &[EndedSearch]) -> Vec<FlowEvent> {
    let named: Vec<Named<'_>> = given_up.iter().map(Named::from).collect();
    event(
        about,
        EventKind::DeliveryGivenUp,
        &named,
        |count, reason| format!("{count} given up: {reason}"),
    )
}

/// Returns the event about these, oldest first; none if there are none.
fn event(
    about: &About,
    kind: EventKind,
    deliveries: &[Named<'_>],
    words: impl Fn(usize, &str) -> String,
) -> Vec<FlowEvent> {
    let (Some(first), Some(last)) = (deliveries.first(), deliveries.last()) else {
        return Vec::new();
    };
    let count = deliveries.len();
    let message = format!(
        "{}: {} to {}, {}",
        about.name,
        hours_and_minutes(first.attempted_at),
        hours_and_minutes(last.attempted_at),
        words(count, last.reason),
    );
    let named = deliveries.iter().take(MAX_NAMED_DELIVERIES);
    let named = named.map(|one| serde_json::json!({ "id": one.key, "reason": one.reason }));
    vec![FlowEvent {
        kind,
        project_id: about.project_id,
        run_id: None,
        actor: "service:ingress".to_owned(),
        message,
        data: Some(serde_json::json!({
            "repository_id": about.repository_id.to_string(),
            "count": count,
            "deliveries": named.collect::<Vec<_>>(),
        })),
    }]
}

/// Formats a time of day, UTC.
fn hours_and_minutes(time: OffsetDateTime) -> String {
    format!("{:02}:{:02}", time.hour(), time.minute())
}
