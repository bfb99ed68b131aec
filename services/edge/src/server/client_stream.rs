//! The bytes of a connection: what a client sends without a request is counted, one that floods with control frames is
//! slowed down, and one that takes nothing is not waited for.
use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::{Instant, Sleep},
};

use super::{activity::Activity, frame_meter::FrameMeter};

/// Bounds how long a client may take nothing of what is sent to it.
const STALL_TIMEOUT: Duration = Duration::from_secs(30);

/// A client's end of a connection.
pub(super) struct ClientStream {
    stream: TcpStream,
    activity: Arc<Activity>,
    meter: FrameMeter,
    /// When reading goes on, while it sends control frames too fast.
    paused: Option<Pin<Box<Sleep>>>,
    /// When it is no longer waited for, while it takes nothing.
    stalled: Option<Pin<Box<Sleep>>>,
}

impl ClientStream {
    pub(super) fn new(stream: TcpStream, activity: Arc<Activity>) -> Self {
        Self {
            stream,
            activity,
            meter: FrameMeter::new(Instant::now()),
            paused: None,
            stalled: None,
        }
    }

    /// Waits while the client sends control frames too fast.
    fn keep_pace(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.meter.earn(self.activity.take_earned_frames());
        while let Some(pause) = self.meter.pause(Instant::now()) {
            let timer = self
                .paused
                .get_or_insert_with(|| Box::pin(tokio::time::sleep(pause)));
            std::task::ready!(timer.as_mut().poll(cx));
            self.paused = None;
        }
        Poll::Ready(())
    }

    /// Passes on what became of a write, unless nothing could be written for too long.
    fn progress<T>(
        &mut self,
        cx: &mut Context<'_>,
        written: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.stalled = None;
            return written;
        }
        let timer = self.stalled.get_or_insert_with(|| {
            Box::pin(tokio::time::sleep_until(Instant::now() + STALL_TIMEOUT))
        });
        match timer.as_mut().poll(cx) {
            Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl AsyncRead for ClientStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        std::task::ready!(self.keep_pace(cx));
        let before = buf.filled().len();
        std::task::ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        let bytes = buf.filled().get(before..).unwrap_or_default();
        self.meter.read(bytes);
        let read = self.activity.read(bytes.len());
        Poll::Ready(read.map_err(|_| io::Error::other("too much came without a request")))
    }
}

impl AsyncWrite for ClientStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.progress(cx, written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.progress(cx, written)
    }
}
