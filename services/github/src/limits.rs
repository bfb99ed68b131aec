//! When GitHub wants to be left alone: its primary limit (so many requests an hour) and the secondary ones (too many at once).
use ck8s_provider::Quota;
use http::{StatusCode, header::RETRY_AFTER};
use time::{Duration, OffsetDateTime};

use crate::answer::Answer;

/// What GitHub asks for where it does not say how long.
const MINUTE: Duration = Duration::minutes(1);
/// No wait is longer, whatever a header says: GitHub counts by the hour, a clock may be wrong by some minutes.
const LONGEST: Duration = Duration::minutes(90);

/// Until when nothing may be asked after this answer; none: go on.
pub(crate) fn until(answer: &Answer, now: OffsetDateTime) -> Option<OffsetDateTime> {
    let refused = refuses(answer);
    let spent = quota(answer).filter(|quota| quota.remaining == 0);
    let until = match (refused, seconds(answer)) {
        (true, Some(seconds)) => now + Duration::seconds(seconds.clamp(1, 86_400)),
        (false, _) | (true, None) if spent.is_some() => spent?.resets_at,
        (true, None) if secondary(answer) => now + MINUTE,
        _ => return None,
    };
    Some(until.clamp(now + Duration::SECOND, now + LONGEST))
}

/// Whether an answer that has an "until" is a refusal, and not the last that was allowed.
pub(crate) fn refuses(answer: &Answer) -> bool {
    matches!(
        answer.status,
        StatusCode::FORBIDDEN | StatusCode::TOO_MANY_REQUESTS
    )
}

/// How much may still be asked, as an answer says.
pub(crate) fn quota(answer: &Answer) -> Option<Quota> {
    let number = |name| answer.header(name).trim().parse::<i64>().ok();
    Some(Quota {
        limit: number("x-ratelimit-limit")?,
        remaining: number("x-ratelimit-remaining")?,
        resets_at: OffsetDateTime::from_unix_timestamp(number("x-ratelimit-reset")?).ok()?,
    })
}

fn seconds(answer: &Answer) -> Option<i64> {
    answer.header(RETRY_AFTER.as_str()).trim().parse().ok()
}

/// A limit that is not the primary one; with 403 only the words tell it from a permission that is missing.
fn secondary(answer: &Answer) -> bool {
    let why = answer.why().to_lowercase();
    answer.status == StatusCode::TOO_MANY_REQUESTS
        || why.contains("secondary rate limit")
        || why.contains("abuse detection")
}
