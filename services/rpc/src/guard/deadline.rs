//! How long a call may take: what the client asks for, and a minute at most where an answer is one message.
use std::time::Duration;

use http::HeaderMap;
use tonic::{Code, Status};

use crate::status;

/// The longest that a call with a single answer takes.
const LONGEST: Duration = Duration::from_secs(60);
/// The server library holds the client's deadline too, outside of us and with a bare CANCELLED; we are first by this much.
const AHEAD: Duration = Duration::from_millis(5);

/// The deadline of a call; none for a stream whose client asks for none.
pub(crate) fn of(headers: &HeaderMap, streaming: bool) -> Option<Duration> {
    let asked = headers
        .get("grpc-timeout")
        .and_then(|value| value.to_str().ok())
        .and_then(parse)
        .map(|asked| asked - AHEAD.min(asked / 10));
    match (asked, streaming) {
        (asked, true) => asked,
        (Some(asked), false) => Some(asked.min(LONGEST)),
        (None, false) => Some(LONGEST),
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

/// At most eight digits and a unit, as gRPC over HTTP/2 has it. What is something else counts as nothing.
fn parse(value: &str) -> Option<Duration> {
    let (digits, unit) = value.split_at_checked(value.len().checked_sub(1)?)?;
    let sound = (1..=8).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
    let amount: u64 = digits.parse().ok().filter(|_| sound)?;
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
        headers.insert("grpc-timeout", timeout.parse().unwrap());
        headers
    }

    #[test]
    fn the_clients_deadline_counts_up_to_a_minute() {
        assert_eq!(of(&HeaderMap::new(), false), Some(LONGEST));
        assert_eq!(of(&headers("2H"), false), Some(LONGEST));
        let second = Duration::from_millis(995);
        assert_eq!(of(&headers("1S"), false), Some(second));
        assert_eq!(of(&headers("1000m"), true), Some(second));
        assert_eq!(of(&HeaderMap::new(), true), None);
    }

    #[test]
    fn nonsense_counts_as_nothing() {
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
}
