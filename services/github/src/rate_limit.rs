//! GitHub's rate limits, as its responses tell them: the primary one (requests per hour) and the secondary ones (too
//! many at once).
use ck8s_provider::{ProviderError, Quota};
use http::{StatusCode, header::RETRY_AFTER};
use time::{Duration, OffsetDateTime};

use crate::{operations::PROVIDER_NAME, response::Response};

/// How long GitHub asks clients to wait where its response does not say.
const DEFAULT_WAIT: Duration = Duration::minutes(1);
/// The longest wait, whatever a header says: GitHub counts by the hour, and a clock may be wrong by some minutes.
const MAX_WAIT: Duration = Duration::minutes(90);
/// The longest `retry-after` that is added to the clock, in seconds.
const MAX_RETRY_AFTER_SECONDS: i64 = 86_400;

/// Returns until when no further request may be made; none if there is no limit.
pub(crate) fn limited_until(response: &Response, now: OffsetDateTime) -> Option<OffsetDateTime> {
    let refusal = is_refusal(response);
    let spent = quota(response).filter(|quota| quota.remaining == 0);
    let until = match (refusal, retry_after_seconds(response)) {
        (true, Some(seconds)) => now + Duration::seconds(seconds.clamp(1, MAX_RETRY_AFTER_SECONDS)),
        (false, _) | (true, None) if spent.is_some() => spent?.resets_at,
        (true, None) if is_secondary_limit(response) => now + DEFAULT_WAIT,
        _ => return None,
    };
    Some(until.clamp(now + Duration::SECOND, now + MAX_WAIT))
}

/// Reports whether a response with a limit is a refusal, rather than the last response before the limit.
pub(crate) fn is_refusal(response: &Response) -> bool {
    matches!(
        response.status,
        StatusCode::FORBIDDEN | StatusCode::TOO_MANY_REQUESTS
    )
}

/// Returns the credential's quota, if the response tells it.
pub(crate) fn quota(response: &Response) -> Option<Quota> {
    let number = |name| response.header(name).trim().parse::<i64>().ok();
    Some(Quota {
        limit: number("x-ratelimit-limit")?,
        remaining: number("x-ratelimit-remaining")?,
        resets_at: OffsetDateTime::from_unix_timestamp(number("x-ratelimit-reset")?).ok()?,
    })
}

/// The error of a request that is not made, or was refused, because of a limit.
pub(crate) fn error(until: OffsetDateTime) -> ProviderError {
    ProviderError::RateLimited {
        by: PROVIDER_NAME,
        until,
    }
}

fn retry_after_seconds(response: &Response) -> Option<i64> {
    response.header(RETRY_AFTER.as_str()).trim().parse().ok()
}

/// Reports whether a refusal is a secondary limit. With status 403 only the message tells it from a missing permission.
fn is_secondary_limit(response: &Response) -> bool {
    let message = response.error_message().to_lowercase();
    response.status == StatusCode::TOO_MANY_REQUESTS
        || message.contains("secondary rate limit")
        || message.contains("abuse detection")
}
