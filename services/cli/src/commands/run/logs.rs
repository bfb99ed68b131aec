//! `ck8s run logs`: prints the bytes as they were stored (to a terminal, their text), and resumes where a broken
//! stream ended.
use ck8s_proto::runs::v1::{GetRunRequest, LogChunk, ReadLogRequest};
use clap::Args;
use tonic::Status;

use super::show::has_ended;
use crate::{
    connection::Connection,
    error::CliError,
    output::{self, ForeignOutput},
    reconnect::Reconnect,
};

/// Which log to print.
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

/// How far the log has been printed.
struct Position {
    request: ReadLogRequest,
    truncated: bool,
    output: ForeignOutput,
}

pub(crate) async fn run(connection: &Connection, args: Logs) -> Result<(), CliError> {
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
    let mut position = Position {
        request,
        truncated: false,
        output: ForeignOutput::new(),
    };
    let mut reconnect = Reconnect::new();
    loop {
        let status = match print_stream(connection, &mut position, &mut reconnect).await? {
            Ok(()) if !follow || attempt != 0 => return Ok(()),
            Ok(()) => match run_has_ended(connection, &mut position).await {
                Ok(true) => return Ok(()),
                Ok(false) => Status::unavailable("the server ended the stream"),
                Err(status) => status,
            },
            Err(status) => status,
        };
        let waited = reconnect.wait(status).await;
        waited.map_err(|status| {
            CliError::status(format!("cannot read the log of run {run}"), &status)
        })?;
    }
}

/// Prints one stream; the inner result is how the stream ended.
async fn print_stream(
    connection: &Connection,
    position: &mut Position,
    reconnect: &mut Reconnect,
) -> Result<Result<(), Status>, CliError> {
    let ask = connection.client.stream_request(position.request.clone());
    let mut stream = match connection.client.runs().read_log(ask).await {
        Ok(stream) => stream.into_inner(),
        Err(status) => return Ok(Err(status)),
    };
    loop {
        let response = match stream.message().await {
            Ok(Some(response)) => response,
            Ok(None) => return Ok(Ok(())),
            Err(status) => return Ok(Err(status)),
        };
        reconnect.message_received();
        for chunk in &response.chunks {
            let fresh = position.advance(chunk);
            position.output.print(fresh)?;
        }
        if response.truncated && !position.truncated {
            position.truncated = true;
            output::note("the log was cut at its size limit");
        }
    }
}

/// Returns, after the end of a stream, whether the run has ended too. If not, moves on to a new attempt if one has
/// begun.
async fn run_has_ended(connection: &Connection, position: &mut Position) -> Result<bool, Status> {
    let ask = connection.client.request(GetRunRequest {
        run_id: position.request.run_id.clone(),
    });
    let run = connection
        .client
        .runs()
        .get_run(ask)
        .await?
        .into_inner()
        .run
        .unwrap_or_default();
    let seen = position.request.attempt;
    if seen != 0 && run.attempt > seen {
        (position.request.attempt, position.request.offset) = (run.attempt, 0);
        return Ok(false);
    }
    Ok(has_ended(&run))
}

impl Position {
    /// Returns the part of a chunk that has not been printed yet, and moves behind it.
    fn advance<'a>(&mut self, chunk: &'a LogChunk) -> &'a [u8] {
        let request = &mut self.request;
        if chunk.attempt != request.attempt {
            (request.attempt, request.offset) = (chunk.attempt, chunk.offset);
        }
        let printed = usize::try_from(request.offset - chunk.offset).unwrap_or(0);
        let fresh = chunk.data.get(printed..).unwrap_or_default();
        let end = chunk.offset + i64::try_from(chunk.data.len()).unwrap_or(0);
        request.offset = request.offset.max(end);
        fresh
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_byte_is_printed_twice() {
        let request = ReadLogRequest {
            run_id: "r".into(),
            ..Default::default()
        };
        let mut position = Position {
            request,
            truncated: false,
            output: ForeignOutput::new(),
        };
        let chunk = |attempt, offset, data: &'static str| LogChunk {
            attempt,
            offset,
            data: data.into(),
            ..Default::default()
        };
        assert_eq!(position.advance(&chunk(1, 0, "hello ")), b"hello ");
        assert_eq!(position.advance(&chunk(1, 0, "hello ")), b"");
        assert_eq!(position.advance(&chunk(1, 4, "o world")), b"world");
        assert_eq!(position.request.offset, 11);
        assert_eq!(position.advance(&chunk(2, 0, "again")), b"again");
        assert_eq!((position.request.attempt, position.request.offset), (2, 5));
    }
}
