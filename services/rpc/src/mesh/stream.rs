//! The server's end of a connection of the mesh: it knows its peer, and ends with the peer's certificate.
use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, SystemTime},
};

use ck8s_pki::Peer;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::Sleep,
};
use tonic::transport::server::Connected;

use super::MeshPeer;

/// Bounds the timer of a certificate that lives longer than the clock can count.
const MAX_LIFETIME: Duration = Duration::from_secs(365 * 24 * 3600);

/// A connection, which ends with its peer's certificate.
pub(super) struct MeshStream<T> {
    io: T,
    peer: MeshPeer,
    until: Option<Pin<Box<Sleep>>>,
}

impl<T> MeshStream<T> {
    /// Over memory: nothing ends it.
    pub(super) fn memory(io: T, role: &str) -> Self {
        Self {
            io,
            peer: MeshPeer::role(role),
            until: None,
        }
    }

    /// Over TLS.
    pub(super) fn tls(io: T, peer: Peer) -> Self {
        let left = peer.until.duration_since(SystemTime::now());
        let left = left.unwrap_or_default().min(MAX_LIFETIME);
        Self {
            io,
            peer: MeshPeer(Arc::new(peer.identity)),
            until: Some(Box::pin(tokio::time::sleep(left))),
        }
    }
}

impl<T> Connected for MeshStream<T> {
    type ConnectInfo = MeshPeer;

    fn connect_info(&self) -> MeshPeer {
        self.peer.clone()
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for MeshStream<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if let Some(until) = &mut self.until
            && until.as_mut().poll(cx).is_ready()
        {
            tracing::info!(peer = %self.peer.0, "a connection outlived its certificate");
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        Pin::new(&mut self.io).poll_read(cx, buf)
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for MeshStream<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(cx, bufs)
    }
}
