//! The listener: connections in, and out again in good order at the end.
use std::{convert::Infallible, future::Future, net::IpAddr, sync::Arc, time::Duration};

use ck8s_rpc::{
    guard::GuardLayer,
    mesh::{Channel, Services},
    rate::Rate,
};
use http::{HeaderValue, Version, header::CONNECTION};
use hyper::service::service_fn;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto::Builder,
};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::Layer;

use crate::{
    EdgeConfig, EdgeError,
    auth::SignIn,
    batch::Batches,
    limit::Limited,
    router::{Parts, Router},
    webhook::Webhooks,
};

/// How long what is under way may take at the end.
const DRAIN: Duration = Duration::from_secs(10);
/// How long the head of a request may take, and how long an idle connection is kept.
const HEAD: Duration = Duration::from_secs(60);
/// How often a silent HTTP/2 connection is asked whether it lives, and for how long.
const KEEP_ALIVE: Duration = Duration::from_secs(20);
/// Headers of a request in all.
const LARGEST_HEAD: u32 = 64 * 1024;
/// Streams of one connection: a worker has a few, a proxy many.
const MOST_STREAMS: u32 = 1_024;
/// HTTP/2 windows: large enough for a body not to wait for them, small enough for ten thousand workers.
const STREAM_WINDOW: u32 = 1024 * 1024;
/// And of a connection.
const CONNECTION_WINDOW: u32 = 2 * 1024 * 1024;
/// After an accept that failed (no more file descriptors): others may end meanwhile.
const PAUSE: Duration = Duration::from_millis(50);

/// Serves the public listener until `shutdown`; then lets what is under way end, for ten seconds.
///
/// `grpc` are all services, of this process and of others, without a guard: the guard is put in front of them here. `mesh` leads to the services ingress and auth, as role `edge`.
/// `missing` says what the process needs and does not have: it can serve if that is nothing.
///
/// # Errors
/// [`EdgeError::Listener`] when the listener is of no use.
pub async fn serve<F, R>(
    listener: TcpListener,
    config: EdgeConfig,
    grpc: Services,
    guard: GuardLayer,
    mesh: Channel,
    missing: F,
    shutdown: CancellationToken,
) -> Result<(), EdgeError>
where
    F: Fn() -> R + Send + Sync + 'static,
    R: Future<Output = Vec<&'static str>> + Send + 'static,
{
    let address = listener.local_addr()?;
    let leaving = config.leaving;
    let policy = guard.policy();
    let rate = Arc::new(Rate::per_minute(config.sign_in_rate));
    let router = Router::new(Parts {
        webhooks: Webhooks::new(Batches::start(mesh.clone()), config.webhook_rate),
        sign_in: SignIn::new(mesh, config.public_url, rate.clone()),
        grpc: Limited::new(guard.handing_on().layer(grpc), policy, rate),
        missing: Arc::new(move || Box::pin(missing())),
        trusted_proxies: config.trusted_proxies,
        version: config.version,
    });

    let connections = TaskTracker::new();
    let cut = CancellationToken::new();
    tracing::info!(%address, "the public listener answers");
    loop {
        let accepted = tokio::select! {
            () = shutdown.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, from)) => {
                let stops = (leaving.clone(), shutdown.clone());
                let serving = connection(stream, from.ip(), router.clone(), stops);
                let cut = cut.clone();
                connections.spawn(async move { cut.run_until_cancelled(serving).await });
            }
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
    drop(listener);
    connections.close();
    if tokio::time::timeout(DRAIN, connections.wait())
        .await
        .is_err()
    {
        tracing::warn!(
            open = connections.len(),
            "connections were still open at the end"
        );
        cut.cancel();
        connections.wait().await;
    }
    Ok(())
}

async fn connection(
    stream: TcpStream,
    from: IpAddr,
    router: Router,
    (leaving, shutdown): (CancellationToken, CancellationToken),
) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY");
    }
    let service = service_fn(move |request| {
        let (router, leaving) = (router.clone(), leaving.clone());
        async move {
            let keeps = request.version() < Version::HTTP_2;
            let mut response = router.route(request, from).await;
            if keeps && leaving.is_cancelled() {
                // Who sends the next request on a connection that is closed at that moment cannot know what became of it.
                let headers = response.headers_mut();
                headers.insert(CONNECTION, HeaderValue::from_static("close"));
            }
            Ok::<_, Infallible>(response)
        }
    });
    let builder = builder();
    let mut serving = std::pin::pin!(builder.serve_connection(TokioIo::new(stream), service));
    let ended = tokio::select! {
        ended = serving.as_mut() => ended,
        () = shutdown.cancelled() => {
            serving.as_mut().graceful_shutdown();
            serving.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended badly");
    }
}

fn builder() -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(KEEP_ALIVE)
        .keep_alive_timeout(KEEP_ALIVE)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_concurrent_streams(MOST_STREAMS)
        .max_header_list_size(LARGEST_HEAD);
    builder
}
