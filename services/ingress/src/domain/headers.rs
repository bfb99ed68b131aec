//! The form of a webhook's headers.
use super::{rejection::Rejection, schedule};

/// Bounds an event's name, which is part of every row. GitHub's have at most 40 bytes.
const MAX_EVENT_BYTES: usize = 100;
/// Bounds the provider's id of a delivery, which is part of an index. GitHub's have 36 bytes.
const MAX_DELIVERY_KEY_BYTES: usize = 100;

/// Checks the event's name and the provider's id of the delivery.
pub(crate) fn check(event: &str, delivery_key: &str) -> Result<(), Rejection> {
    let event_name = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'.';
    if event.is_empty() {
        return Err(Rejection::EventMissing);
    }
    if event.len() > MAX_EVENT_BYTES || !event.bytes().all(event_name) {
        return Err(Rejection::EventInvalid);
    }
    if delivery_key.is_empty() {
        return Err(Rejection::DeliveryIdMissing);
    }
    // These keys are those of our own deliveries.
    if schedule::is_key(delivery_key) {
        return Err(Rejection::DeliveryIdInvalid);
    }
    if delivery_key.len() > MAX_DELIVERY_KEY_BYTES
        || !delivery_key.bytes().all(|b| b.is_ascii_graphic())
    {
        return Err(Rejection::DeliveryIdInvalid);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_fault_has_its_code() {
        let id = "72d3162e-cc78-11e3-81ab-4c9367dc0958";
        assert_eq!(check("issues", id), Ok(()));
        assert_eq!(check("check_run", "x"), Ok(()));
        assert_eq!(check("", id), Err(Rejection::EventMissing));
        for event in ["Issues", "a b", "a\0", "é", &"x".repeat(101)] {
            assert_eq!(check(event, id), Err(Rejection::EventInvalid), "{event}");
        }
        assert_eq!(check("push", ""), Err(Rejection::DeliveryIdMissing));
        for id in ["a b", "a\0", "é", "a\n", "schedule:x", &"x".repeat(10_000)] {
            assert_eq!(check("push", id), Err(Rejection::DeliveryIdInvalid), "{id}");
        }
    }
}
