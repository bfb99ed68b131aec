//! `ck8s run explain`: why a run waits, or why it ended as it did.
use std::fmt::Write;

use ck8s_proto::runs::v1::{ExplainRunRequest, ExplainRunResponse};

use crate::{
    connection::Connection,
    error::{CliError, ResponseExt as _},
    table::{enum_label, timestamp},
    text::one_line,
};

pub(crate) async fn run(connection: &Connection, run: String) -> Result<(), CliError> {
    let what = format!("cannot explain run {run}");
    let request = connection.client.request(ExplainRunRequest { run_id: run });
    let response = connection
        .client
        .runs()
        .explain_run(request)
        .await
        .context(what)?;
    connection
        .format
        .print_one(&response, || describe(&response))
}

fn describe(response: &ExplainRunResponse) -> String {
    let mut text = format!("{}\n", one_line(&response.summary));
    for reason in &response.reasons {
        let cause = enum_label(reason.cause().as_str_name(), "WAIT_CAUSE");
        add_line(
            &mut text,
            format_args!("- {cause}: {}", one_line(&reason.message)),
        );
        for slot in &reason.slots {
            let until = timestamp(slot.lease_until.as_ref());
            let until = if until.is_empty() {
                until
            } else {
                format!(" until {until}")
            };
            let slot_state = enum_label(slot.state().as_str_name(), "SLOT_STATE");
            add_line(
                &mut text,
                format_args!(
                    "    slot {} is {slot_state}: run {}{until}",
                    slot.number, slot.run_id
                ),
            );
        }
        for run in &reason.run_ids {
            add_line(&mut text, format_args!("    run {run}"));
        }
    }
    if response.ahead > 0 {
        add_line(
            &mut text,
            format_args!("{} of the project's runs go first", response.ahead),
        );
    }
    text
}

fn add_line(text: &mut String, line: std::fmt::Arguments) {
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{line}");
}

#[cfg(test)]
mod tests {
    use ck8s_proto::runs::v1::{Run, RunState, Slot, SlotState, WaitCause, WaitReason};

    use super::*;

    #[test]
    fn an_explanation_names_what_the_run_waits_for() {
        let response = ExplainRunResponse {
            run: Some(Run {
                state: RunState::Pending.into(),
                ..Default::default()
            }),
            reasons: vec![WaitReason {
                cause: WaitCause::NoSlot.into(),
                message: "all 1 slots are taken".into(),
                slots: vec![Slot {
                    number: 1,
                    state: SlotState::Leased.into(),
                    run_id: "r1".into(),
                    ..Default::default()
                }],
                run_ids: vec![],
            }],
            ahead: 2,
            summary: "it waits for a slot".into(),
        };
        let expected = "it waits for a slot\n- no slot: all 1 slots are taken\n    slot 1 is leased: run r1\n\
                        2 of the project's runs go first\n";
        assert_eq!(describe(&response), expected);
    }
}
