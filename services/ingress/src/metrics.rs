//! What is counted. Per batch, so that counting costs nothing.
use metrics::{counter, histogram};

use crate::{ingest::Outcome, store::inbox};

/// What became of webhooks.
pub(crate) fn ingested(outcomes: &[Outcome]) {
    let count = |wanted: fn(&Outcome) -> bool| outcomes.iter().filter(|o| wanted(o)).count() as u64;
    for (outcome, number) in [
        ("accepted", count(|o| *o == Outcome::Accepted)),
        ("duplicate", count(|o| *o == Outcome::Duplicate)),
        ("refused", count(|o| matches!(o, Outcome::Refused(_)))),
    ] {
        if number > 0 {
            counter!("ck8s_ingress_webhooks_total", "outcome" => outcome).increment(number);
        }
    }
}

/// Rows of one statement.
pub(crate) fn batch(rows: usize) {
    histogram!("ck8s_ingress_batch_rows").record(rows as f64);
}

/// What became of stored deliveries.
pub(crate) fn handled(outcomes: &[inbox::Outcome]) {
    use crate::store::deliveries::State;
    for state in State::ALL {
        let number = outcomes.iter().filter(|o| o.state == state).count() as u64;
        if number > 0 {
            counter!("ck8s_ingress_handled_total", "state" => state.as_str()).increment(number);
        }
    }
}

/// Deliveries that the repair task has to take up.
pub(crate) fn left_to_repair(number: usize) {
    counter!("ck8s_ingress_left_to_repair_total").increment(number as u64);
}

/// Deliveries that the repair task took up.
pub(crate) fn repaired(number: usize) {
    if number > 0 {
        counter!("ck8s_ingress_repaired_total").increment(number as u64);
    }
}
