//! The words of the findings of a check.
use ck8s_provider::{
    DeliveryAttempt, MissingPermission, ProviderError, Remote, RepositoryProvider,
};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::provider::RemoteRepository;
use crate::{
    domain::{
        finding::Finding,
        repository::{Hook, Repository},
        services_yaml::Services,
    },
    error::describe_permissions,
};

/// The findings of a repository without a credential.
pub(super) fn maintained_by_hand(repository: &Repository, services: &Services) -> Vec<Finding> {
    let token = Finding::ok(
        "token",
        "none: hook and services.yaml are maintained by hand",
    );
    let remedy =
        "ck8s repo rotate-token gives ck8s a credential; then ck8s repo mend makes the hook";
    let mut found = vec![token.with_remedy(remedy), services_file(repository)];
    found.extend(warnings(services));
    found
}

/// What the services.yaml in force says that can never match, or not as it was meant.
pub(super) fn warnings(services: &Services) -> impl Iterator<Item = Finding> + '_ {
    services
        .warnings
        .iter()
        .map(|warning| Finding::wrong("services_yaml", warning, "change it in services.yaml"))
}

/// Whether the name is still the name of this repository.
pub(super) fn name(repository: &Repository, found: &Remote) -> Option<Finding> {
    (found.external_id != repository.external_id).then(|| {
        let message = format!(
            "{} is another repository by now: {} instead of {}",
            repository.full_name, found.external_id, repository.external_id
        );
        Finding::wrong("name", message, "ck8s repo update R --full-name")
    })
}

/// Whom the credential acts as, and what it lacks.
pub(super) fn permissions(repository: &Repository, missing: &[MissingPermission]) -> [Finding; 2] {
    let actor = repository.provider.actor_login.as_deref();
    let actor = actor.unwrap_or("nobody known");
    let token = Finding::ok("token", format!("it is known, and acts as {actor}"));
    let permissions = if missing.is_empty() {
        Finding::ok("permissions", "all that ck8s needs")
    } else {
        Finding::wrong(
            "permissions",
            format!("it lacks {}", describe_permissions(missing)),
            "give it the permissions at the provider",
        )
    };
    [token, permissions]
}

/// Why the credential cannot be used.
pub(super) fn unusable_token(error: &ProviderError) -> Finding {
    let remedy = "ck8s repo rotate-token gives ck8s another one";
    if error.is_transient() {
        provider_error("token", error)
    } else {
        provider_error("token", error).with_remedy(remedy)
    }
}

/// What the provider said instead of an answer.
pub(super) fn provider_error(subject: &'static str, error: &ProviderError) -> Finding {
    if error.is_transient() {
        Finding::unknown(subject, error.to_string())
    } else {
        Finding::wrong(subject, error.to_string(), "")
    }
}

/// How the hook stands: its id, or what is wrong with it.
pub(super) fn hook(
    state: Result<String, String>,
    previous_secret_until: Option<OffsetDateTime>,
) -> Finding {
    match state {
        Err(problem) => {
            Finding::wrong("hook", problem, "ck8s repo mend makes it what it should be")
        }
        Ok(id) => {
            let previous = previous_secret_until.map_or_else(String::new, |until| {
                format!("; the previous secret is valid until {}", in_words(until))
            });
            Finding::ok("hook", format!("hook {id} is on and complete{previous}"))
        }
    }
}

/// How the last delivery went.
pub(super) fn delivery(
    hook: &Hook,
    attempts: Result<Vec<DeliveryAttempt>, ProviderError>,
) -> Finding {
    let last = attempts.map(|all| all.into_iter().max_by_key(|attempt| attempt.at));
    match last {
        Ok(Some(last)) => last_delivery(&last),
        Ok(None) => match hook.seen_at {
            Some(at) => Finding::ok(
                "delivery",
                format!("the last one that was noted came {}", in_words(at)),
            ),
            None => Finding::unknown("delivery", "none was made yet"),
        },
        Err(ProviderError::NotFound(_)) => Finding::wrong(
            "delivery",
            "the hook that ck8s made is gone",
            "ck8s repo mend makes another one",
        ),
        Err(error) => provider_error("delivery", &error),
    }
}

fn last_delivery(last: &DeliveryAttempt) -> Finding {
    let what = format!("the last one, {} of {}", last.event, in_words(last.at));
    if last.succeeded {
        Finding::ok("delivery", format!("{what}, came through"))
    } else {
        Finding::wrong(
            "delivery",
            format!("{what}, did not come through: {}", last.status),
            "is ck8s reachable at its public address? It asks every five minutes for deliveries that did not come through",
        )
    }
}

/// Whether the services.yaml at the provider is in force.
pub(super) fn services_file(repository: &Repository) -> Finding {
    let file = &repository.services_file;
    if let Some(problem) = &file.problem {
        let rest = match file.text.as_str() {
            "" => "",
            _ => "; the last good one stays in force",
        };
        return Finding::wrong(
            "services_yaml",
            format!("{problem}{rest}"),
            format!(
                "push a good {} to {}",
                file.path, repository.default_branch.name
            ),
        );
    }
    if file.text.is_empty() {
        return Finding::unknown("services_yaml", "there is none: nothing triggers");
    }
    let commit = file.commit.as_deref().unwrap_or_default();
    let of_commit = commit
        .get(..12)
        .map(|commit| format!(" of {commit}"))
        .unwrap_or_default();
    Finding::ok(
        "services_yaml",
        format!("{}{of_commit} is in force", file.path),
    )
}

/// The first trigger that waits for an event that the hook does not deliver.
pub(super) fn undelivered_event(
    provider: &dyn RepositoryProvider,
    services: &Services,
) -> Option<Finding> {
    let mut triggers = services.triggers.iter();
    let waiting = triggers.find(|trigger| !provider.delivers_event(&trigger.event))?;
    let message = format!(
        "trigger {:?} waits for the event {:?}, which the hook does not deliver",
        waiting.name, waiting.event
    );
    Some(Finding::wrong(
        "services_yaml",
        message,
        "name another event",
    ))
}

/// How many requests the provider still takes.
pub(super) fn rate_limit(remote: &RemoteRepository, repository: &Repository) -> Finding {
    let now = OffsetDateTime::now_utc();
    if let Some(until) = repository.provider.limited_until(now) {
        let by = remote.api().name();
        return Finding::unknown(
            "rate_limit",
            format!("waits for {by} until {}", in_words(until)),
        );
    }
    match remote.api().quota(&remote.credential) {
        Some(quota) => Finding::ok(
            "rate_limit",
            format!(
                "{} of {} requests left, all of them back {}",
                quota.remaining,
                quota.limit,
                in_words(quota.resets_at)
            ),
        ),
        None => Finding::unknown("rate_limit", "the provider has not said"),
    }
}

/// A time as people read it: in UTC, to the second.
fn in_words(at: OffsetDateTime) -> String {
    let seconds = at.replace_nanosecond(0).unwrap_or(at);
    let text = seconds.format(&Rfc3339).unwrap_or_default();
    text.replace('T', " ")
}
