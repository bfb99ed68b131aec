//! What the headers of a webhook must look like.
use super::refusal::Refusal;

/// GitHub's names have at most 40; a name lies in every row.
const LONGEST_EVENT: usize = 100;
/// GitHub's ids have 36; the key lies in an index.
const LONGEST_DELIVERY_ID: usize = 100;

/// Checks event and delivery id.
pub(crate) fn check(event: &str, delivery_id: &str) -> Result<(), Refusal> {
    let event_name = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'.';
    if event.is_empty() {
        return Err(Refusal::EventMissing);
    }
    if event.len() > LONGEST_EVENT || !event.bytes().all(event_name) {
        return Err(Refusal::EventInvalid);
    }
    if delivery_id.is_empty() {
        return Err(Refusal::DeliveryIdMissing);
    }
    if delivery_id.len() > LONGEST_DELIVERY_ID || !delivery_id.bytes().all(|b| b.is_ascii_graphic())
    {
        return Err(Refusal::DeliveryIdInvalid);
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
        assert_eq!(check("", id), Err(Refusal::EventMissing));
        for event in ["Issues", "a b", "a\0", "é", &"x".repeat(101)] {
            assert_eq!(check(event, id), Err(Refusal::EventInvalid), "{event}");
        }
        assert_eq!(check("push", ""), Err(Refusal::DeliveryIdMissing));
        for id in ["a b", "a\0", "é", "a\n", &"x".repeat(10_000)] {
            assert_eq!(check("push", id), Err(Refusal::DeliveryIdInvalid), "{id}");
        }
    }
}
