//! The metrics of this service, counted per batch and not per webhook.
use metrics::{counter, gauge, histogram};

use crate::domain::{
    delivery::{DeliveryOutcome, DeliveryState},
    webhook::WebhookOutcome,
};

/// Counts webhooks by their outcome.
pub(crate) fn webhooks_ingested(outcomes: &[WebhookOutcome]) {
    let count = |is: fn(&WebhookOutcome) -> bool| outcomes.iter().filter(|o| is(o)).count() as u64;
    for (outcome, number) in [
        ("accepted", count(|o| *o == WebhookOutcome::Accepted)),
        ("duplicate", count(|o| *o == WebhookOutcome::Duplicate)),
        (
            "refused",
            count(|o| matches!(o, WebhookOutcome::Rejected(_))),
        ),
    ] {
        if number > 0 {
            counter!("ck8s_ingress_webhooks_total", "outcome" => outcome).increment(number);
        }
    }
}

/// Records the rows of one statement.
pub(crate) fn batch_written(rows: usize) {
    histogram!("ck8s_ingress_batch_rows").record(rows as f64);
}

/// Counts handled deliveries by their state.
pub(crate) fn deliveries_handled(outcomes: &[DeliveryOutcome]) {
    for state in DeliveryState::ALL {
        let number = outcomes.iter().filter(|o| o.state == state).count() as u64;
        if number > 0 {
            counter!("ck8s_ingress_handled_total", "state" => state.as_str()).increment(number);
        }
    }
}

/// Counts the deliveries that are left to the repair task.
pub(crate) fn left_to_repair(number: usize) {
    counter!("ck8s_ingress_left_to_repair_total").increment(number as u64);
}

/// Counts the deliveries that the repair task handled.
pub(crate) fn repaired(number: usize) {
    if number > 0 {
        counter!("ck8s_ingress_repaired_total").increment(number as u64);
    }
}

/// Sets how many deliveries are missing: not asked for successfully yet, and asked for again.
pub(crate) fn deliveries_missing(missing: usize, asked_again: usize) {
    for (state, number) in [("missing", missing), ("asked_again", asked_again)] {
        gauge!("ck8s_ingress_missing_deliveries", "state" => state).set(number as f64);
    }
}

/// Counts the missing deliveries that arrived.
pub(crate) fn deliveries_recovered(number: usize) {
    counter!("ck8s_ingress_recovered_total").increment(number as u64);
}

/// Counts the missing deliveries that were given up.
pub(crate) fn deliveries_given_up(number: usize) {
    counter!("ck8s_ingress_given_up_total").increment(number as u64);
}
