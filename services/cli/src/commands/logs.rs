//! `ck8s run logs`: the bytes as they were stored, resumed where they broke off.
use ck8s_proto::runs::v1::{GetRunRequest, LogChunk, ReadLogRequest, Run, RunState};
use clap::Args;
use tonic::Status;

use crate::{fault::Fault, follow::Patience, output, session::Session};

/// Whose log, and how much of it.
#[derive(Args, Clone, Debug)]
pub struct Logs {
    /// The run's id.
    pub run: String,
    /// Go on until the run has ended.
    #[arg(long, short)]
    pub follow: bool,
    /// Which attempt; without it, the last one.
    #[arg(long, default_value_t = 0, hide_default_value = true, value_parser = clap::value_parser!(i32).range(0..))]
    pub attempt: i32,
}

/// How far the log was written.
struct Place {
    request: ReadLogRequest,
    cut: bool,
}

pub(crate) async fn run(session: &Session, args: Logs) -> Result<(), Fault> {
    let Logs {
        run,
        follow,
        attempt,
    } = args;
    let request = ReadLogRequest {
        run_id: run.clone(),
        attempt,
        offset: 0,
        follow,
    };
    let mut place = Place {
        request,
        cut: false,
    };
    let mut patience = Patience::new();
    loop {
        let status = match read(session, &mut place, &mut patience).await? {
            Ok(()) if !follow || attempt != 0 => return Ok(()),
            Ok(()) => match next(session, &mut place).await {
                Ok(true) => return Ok(()),
                Ok(false) => Status::unavailable("the server ended the stream"),
                Err(status) => status,
            },
            Err(status) => status,
        };
        let again = patience.again(status).await;
        again.map_err(|status| {
            Fault::status(format!("cannot read the log of run {run}"), &status)
        })?;
    }
}

/// Writes one stream.
async fn read(
    session: &Session,
    place: &mut Place,
    patience: &mut Patience,
) -> Result<Result<(), Status>, Fault> {
    let ask = session.client.ask_stream(place.request.clone());
    let mut stream = match session.client.runs().read_log(ask).await {
        Ok(stream) => stream.into_inner(),
        Err(status) => return Ok(Err(status)),
    };
    loop {
        let answer = match stream.message().await {
            Ok(Some(answer)) => answer,
            Ok(None) => return Ok(Ok(())),
            Err(status) => return Ok(Err(status)),
        };
        patience.heard();
        for chunk in &answer.chunks {
            output::raw(place.advance(chunk))?;
        }
        if answer.truncated && !place.cut {
            place.cut = true;
            output::note("the log was cut at its size limit");
        }
    }
}

/// After the end of a stream: whether the run has ended too. If not, a new attempt may have begun.
async fn next(session: &Session, place: &mut Place) -> Result<bool, Status> {
    let ask = session.client.ask(GetRunRequest {
        run_id: place.request.run_id.clone(),
    });
    let run = session
        .client
        .runs()
        .get_run(ask)
        .await?
        .into_inner()
        .run
        .unwrap_or_default();
    let seen = place.request.attempt;
    if seen != 0 && run.attempt > seen {
        (place.request.attempt, place.request.offset) = (run.attempt, 0);
        return Ok(false);
    }
    Ok(ended(&run))
}

fn ended(run: &Run) -> bool {
    matches!(
        run.state(),
        RunState::Succeeded | RunState::Failed | RunState::Canceled
    )
}

impl Place {
    /// The part of a chunk that was not written before; the place moves behind it.
    fn advance<'a>(&mut self, chunk: &'a LogChunk) -> &'a [u8] {
        let request = &mut self.request;
        if chunk.attempt != request.attempt {
            (request.attempt, request.offset) = (chunk.attempt, chunk.offset);
        }
        let known = usize::try_from(request.offset - chunk.offset).unwrap_or(0);
        let fresh = chunk.data.get(known..).unwrap_or_default();
        let end = chunk.offset + i64::try_from(chunk.data.len()).unwrap_or(0);
        request.offset = request.offset.max(end);
        fresh
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_written_twice() {
        let request = ReadLogRequest {
            run_id: "r".into(),
            ..Default::default()
        };
        let mut place = Place {
            request,
            cut: false,
        };
        let chunk = |attempt, offset, data: &'static str| LogChunk {
            attempt,
            offset,
            data: data.into(),
            ..Default::default()
        };
        assert_eq!(place.advance(&chunk(1, 0, "hello ")), b"hello ");
        assert_eq!(place.advance(&chunk(1, 0, "hello ")), b"");
        assert_eq!(place.advance(&chunk(1, 4, "o world")), b"world");
        assert_eq!(place.request.offset, 11);
        assert_eq!(place.advance(&chunk(2, 0, "again")), b"again");
        assert_eq!((place.request.attempt, place.request.offset), (2, 5));
    }
}
