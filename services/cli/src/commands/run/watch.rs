//! `ck8s run watch`: shows the changes of runs live, and resumes where a broken stream ended.
use ck8s_proto::runs::v1::{
    FlowEvent, GetRunRequest, GetRunResponse, Run, RunState, WatchRunsRequest, WatchRunsResponse,
};
use tonic::{Code, Status};

use super::show::{describe, has_ended, reason, state};
use crate::{
    connection::Connection,
    error::{CliError, ExitStatus},
    output::{self, Format},
    reconnect::Reconnect,
    table::{elapsed, timestamp},
    text::one_line,
};

/// Shows the changes of a run until it ends.
pub(crate) async fn one(connection: &Connection, run: &str) -> Result<ExitStatus, CliError> {
    let ended = until_end(connection, run, |change| {
        connection.format.print_next(change, || line(change, false))
    })
    .await?;
    if connection.format == Format::Table {
        output::print(&end_line(&ended))?;
    }
    Ok(exit_status(&ended))
}

/// Shows a run that has just been started until it ends; as JSON or YAML, prints only the ended run, as one object.
pub(crate) async fn started(connection: &Connection, run: &str) -> Result<ExitStatus, CliError> {
    if connection.format == Format::Table {
        output::print(&format!("run {run}"))?;
        return one(connection, run).await;
    }
    let ended = until_end(connection, run, |_| Ok(())).await?;
    connection.format.print_one(&ended, || describe(&ended))?;
    Ok(exit_status(&ended))
}

/// Shows the changes of all runs, or of those of a project, until the command is interrupted.
pub(crate) async fn all(
    connection: &Connection,
    project: Option<&str>,
) -> Result<ExitStatus, CliError> {
    let project_id = connection.client.project_id(project).await?;
    let mut request = WatchRunsRequest {
        project_id,
        ..Default::default()
    };
    let mut reconnect = Reconnect::new();
    loop {
        let show = |change: &WatchRunsResponse| {
            if change.event.is_some() {
                connection
                    .format
                    .print_next(change, || line(change, true))?;
            }
            Ok(false)
        };
        let status = match stream(connection, &mut request, &mut reconnect, show).await? {
            StreamEnd::Enough => return Ok(ExitStatus::Success),
            StreamEnd::Broken(status) => status,
        };
        if status.code() == Code::OutOfRange {
            output::note("some changes were missed while the connection was broken");
            request.cursor.clear();
            continue;
        }
        let waited = reconnect.wait(status).await;
        waited.map_err(|status| CliError::status("cannot watch runs", &status))?;
    }
}

/// Follows a run until it ends, and calls `on_change` for each change.
pub(crate) async fn until_end(
    connection: &Connection,
    run: &str,
    mut on_change: impl FnMut(&WatchRunsResponse) -> Result<(), CliError>,
) -> Result<Run, CliError> {
    let mut reconnect = Reconnect::new();
    let mut request = WatchRunsRequest {
        run_id: run.to_owned(),
        ..Default::default()
    };
    let mut last = None;
    loop {
        let status = match snapshot(connection, run, &mut request, &mut last).await {
            Ok(None) => {
                let follow = |change: &WatchRunsResponse| {
                    if let Some(run) = &change.run {
                        last = Some(run.clone());
                    }
                    if change.event.is_some() {
                        on_change(change)?;
                    }
                    Ok(last.as_ref().is_some_and(has_ended))
                };
                match stream(connection, &mut request, &mut reconnect, follow).await? {
                    StreamEnd::Enough => return Ok(last.unwrap_or_default()),
                    StreamEnd::Broken(status) => status,
                }
            }
            Ok(Some(snapshot)) => {
                on_change(&snapshot)?;
                match snapshot.run {
                    Some(run) if has_ended(&run) => return Ok(run),
                    _ => continue,
                }
            }
            Err(status) => status,
        };
        if status.code() == Code::OutOfRange {
            request.cursor.clear();
            continue;
        }
        let waited = reconnect.wait(status).await;
        waited.map_err(|status| CliError::status(format!("cannot watch run {run}"), &status))?;
    }
}

