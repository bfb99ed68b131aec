//! Deadlines of calls: what the client asks for, and a minute at most where the response is one message.
use std::time::Duration;

use http::{HeaderMap, HeaderValue};
use tonic::{Code, Status};

use crate::status;

/// The header that says how long a call may take.
const TIMEOUT_HEADER: &str = "grpc-timeout";
/// What the header can say: eight digits, which is about a day in milliseconds.
const MAX_TIMEOUT_AMOUNT: u128 = 99_999_999;
/// Bounds a call with a single response: nobody waits longer.
const MAX_CALL_TIMEOUT: Duration = Duration::from_secs(60);
/// The server library holds the client's deadline too, outside of us and with a bare CANCELLED; we are first by this
/// much.
const LIBRARY_MARGIN: Duration = Duration::from_millis(5);

/// The deadline of a call. None for a stream whose client asks for none.
pub(crate) fn of(headers: &HeaderMap, streaming: bool) -> Option<Duration> {
    match (of_client(headers), streaming) {
        (timeout, true) => timeout,
        (Some(timeout), false) => Some(timeout.min(MAX_CALL_TIMEOUT)),
        (None, false) => Some(MAX_CALL_TIMEOUT),
    }
}

/// The deadline that the client asks for.
pub(crate) fn of_client(headers: &HeaderMap) -> Option<Duration> {
    headers
        .get(TIMEOUT_HEADER)
        .and_then(|value| value.to_str().ok())
        .and_then(parse)
        .map(|timeout| timeout - LIBRARY_MARGIN.min(timeout / 10))
}

/// Gives a call a deadline.
pub(crate) fn set(headers: &mut HeaderMap, timeout: Duration) {
    let text = format!("{}m", timeout.as_millis().clamp(1, MAX_TIMEOUT_AMOUNT));
    if let Ok(value) = HeaderValue::from_str(&text) {
        headers.insert(TIMEOUT_HEADER, value);
    }
}

/// Gives a call a deadline, unless it has one.
pub(crate) fn set_default(headers: &mut HeaderMap, timeout: Duration) {
    if !headers.contains_key(TIMEOUT_HEADER) {
        set(headers, timeout);
    }
}

/// The call's time is over.
pub(crate) fn exceeded() -> Status {
    status::error(
        Code::DeadlineExceeded,
        "DEADLINE_EXCEEDED",
        "the call's time is over",
        &[],
    )
}

/// Reads at most eight digits and a unit, as gRPC over HTTP/2 defines it. Anything else counts as no timeout.
fn parse(value: &str) -> Option<Duration> {
    let (digits, unit) = value.split_at_checked(value.len().checked_sub(1)?)?;
    let is_valid = (1..=8).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
    let amount: u64 = digits.parse().ok().filter(|_| is_valid)?;
    match unit {
        "H" => Some(Duration::from_secs(amount * 3600)),
        "M" => Some(Duration::from_secs(amount * 60)),
        "S" => Some(Duration::from_secs(amount)),
        "m" => Some(Duration::from_millis(amount)),
        "u" => Some(Duration::from_micros(amount)),
        "n" => Some(Duration::from_nanos(amount)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(timeout: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(TIMEOUT_HEADER, timeout.parse().unwrap());
        headers
    }

    #[test]
    fn the_deadline_of_the_client_counts_up_to_a_minute() {
        assert_eq!(of(&HeaderMap::new(), false), Some(MAX_CALL_TIMEOUT));
        assert_eq!(of(&headers("2H"), false), Some(MAX_CALL_TIMEOUT));
        let second = Duration::from_millis(995);
        assert_eq!(of(&headers("1S"), false), Some(second));
        assert_eq!(of(&headers("1000m"), true), Some(second));
        assert_eq!(of(&HeaderMap::new(), true), None);
    }

    #[test]
    fn a_malformed_timeout_counts_as_none() {
        for bad in [
            "",
            "S",
            "1",
            "-1S",
            "+1S",
            "123456789S",
            "1x",
            "1.5S",
            "1 S",
        ] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_default_gives_way_to_a_deadline_of_the_call() {
        let mut own = headers("1S");
        set_default(&mut own, Duration::from_secs(8));
        assert_eq!(of_client(&own), Some(Duration::from_millis(995)));
        let mut none = HeaderMap::new();
        set_default(&mut none, Duration::from_secs(8));
        assert_eq!(of_client(&none), Some(Duration::from_millis(7_995)));
        set(&mut none, Duration::MAX);
        assert_eq!(none[TIMEOUT_HEADER], "99999999m");
    }
}
