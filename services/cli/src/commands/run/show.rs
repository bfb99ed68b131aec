//! A run as people read it.
use ck8s_proto::runs::v1::{Run, RunState};

use crate::{
    connection::Connection,
    error::CliError,
    table::{elapsed, enum_label, key_values, timestamp},
};

/// Prints a run.
pub(super) fn print(connection: &Connection, run: &Run) -> Result<(), CliError> {
    connection.format.print_one(run, || describe(run))
}

/// Describes a run, one field a line.
pub(super) fn describe(run: &Run) -> String {
    let trigger = run.trigger.clone().unwrap_or_default();
    let spec = run.spec.clone().unwrap_or_default();
    let slot = match run.slot {
        0 => String::new(),
        number => number.to_string(),
    };
    let reason = [reason(run), run.message.clone()]
        .into_iter()
        .filter(|s| !s.is_empty());
    key_values(&[
        ("Id", run.id.clone()),
        ("State", state(run)),
        ("Reason", reason.collect::<Vec<_>>().join(": ")),
        ("Repository", run.repository_name.clone()),
        ("Project", run.project_id.clone()),
        ("Trigger", trigger.name),
        ("Title", trigger.title),
        ("Actor", trigger.actor),
        ("Page", trigger.url),
        ("Commit", trigger.commit_sha),
        ("Code of", trigger.head_repository),
        (
            "Secrets",
            match trigger.secrets_withheld {
                true => "withheld: the code is another repository's".to_owned(),
                false => String::new(),
            },
        ),
        ("Note", trigger.note),
        ("Image", spec.image),
        ("Command", spec.command.join(" ")),
        ("Attempt", run.attempt.to_string()),
        ("Slot", slot),
        ("Worker", run.worker_id.clone()),
        ("Workload", run.workload.clone()),
        (
            "Exit code",
            run.exit_code.map(|c| c.to_string()).unwrap_or_default(),
        ),
        ("Created", timestamp(run.create_time.as_ref())),
        ("Started", timestamp(run.start_time.as_ref())),
        ("Finished", timestamp(run.finish_time.as_ref())),
        (
            "Took",
            elapsed(run.start_time.as_ref(), run.finish_time.as_ref()),
        ),
        ("Delivery", run.delivery_id.clone()),
        ("Retry of", run.retry_of.clone()),
    ])
}

/// Returns the name of a run's state.
pub(super) fn state(run: &Run) -> String {
    enum_label(run.state().as_str_name(), "RUN_STATE")
}

/// Returns the reason why a run ended as it did; empty while it has not ended.
pub(super) fn reason(run: &Run) -> String {
    enum_label(run.reason().as_str_name(), "RUN_REASON")
}

/// Returns whether a run has ended.
pub(super) fn has_ended(run: &Run) -> bool {
    matches!(
        run.state(),
        RunState::Succeeded | RunState::Failed | RunState::Canceled
    )
}