/// Returns the run as it is now if the request has no cursor yet, and sets the cursor from which the stream goes on.
async fn snapshot(
    connection: &Connection,
    run: &str,
    request: &mut WatchRunsRequest,
    last: &mut Option<Run>,
) -> Result<Option<WatchRunsResponse>, Status> {
    if !request.cursor.is_empty() {
        return Ok(None);
    }
    let ask = connection.client.request(GetRunRequest {
        run_id: run.to_owned(),
    });
    let GetRunResponse { run, cursor } = connection.client.runs().get_run(ask).await?.into_inner();
    request.cursor.clone_from(&cursor);
    last.clone_from(&run);
    Ok(Some(WatchRunsResponse {
        event: None,
        run,
        cursor,
    }))
}

/// Why a stream ended.
enum StreamEnd {
    /// The caller has seen enough.
    Enough,
    /// The connection, the server or the cursor failed.
    Broken(Status),
}

/// Reads one stream from the request's cursor on, and moves the cursor along. `is_enough` ends it.
async fn stream(
    connection: &Connection,
    request: &mut WatchRunsRequest,
    reconnect: &mut Reconnect,
    mut is_enough: impl FnMut(&WatchRunsResponse) -> Result<bool, CliError>,
) -> Result<StreamEnd, CliError> {
    let ask = connection.client.stream_request(request.clone());
    let mut changes = match connection.client.runs().watch_runs(ask).await {
        Ok(changes) => changes.into_inner(),
        Err(status) => return Ok(StreamEnd::Broken(status)),
    };
    loop {
        match changes.message().await {
            Ok(Some(change)) => {
                reconnect.message_received();
                if !change.cursor.is_empty() {
                    request.cursor.clone_from(&change.cursor);
                }
                if is_enough(&change)? {
                    return Ok(StreamEnd::Enough);
                }
            }
            Ok(None) => {
                return Ok(StreamEnd::Broken(Status::unavailable(
                    "the server ended the stream",
                )));
            }
            Err(status) => return Ok(StreamEnd::Broken(status)),
        }
    }
}

/// Returns the exit status for a run that has ended: 0 if it succeeded, else 1.
pub(crate) fn exit_status(run: &Run) -> ExitStatus {
    if run.state() == RunState::Succeeded {
        ExitStatus::Success
    } else {
        ExitStatus::Failed
    }
}

/// Formats a change as one line: time, state, event, message.
fn line(change: &WatchRunsResponse, with_run: bool) -> String {
    let run = change.run.clone().unwrap_or_default();
    // The first line has no event: it shows the run's state when the watch begins.
    let FlowEvent {
        kind,
        message,
        time,
        run_id,
        ..
    } = change.event.clone().unwrap_or_else(|| FlowEvent {
        kind: "now".to_owned(),
        message: run.message.clone(),
        time: run.finish_time.or(run.start_time).or(run.create_time),
        ..Default::default()
    });
    let id = if with_run {
        format!("{run_id:36}  ")
    } else {
        String::new()
    };
    let text = format!(
        "{id}{}  {:9}  {kind:14}  {}",
        timestamp(time.as_ref()),
        state(&run),
        one_line(&message)
    );
    text.trim_end().to_owned()
}

/// Formats the end of a run as one line.
fn end_line(run: &Run) -> String {
    let after = match elapsed(run.start_time.as_ref(), run.finish_time.as_ref()) {
        time if time.is_empty() => time,
        time => format!(" after {time}"),
    };
    format!("run {} {}{after}: {}", run.id, state(run), reason(run))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_run_that_succeeded_is_a_success() {
        for (state, expected) in [
            (RunState::Succeeded, ExitStatus::Success),
            (RunState::Failed, ExitStatus::Failed),
            (RunState::Canceled, ExitStatus::Failed),
        ] {
            let run = Run {
                state: state.into(),
                ..Default::default()
            };
            assert!(has_ended(&run));
            assert_eq!(exit_status(&run), expected);
        }
        assert!(!has_ended(&Run {
            state: RunState::Running.into(),
            ..Default::default()
        }));
    }

    #[test]
    fn a_change_is_one_line_without_control_characters() {
        let change = WatchRunsResponse {
            event: Some(FlowEvent {
                kind: "run.running".into(),
                message: "pod\nstarted\u{1b}".into(),
                time: Some(prost_types::Timestamp {
                    seconds: 0,
                    nanos: 0,
                }),
                ..Default::default()
            }),
            run: Some(Run {
                state: RunState::Running.into(),
                ..Default::default()
            }),
            cursor: String::new(),
        };
        assert_eq!(
            line(&change, false),
            "1970-01-01 00:00:00Z  running    run.running     pod started"
        );
    }
}
