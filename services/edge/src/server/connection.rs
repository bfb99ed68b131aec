//! One connection of the public listener: HTTP/1.1, or HTTP/2 with prior knowledge.
use std::{convert::Infallible, net::IpAddr, time::Duration};

use http::{HeaderValue, Version, header::CONNECTION};
use hyper::service::service_fn;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto::Builder,
};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

use super::{
    activity::Activity, client_stream::ClientStream, connections::Place, counted_body::counted,
};
use crate::router::Router;

/// Bounds how long the head of a request may take, and how long an idle connection is kept.
const IDLE_TIMEOUT: Duration = Duration::from_secs(60);
/// Bounds how long an idle connection takes to end in order.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);
/// How often a silent HTTP/2 connection is pinged, and how long its answer may take.
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(20);
/// Bounds what is read of a head: more than [`MAX_HEAD_BYTES`](crate::request_head::MAX_HEAD_BYTES), so that whoever
/// sends a little too much reads why.
const MAX_READ_HEAD_BYTES: u32 = 64 * 1024;
/// Bounds the streams of one connection: a worker has a few, a proxy many.
const MAX_STREAMS: u32 = 1_024;
/// The HTTP/2 window of a stream: large enough for a body not to wait for it, small enough for ten thousand workers.
const STREAM_WINDOW_BYTES: u32 = 1024 * 1024;
/// The HTTP/2 window of a connection.
const CONNECTION_WINDOW_BYTES: u32 = 2 * 1024 * 1024;

/// The signals that end connections; a clone is the same.
#[derive(Clone)]
pub(super) struct Signals {
    /// The shutdown comes soon: clients are asked to open another connection next time.
    pub(super) draining: CancellationToken,
    /// The shutdown: what is under way ends, and nothing new begins.
    pub(super) shutdown: CancellationToken,
}

/// A connection that was accepted.
pub(super) struct Connection {
    pub(super) stream: TcpStream,
    pub(super) peer: IpAddr,
    pub(super) place: Place,
    pub(super) router: Router,
    pub(super) signals: Signals,
}

impl Connection {
    /// Serves the connection until it ends.
    pub(super) async fn serve(self) {
        let Self {
            stream,
            peer,
            place,
            router,
            signals: Signals { draining, shutdown },
        } = self;
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "TCP_NODELAY cannot be set");
        }
        let activity = place.activity.clone();
        let counting = activity.clone();
        let service = service_fn(move |request| {
            let mut under_way = counting.begin();
            let (router, draining) = (router.clone(), draining.clone());
            async move {
                let is_kept_alive = request.version() < Version::HTTP_2;
                let mut response = router.route(request, peer).await;
                if is_kept_alive && draining.is_cancelled() {
                    // A client that sends its next request while the connection is being closed cannot know what became
                    // of it.
                    let headers = response.headers_mut();
                    headers.insert(CONNECTION, HeaderValue::from_static("close"));
                }
                under_way.answered();
                Ok::<_, Infallible>(counted(response, under_way))
            }
        });
        let builder = builder();
        let stream = TokioIo::new(ClientStream::new(stream, activity.clone()));
        let mut serving = std::pin::pin!(builder.serve_connection(stream, service));
        let ended = tokio::select! {
            ended = serving.as_mut() => ended,
            () = shutdown.cancelled() => {
                serving.as_mut().graceful_shutdown();
                serving.await
            }
            () = activity.end.cancelled() => return,
            () = idle_for_too_long(&activity) => {
                serving.as_mut().graceful_shutdown();
                let closed = tokio::time::timeout(CLOSE_TIMEOUT, serving).await;
                closed.unwrap_or(Ok(()))
            }
        };
        if let Err(error) = ended {
            tracing::debug!(%error, "a connection failed");
        }
    }
}

/// Returns when the connection has had no request under way for too long.
async fn idle_for_too_long(activity: &Activity) {
    while let Some(left) = IDLE_TIMEOUT
        .checked_sub(activity.idle().unwrap_or_default())
        .filter(|left| !left.is_zero())
    {
        tokio::time::sleep(left).await;
    }
}

fn builder() -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(IDLE_TIMEOUT)
        .max_buf_size(MAX_READ_HEAD_BYTES as usize);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(KEEP_ALIVE_INTERVAL)
        .keep_alive_timeout(KEEP_ALIVE_INTERVAL)
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .max_concurrent_streams(MAX_STREAMS)
        .max_header_list_size(MAX_READ_HEAD_BYTES);
    builder
}
