//! `ck8s run explain`.
use std::fmt::Write;

use ck8s_proto::runs::v1::{ExplainRunRequest, ExplainRunResponse};

use crate::{
    fault::{Answer, Fault, one_line},
    session::Session,
    table::{moment, word},
};

pub(crate) async fn run(session: &Session, run: String) -> Result<(), Fault> {
    let what = format!("cannot explain run {run}");
    let request = session.client.ask(ExplainRunRequest { run_id: run });
    let answer = session
        .client
        .runs()
        .explain_run(request)
        .await
        .or_say(what)?;
    session.format.one(&answer, || words(&answer))
}

fn words(answer: &ExplainRunResponse) -> String {
    let mut text = format!("{}\n", one_line(&answer.summary));
    for reason in &answer.reasons {
        let cause = word(reason.cause().as_str_name(), "WAIT_CAUSE");
        add(
            &mut text,
            format_args!("- {cause}: {}", one_line(&reason.message)),
        );
        for slot in &reason.slots {
            let until = moment(slot.lease_until.as_ref());
            let until = if until.is_empty() {
                until
            } else {
                format!(" until {until}")
            };
            let slot_state = word(slot.state().as_str_name(), "SLOT_STATE");
            add(
                &mut text,
                format_args!(
                    "    slot {} is {slot_state}: run {}{until}",
                    slot.number, slot.run_id
                ),
            );
        }
        for run in &reason.run_ids {
            add(&mut text, format_args!("    run {run}"));
        }
    }
    if answer.ahead > 0 {
        add(
            &mut text,
            format_args!("{} of the project's runs go first", answer.ahead),
        );
    }
    text
}

fn add(text: &mut String, line: std::fmt::Arguments) {
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{line}");
}

#[cfg(test)]
mod tests {
    use ck8s_proto::runs::v1::{Run, RunState, Slot, SlotState, WaitCause, WaitReason};

    use super::*;

    #[test]
    fn it_says_what_is_in_the_way() {
        let answer = ExplainRunResponse {
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
        assert_eq!(words(&answer), expected);
    }
}
