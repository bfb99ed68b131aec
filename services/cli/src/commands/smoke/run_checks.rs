//! The checks of the run: it succeeds, its log is stored, its slot is free again.
use std::time::Duration;

use ck8s_proto::runs::v1::{ListSlotsRequest, ReadLogRequest, Run, RunState};
use tokio::time::{Instant, timeout};

use super::{
    fixture::{Fixture, LOG_TEXT, PROJECT},
    webhook_checks::SentWebhook,
};
use crate::{
    client::collect_pages,
    commands::run::watch,
    connection::Connection,
    error::{CliError, ExitStatus, ResponseExt as _},
};

/// Bounds how long a workload takes to be gone after its end.
const RELEASE_TIMEOUT: Duration = Duration::from_secs(60);
/// How often the slots are read.
const POLL_INTERVAL: Duration = Duration::from_millis(100);

/// The delivery makes a run, and the run succeeds.
pub(super) async fn run_succeeds(
    connection: &Connection,
    sent: &SentWebhook,
    fixture: &mut Fixture,
    limit: Duration,
) -> Result<String, CliError> {
    fixture.run = sent.run(connection).await?;
    let id = fixture.run.as_str();
    let Ok(run) = timeout(limit, watch::until_end(connection, id, |_| Ok(()))).await else {
        let why = match why_it_waits(connection, id).await {
            Ok(why) if !why.is_empty() => why,
            _ => "see `ck8s run explain`".to_owned(),
        };
        let why = format!("it has not ended after {} s: {why}", limit.as_secs());
        return Err(error(id, &why));
    };
    let run = run?;
    if run.state() != RunState::Succeeded {
        let why = format!("it did not succeed ({}): {}", reason(&run), run.message);
        return Err(error(id, &why));
    }
    Ok(format!("run {id} succeeded on worker {}", run.worker_id))
}

/// The run's output is stored.
pub(super) async fn log_is_stored(connection: &Connection, id: &str) -> Result<String, CliError> {
    let what = format!("cannot read the log of run {id}");
    let request = ReadLogRequest {
        run_id: id.to_owned(),
        ..Default::default()
    };
    let mut stream = connection
        .client
        .runs()
        .read_log(connection.client.request(request))
        .await
        .context(&what)?;
    let mut text = Vec::new();
    while let Some(response) = stream
        .message()
        .await
        .map_err(|status| CliError::status(&what, &status))?
    {
        text.extend(response.chunks.iter().flat_map(|chunk| chunk.data.iter()));
    }
    if String::from_utf8_lossy(&text).contains(LOG_TEXT) {
        Ok("what it said is in its log".to_owned())
    } else {
        Err(error(id, "its log lacks what it said"))
    }
}

/// The run no longer holds a slot.
pub(super) async fn slot_is_free(connection: &Connection, id: &str) -> Result<String, CliError> {
    let deadline = Instant::now() + RELEASE_TIMEOUT;
    loop {
        let Some(slot) = slot_of(connection, id).await? else {
            return Ok("its slot is free again".to_owned());
        };
        if Instant::now() > deadline {
            return Err(error(id, &format!("it still holds slot {slot}")));
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

async fn slot_of(connection: &Connection, id: &str) -> Result<Option<i32>, CliError> {
    let mut service = connection.client.runs();
    let slots = collect_pages(0, async |page_size, page_token| {
        let request = ListSlotsRequest {
            project: PROJECT.to_owned(),
            page_size,
            page_token,
        };
        let response = service
            .list_slots(connection.client.request(request))
            .await
            .context("cannot list slots")?;
        Ok((response.slots, response.next_page_token))
    })
    .await?;
    let slot = slots.iter().find(|slot| slot.run_id == id);
    Ok(slot.map(|slot| slot.number))
}

/// Returns why the run waits.
async fn why_it_waits(connection: &Connection, id: &str) -> Result<String, CliError> {
    let request = ck8s_proto::runs::v1::ExplainRunRequest {
        run_id: id.to_owned(),
    };
    let response = connection
        .client
        .runs()
        .explain_run(connection.client.request(request))
        .await
        .context("cannot explain the run")?;
    Ok(response.summary)
}

fn reason(run: &Run) -> String {
    let name = run.reason().as_str_name();
    name.trim_start_matches("RUN_REASON_").to_lowercase()
}

fn error(id: &str, why: &str) -> CliError {
    CliError::new(ExitStatus::Failed, format!("run {id}"), why, "")
}
