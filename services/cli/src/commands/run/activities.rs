//! `ck8s run activities`: what the agent of a run did, and does.
use ck8s_proto::runs::v1::{
    Activity, ActivityKind, ListActivitiesRequest, WatchActivitiesRequest, WatchActivitiesResponse,
};
use clap::Args;

use crate::{
    args::Limit,
    client::collect_pages,
    connection::Connection,
    error::{CliError, ResponseExt as _},
    reconnect::Reconnect,
    table::{TextTable, enum_label, timestamp},
};

/// Whose activities to show.
#[derive(Args, Clone, Debug)]
pub struct Activities {
    /// The run's id.
    pub run: String,
    /// Go on until the run has ended.
    #[arg(long, short)]
    pub follow: bool,
    /// How many.
    #[command(flatten)]
    pub limit: Limit,
}

pub(super) async fn run(connection: &Connection, args: Activities) -> Result<(), CliError> {
    match args.follow {
        true => follow(connection, &args.run).await,
        false => list(connection, &args.run, args.limit).await,
    }
}

async fn list(connection: &Connection, run: &str, limit: Limit) -> Result<(), CliError> {
    let mut service = connection.client.runs();
    let activities = collect_pages(limit.limit, async |page_size, page_token| {
        let request = ListActivitiesRequest {
            run_id: run.to_owned(),
            page_size,
            page_token,
            ..ListActivitiesRequest::default()
        };
        let response = service.list_activities(connection.client.request(request));
        let what = format!("cannot list the activities of run {run}");
        let response = response.await.context(what)?;
        Ok((response.activities, response.next_page_token))
    })
    .await?;
    connection.format.print_many(&activities, || {
        let mut rows = TextTable::new(&["TIME", "KIND", "WHAT", "RESULT"]);
        for activity in &activities {
            rows.row([
                timestamp(activity.time.as_ref()),
                kind(activity),
                activity.title.clone(),
                result(activity),
            ]);
        }
        rows
    })
}

/// Prints a line for each activity as it comes, and opens the stream again where it broke.
async fn follow(connection: &Connection, run: &str) -> Result<(), CliError> {
    let mut request = WatchActivitiesRequest {
        run_id: run.to_owned(),
        ..WatchActivitiesRequest::default()
    };
    let mut reconnect = Reconnect::new();
    loop {
        let ask = connection.client.stream_request(request.clone());
        let opened = connection.client.runs().watch_activities(ask).await;
        let status = match opened.map(tonic::Response::into_inner) {
            Ok(mut stream) => loop {
                match stream.message().await {
                    Ok(Some(update)) => {
                        reconnect.message_received();
                        print(connection, &update, &mut request)?;
                    }
                    Ok(None) => return Ok(()),
                    Err(status) => break status,
                }
            },
            Err(status) => status,
        };
        let waited = reconnect.wait(status).await;
        waited.map_err(|status| {
            CliError::status(format!("cannot watch the activities of run {run}"), &status)
        })?;
    }
}

fn print(
    connection: &Connection,
    update: &WatchActivitiesResponse,
    request: &mut WatchActivitiesRequest,
) -> Result<(), CliError> {
    for activity in &update.activities {
        (request.after_attempt, request.after_sequence) = (activity.attempt, activity.sequence);
        connection.format.print_next(activity, || {
            let parts = [
                timestamp(activity.time.as_ref()),
                kind(activity),
                activity.title.clone(),
                result(activity),
            ];
            parts.join("  ")
        })?;
    }
    Ok(())
}

fn kind(activity: &Activity) -> String {
    enum_label(activity.kind().as_str_name(), "ACTIVITY_KIND")
}

/// Says how a tool ended; empty: there is nothing to say.
fn result(activity: &Activity) -> String {
    match (activity.kind(), activity.exit_code, activity.failed) {
        (_, Some(0), false) => "ok".to_owned(),
        (_, Some(code), _) => format!("exit code {code}"),
        (_, None, true) => "failed".to_owned(),
        (ActivityKind::Tool, None, false) => "ok".to_owned(),
        _ => String::new(),
    }
}
