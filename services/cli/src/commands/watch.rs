//! `ck8s run watch`: what happens, live, resumed where it broke off.
use ck8s_proto::runs::v1::{
    FlowEvent, GetRunRequest, GetRunResponse, Run, RunState, WatchRunsRequest, WatchRunsResponse,
};
use tonic::{Code, Status};

use super::run::{about, reason, state};
use crate::{
    fault::{Exit, Fault, one_line},
    follow::Patience,
    output::{self, Format},
    session::Session,
    table::{moment, took},
};

/// Shows a run until it ends.
pub(crate) async fn one(session: &Session, run: &str) -> Result<Exit, Fault> {
    let ended = until_end(session, run, |change| {
        session.format.next(change, || line(change, false))
    })
    .await?;
    if session.format == Format::Table {
        output::say(&end(&ended))?;
    }
    Ok(exit(&ended))
}

/// Shows a run that was started now until it ends; as JSON or YAML only its end, as one object.
pub(crate) async fn started(session: &Session, run: &str) -> Result<Exit, Fault> {
    if session.format == Format::Table {
        output::say(&format!("run {run}"))?;
        return one(session, run).await;
    }
    let ended = until_end(session, run, |_| Ok(())).await?;
    session.format.one(&ended, || about(&ended))?;
    Ok(exit(&ended))
}

/// Shows all runs, of a project or all, for as long as one likes.
pub(crate) async fn all(session: &Session, project: Option<&str>) -> Result<Exit, Fault> {
    let project_id = session.client.project_id(project).await?;
    let mut request = WatchRunsRequest {
        project_id,
        ..Default::default()
    };
    let mut patience = Patience::new();
    loop {
        let show = |change: &WatchRunsResponse| {
            if change.event.is_some() {
                session.format.next(change, || line(change, true))?;
            }
            Ok(false)
        };
        let status = match stream(session, &mut request, &mut patience, show).await? {
            Stopped::Enough => return Ok(Exit::Done),
            Stopped::Broken(status) => status,
        };
        if status.code() == Code::OutOfRange {
            output::note("some changes were missed while the connection was broken");
            request.cursor.clear();
            continue;
        }
        let again = patience.again(status).await;
        again.map_err(|status| Fault::status("cannot watch runs", &status))?;
    }
}

/// Follows a run to its end and tells each change.
pub(crate) async fn until_end(
    session: &Session,
    run: &str,
    mut tell: impl FnMut(&WatchRunsResponse) -> Result<(), Fault>,
) -> Result<Run, Fault> {
    let mut patience = Patience::new();
    let mut request = WatchRunsRequest {
        run_id: run.to_owned(),
        ..Default::default()
    };
    let mut last = None;
    loop {
        let status = match first(session, run, &mut request, &mut last).await {
            Ok(None) => {
                let follow = |change: &WatchRunsResponse| {
                    if let Some(run) = &change.run {
                        last = Some(run.clone());
                    }
                    if change.event.is_some() {
                        tell(change)?;
                    }
                    Ok(last.as_ref().is_some_and(ended))
                };
                match stream(session, &mut request, &mut patience, follow).await? {
                    Stopped::Enough => return Ok(last.unwrap_or_default()),
                    Stopped::Broken(status) => status,
                }
            }
            Ok(Some(snapshot)) => {
                tell(&snapshot)?;
                match snapshot.run {
                    Some(run) if ended(&run) => return Ok(run),
                    _ => continue,
                }
            }
            Err(status) => status,
        };
        if status.code() == Code::OutOfRange {
            request.cursor.clear();
            continue;
        }
        let again = patience.again(status).await;
        again.map_err(|status| Fault::status(format!("cannot watch run {run}"), &status))?;
    }
}

/// Where there is no cursor yet: the run as it is now, and the cursor from which to go on.
async fn first(
    session: &Session,
    run: &str,
    request: &mut WatchRunsRequest,
    last: &mut Option<Run>,
) -> Result<Option<WatchRunsResponse>, Status> {
    if !request.cursor.is_empty() {
        return Ok(None);
    }
    let ask = session.client.ask(GetRunRequest {
        run_id: run.to_owned(),
    });
    let GetRunResponse { run, cursor } = session.client.runs().get_run(ask).await?.into_inner();
    request.cursor.clone_from(&cursor);
    last.clone_from(&run);
    Ok(Some(WatchRunsResponse {
        event: None,
        run,
        cursor,
    }))
}

/// How a stream stopped.
enum Stopped {
    /// It was told enough.
    Enough,
    /// The connection, the server or the cursor.
    Broken(Status),
}

/// One stream, from the request's cursor on, which moves along. `tell` says whether it is enough.
async fn stream(
    session: &Session,
    request: &mut WatchRunsRequest,
    patience: &mut Patience,
    mut tell: impl FnMut(&WatchRunsResponse) -> Result<bool, Fault>,
) -> Result<Stopped, Fault> {
    let ask = session.client.ask_stream(request.clone());
    let mut changes = match session.client.runs().watch_runs(ask).await {
        Ok(changes) => changes.into_inner(),
        Err(status) => return Ok(Stopped::Broken(status)),
    };
    loop {
        match changes.message().await {
            Ok(Some(change)) => {
                patience.heard();
                if !change.cursor.is_empty() {
                    request.cursor.clone_from(&change.cursor);
                }
                if tell(&change)? {
                    return Ok(Stopped::Enough);
                }
            }
            Ok(None) => {
                return Ok(Stopped::Broken(Status::unavailable(
                    "the server ended the stream",
                )));
            }
            Err(status) => return Ok(Stopped::Broken(status)),
        }
    }
}

fn ended(run: &Run) -> bool {
    matches!(
        run.state(),
        RunState::Succeeded | RunState::Failed | RunState::Canceled
    )
}

/// 0 if it succeeded, else 1.
pub(crate) fn exit(run: &Run) -> Exit {
    if run.state() == RunState::Succeeded {
        Exit::Done
    } else {
        Exit::Failed
    }
}

/// A change in a line: when, where the run stands, what happened.
fn line(change: &WatchRunsResponse, with_run: bool) -> String {
    let run = change.run.clone().unwrap_or_default();
    // The first line has no event: it says where the run stands when the watch begins.
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
        moment(time.as_ref()),
        state(&run),
        one_line(&message)
    );
    text.trim_end().to_owned()
}

/// How it ended, in a line.
fn end(run: &Run) -> String {
    let took = took(run.start_time.as_ref(), run.finish_time.as_ref());
    let took = if took.is_empty() {
        took
    } else {
        format!(" after {took}")
    };
    format!("run {} {}{took}: {}", run.id, state(run), reason(run))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_success_is_one() {
        for (state, exit_status) in [
            (RunState::Succeeded, Exit::Done),
            (RunState::Failed, Exit::Failed),
            (RunState::Canceled, Exit::Failed),
        ] {
            let run = Run {
                state: state.into(),
                ..Default::default()
            };
            assert!(ended(&run));
            assert_eq!(exit(&run), exit_status);
        }
        assert!(!ended(&Run {
            state: RunState::Running.into(),
            ..Default::default()
        }));
    }

    #[test]
    fn a_change_is_one_clean_line() {
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
