//! The run of a smoke test: to its end, what it said, and that it holds its slot no more.
use std::time::Duration;

use ck8s_proto::runs::v1::{ListSlotsRequest, ReadLogRequest, Run, RunState};
use tokio::time::{Instant, timeout};

use super::{
    place::{PROJECT, Place, WORDS},
    webhook::Sent,
};
use crate::{
    client::pages,
    commands::watch,
    fault::{Answer as _, Exit, Fault},
    session::Session,
};

/// How long a workload may take to be gone after its end.
const RELEASED: Duration = Duration::from_secs(60);
/// How often to look.
const LOOK: Duration = Duration::from_millis(100);

/// The delivery becomes a run, and the run succeeds.
pub(super) async fn ended(
    session: &Session,
    sent: &Sent,
    place: &mut Place,
    patience: Duration,
) -> Result<String, Fault> {
    place.run = sent.run(session).await?;
    let id = place.run.as_str();
    let Ok(run) = timeout(patience, watch::until_end(session, id, |_| Ok(()))).await else {
        let why = match why_it_waits(session, id).await {
            Ok(why) if !why.is_empty() => why,
            _ => "see `ck8s run explain`".to_owned(),
        };
        let why = format!("it has not ended after {} s: {why}", patience.as_secs());
        return Err(fault(id, &why));
    };
    let run = run?;
    if run.state() != RunState::Succeeded {
        let why = format!("it did not succeed ({}): {}", reason(&run), run.message);
        return Err(fault(id, &why));
    }
    Ok(format!("run {id} succeeded on worker {}", run.worker_id))
}

/// Its output was stored.
pub(super) async fn log(session: &Session, id: &str) -> Result<String, Fault> {
    let what = format!("cannot read the log of run {id}");
    let request = ReadLogRequest {
        run_id: id.to_owned(),
        ..Default::default()
    };
    let mut stream = session
        .client
        .runs()
        .read_log(session.client.ask(request))
        .await
        .or_say(&what)?;
    let mut text = Vec::new();
    while let Some(answer) = stream
        .message()
        .await
        .map_err(|status| Fault::status(&what, &status))?
    {
        text.extend(answer.chunks.iter().flat_map(|chunk| chunk.data.iter()));
    }
    if String::from_utf8_lossy(&text).contains(WORDS) {
        Ok("what it said is in its log".to_owned())
    } else {
        Err(fault(id, "its log lacks what it said"))
    }
}

/// Nobody holds a slot for it any more.
pub(super) async fn slot_is_free(session: &Session, id: &str) -> Result<String, Fault> {
    let until = Instant::now() + RELEASED;
    loop {
        let Some(slot) = held(session, id).await? else {
            return Ok("its slot is free again".to_owned());
        };
        if Instant::now() > until {
            return Err(fault(id, &format!("it still holds slot {slot}")));
        }
        tokio::time::sleep(LOOK).await;
    }
}

async fn held(session: &Session, id: &str) -> Result<Option<i32>, Fault> {
    let mut service = session.client.runs();
    let slots = pages(0, async |page_size, page_token| {
        let request = ListSlotsRequest {
            project: PROJECT.to_owned(),
            page_size,
            page_token,
        };
        let answer = service
            .list_slots(session.client.ask(request))
            .await
            .or_say("cannot list slots")?;
        Ok((answer.slots, answer.next_page_token))
    })
    .await?;
    let slot = slots.iter().find(|slot| slot.run_id == id);
    Ok(slot.map(|slot| slot.number))
}

async fn why_it_waits(session: &Session, id: &str) -> Result<String, Fault> {
    let request = ck8s_proto::runs::v1::ExplainRunRequest {
        run_id: id.to_owned(),
    };
    let answer = session
        .client
        .runs()
        .explain_run(session.client.ask(request))
        .await
        .or_say("cannot explain the run")?;
    Ok(answer.summary)
}

fn reason(run: &Run) -> String {
    let name = run.reason().as_str_name();
    name.trim_start_matches("RUN_REASON_").to_lowercase()
}

fn fault(id: &str, why: &str) -> Fault {
    Fault::new(Exit::Failed, format!("run {id}"), why, "")
}
