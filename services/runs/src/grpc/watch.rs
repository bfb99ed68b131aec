//! WatchRuns: what happens, from a cursor on.
use std::{sync::Arc, time::Duration};

use ck8s_proto::runs::v1 as pb;
use ck8s_rpc::{
    access::{self, Scope},
    convert::optional_id,
    page, status,
};
use ck8s_types::RunId;
use tokio::sync::{broadcast, mpsc};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Status};

use super::Streaming;
use crate::{
    RunsError,
    convert::cursor,
    engine::{Engine, Told},
    store::events::{self, Cursor},
};

/// What may wait for a slow watcher; beyond it the watcher falls back to reading from the database.
const BUFFER: usize = 256;
/// Events of one reading.
const PAGE: i64 = 500;
/// How often a stream says that it lives while nothing happens.
const SIGN_OF_LIFE: Duration = Duration::from_secs(15);

struct Watcher {
    /// What the caller may see, for as long as that stays so: the guard ends the stream when it changes.
    scope: Scope,
    run: Option<RunId>,
    at: Cursor,
    out: mpsc::Sender<Result<pb::WatchRunsResponse, Status>>,
}

/// The stream has ended: its reader is gone, or was told why.
struct Gone;

pub async fn watch_runs(
    engine: &Arc<Engine>,
    request: &Request<pb::WatchRunsRequest>,
) -> Result<Streaming<pb::WatchRunsResponse>, Status> {
    let (asked, access) = (request.get_ref(), access::of(request));
    let from = cursor(&asked.cursor)?;
    let scope = access.listed(optional_id("project_id", &asked.project_id)?)?;
    let (receiver, heard_from) = engine.listen().await?;
    let (out, stream) = mpsc::channel(BUFFER);
    let watcher = Watcher {
        scope,
        run: optional_id("run_id", &asked.run_id)?,
        at: from.unwrap_or(heard_from),
        out,
    };
    if let Some(from) = from {
        let mut conn = engine.pool.acquire().await.map_err(RunsError::from)?;
        if !events::is_kept(&mut conn, from)
            .await
            .map_err(RunsError::from)?
        {
            let message = "events after this cursor are no longer kept: list again";
            return Err(status::error(
                tonic::Code::OutOfRange,
                "CURSOR_TOO_OLD",
                message,
                &[],
            ));
        }
    }
    tokio::spawn(follow(engine.clone(), watcher, receiver, heard_from));
    Ok(Box::pin(ReceiverStream::new(stream)))
}

async fn follow(
    engine: Arc<Engine>,
    mut watcher: Watcher,
    mut receiver: broadcast::Receiver<Arc<Told>>,
    heard_from: Cursor,
) {
    // The stream begins at once, also where nothing happens.
    if watcher.tell(None).await.is_err() || watcher.catch_up(&engine, heard_from).await.is_err() {
        return;
    }
    loop {
        let told = tokio::select! {
            told = receiver.recv() => told,
            () = watcher.out.closed() => return,
            () = tokio::time::sleep(SIGN_OF_LIFE) => {
                if watcher.tell(None).await.is_err() {
                    return;
                }
                continue;
            }
            () = engine.shutdown.cancelled() => {
                let _ = watcher.out.send(Err(status::stopping())).await;
                return;
            }
        };
        let done = match told {
            Ok(told) if told.cursor > watcher.at => watcher.pass(&told).await,
            Ok(_) => Ok(()),
            Err(broadcast::error::RecvError::Lagged(_)) => {
                receiver = receiver.resubscribe();
                match engine.listen().await {
                    Ok((_, position)) => watcher.catch_up(&engine, position).await,
                    Err(error) => watcher.fail(error).await,
                }
            }
            Err(broadcast::error::RecvError::Closed) => return,
        };
        if done.is_err() {
            return;
        }
    }
}

impl Watcher {
    /// Reads what was written up to a place.
    async fn catch_up(&mut self, engine: &Engine, to: Cursor) -> Result<(), Gone> {
        while self.at < to {
            let page = async {
                let found =
                    events::between(&mut *engine.pool.acquire().await?, self.at, to, PAGE).await?;
                engine.told(found).await
            };
            let page = match page.await {
                Ok(page) => page,
                Err(error) => return self.fail(error).await,
            };
            let full = page.len() as i64 == PAGE;
            for told in &page {
                self.pass(told).await?;
            }
            if !full {
                self.at = to;
            }
        }
        Ok(())
    }

    async fn pass(&mut self, told: &Told) -> Result<(), Gone> {
        self.at = told.cursor;
        let of_run = self.run.is_none() || self.run == told.run_id;
        if of_run && self.scope.holds(told.project) {
            self.tell(Some(told)).await
        } else {
            Ok(())
        }
    }

    async fn tell(&self, told: Option<&Told>) -> Result<(), Gone> {
        let response = pb::WatchRunsResponse {
            event: told.map(|t| t.event.clone()),
            run: told.and_then(|t| t.run.clone()),
            cursor: page::encode(&self.at),
        };
        self.out.send(Ok(response)).await.map_err(|_| Gone)
    }

    async fn fail(&self, error: RunsError) -> Result<(), Gone> {
        let _ = self.out.send(Err(error.into())).await;
        Err(Gone)
    }
}
