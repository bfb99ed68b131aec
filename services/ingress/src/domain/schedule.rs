//! Schedules: triggers that are due at times. What is due becomes a delivery of our own making, so that what follows is
//! as with a webhook.
use ck8s_schedule::Schedule;
use ck8s_types::RepositoryId;
use serde_json::json;
use sha2::{Digest, Sha256};
use time::{Duration, OffsetDateTime, format_description::well_known::Rfc3339};

/// The event of such a delivery, and who causes it.
pub(crate) const SCHEDULE: &str = "schedule";
/// The beginning of such a delivery's key. No webhook from outside may have it.
const KEY_PREFIX: &str = "schedule:";
/// Bounds the delay of a schedule: whatever is due at midnight does not start in one second.
const MAX_DELAY_SECONDS: u32 = 60;

/// When a trigger is due.
#[derive(Clone, Debug)]
pub(crate) struct TriggerSchedule {
    pub(crate) cron: String,
    /// Empty: UTC.
    pub(crate) timezone: String,
    pub(crate) times: Schedule,
}

/// A trigger's schedule as the last firing left it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct SeenSchedule {
    pub(crate) repository_id: RepositoryId,
    pub(crate) trigger: String,
    pub(crate) cron: String,
    pub(crate) timezone: String,
    /// Up to which due time deliveries were made.
    pub(crate) last_due: OffsetDateTime,
}

impl TriggerSchedule {
    /// Reads a schedule; none: there is none, or it is none.
    pub(crate) fn parse(cron: String, timezone: String) -> Option<Self> {
        let times = Schedule::parse(&cron, &timezone).ok()?;
        Some(Self {
            cron,
            timezone,
            times,
        })
    }

    /// Returns the time that is due at `now`, after this one: the latest alone, however many were missed.
    pub(crate) fn due(
        &self,
        last_due: OffsetDateTime,
        delay: Duration,
        now: OffsetDateTime,
    ) -> Option<OffsetDateTime> {
        let latest = self.times.last_until(now - delay)?;
        Some(latest).filter(|latest| *latest > last_due)
    }
}

/// Returns how long after its due time a trigger fires: always the same, and another for every trigger.
pub(crate) fn delay(repository: RepositoryId, trigger: &str) -> Duration {
    let hash = Sha256::new()
        .chain_update(repository.uuid().as_bytes())
        .chain_update(trigger.as_bytes())
        .finalize();
    let number = hash
        .iter()
        .take(4)
        .fold(0, |number, byte| (number << 8) | u32::from(*byte));
    Duration::seconds(i64::from(number % MAX_DELAY_SECONDS))
}

/// Returns the key of the delivery that a due time makes: the same in every replica.
pub(crate) fn key(trigger: &str, due: OffsetDateTime) -> String {
    let hash = hex::encode(&Sha256::digest(trigger.as_bytes())[..8]);
    let name: String = trigger
        .chars()
        .map(|c| if c == ' ' { '-' } else { c })
        .take(40)
        .collect();
    format!("{KEY_PREFIX}{name}~{hash}:{}", rfc3339(due))
}

/// Returns whether a key is one of ours.
pub(crate) fn is_key(key: &str) -> bool {
    key.starts_with(KEY_PREFIX)
}

/// Returns the payload of the delivery that a due time makes.
pub(crate) fn payload(
    external_id: u64,
    default_branch: &str,
    trigger: &str,
    due: OffsetDateTime,
) -> Vec<u8> {
    let payload = json!({
        "schedule": { "trigger": trigger, "due": rfc3339(due) },
        "ref": format!("refs/heads/{default_branch}"),
        "repository": { "id": external_id, "default_branch": default_branch },
        "sender": { "login": SCHEDULE },
    });
    payload.to_string().into_bytes()
}

fn rfc3339(time: OffsetDateTime) -> String {
    time.format(&Rfc3339).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn of_all_times_that_were_missed_the_latest_is_due_and_none_before_its_delay() {
        let daily = TriggerSchedule::parse("0 3 * * *".to_owned(), String::new());
        let daily = daily.expect("a schedule");
        let at = |text| OffsetDateTime::parse(text, &Rfc3339).expect("a time");
        let (last, delay) = (at("2026-11-20T03:00:00Z"), Duration::seconds(40));
        let due = |now| daily.due(last, delay, at(now));
        let today = at("2026-11-27T03:00:00Z");
        assert_eq!(due("2026-11-27T12:00:00Z"), Some(today));
        assert_eq!(due("2026-11-27T03:00:40Z"), Some(today));
        assert_eq!(due("2026-11-27T03:00:39Z"), Some(today - Duration::DAY));
        assert_eq!(due("2026-11-21T03:00:39Z"), None);
        assert_eq!(daily.due(today, delay, at("2026-11-27T12:00:00Z")), None);
    }

    #[test]
    fn each_trigger_has_its_delay_and_each_due_time_its_key() {
        let repository = RepositoryId::new();
        assert_eq!(delay(repository, "a"), delay(repository, "a"));
        let delays = (0..200).map(|nr| delay(repository, &nr.to_string()));
        let delays: HashSet<Duration> = delays.collect();
        assert!(delays.len() > 20 && delays.iter().all(|delay| *delay < Duration::MINUTE));
        let due = OffsetDateTime::UNIX_EPOCH;
        let long = "x".repeat(100);
        let keys = ["a b", "a-b", &long, &format!("{long}y")].map(|trigger| key(trigger, due));
        assert_eq!(keys.iter().collect::<HashSet<_>>().len(), keys.len());
        for key in keys {
            assert!(is_key(&key) && key.len() <= 100, "{key}");
            assert!(key.bytes().all(|byte| byte.is_ascii_graphic()), "{key}");
        }
    }
}
