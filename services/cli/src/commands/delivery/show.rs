//! A delivery as people read it.
use ck8s_proto::ingress::v1::Delivery;

use crate::{
    connection::Connection,
    error::CliError,
    table::{enum_label, key_values, timestamp},
};

/// Returns the name of a delivery's state.
pub(super) fn state(delivery: &Delivery) -> String {
    enum_label(delivery.state().as_str_name(), "DELIVERY_STATE")
}

/// Returns the ids of a delivery's runs. An older server names the first alone.
pub(super) fn runs(delivery: &Delivery) -> &[String] {
    match delivery.run_ids.as_slice() {
        [] if !delivery.run_id.is_empty() => std::slice::from_ref(&delivery.run_id),
        runs => runs,
    }
}

/// Prints a delivery.
pub(super) fn print(connection: &Connection, delivery: &Delivery) -> Result<(), CliError> {
    let d = delivery;
    connection.format.print_one(d, || {
        key_values(&[
            ("Delivery", d.delivery_id.clone()),
            ("Id", d.id.clone()),
            ("Event", d.event.clone()),
            ("Action", d.action.clone()),
            ("State", state(d)),
            ("Reason", d.reason.clone()),
            ("Runs", runs(d).join(", ")),
            ("Repository", d.repository_id.clone()),
            ("Project", d.project_id.clone()),
            ("Sender", d.sender.clone()),
            ("Size", format!("{} bytes", d.size_bytes)),
            ("Received", timestamp(d.receive_time.as_ref())),
            ("Handled", timestamp(d.handle_time.as_ref())),
        ])
    })
}
