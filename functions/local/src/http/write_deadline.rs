//! A connection that fails when its client reads nothing for too long: hyper bounds reading, not writing.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

/// Without progress in writing for this long, a connection ends.
pub const WRITE_TIME: Duration = Duration::from_secs(30);

/// A connection with a deadline on each wait for its client to read.
pub struct WriteDeadline<S> {
    stream: S,
    /// Runs while the client reads nothing.
    deadline: Option<Pin<Box<Sleep>>>,
}

impl<S> WriteDeadline<S> {
    pub fn new(stream: S) -> Self {
        Self { stream, deadline: None }
    }

    /// Passes on progress; turns a wait beyond the deadline into an error.
    fn bounded<T>(&mut self, context: &mut Context<'_>, progress: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if progress.is_ready() {
            self.deadline = None;
            return progress;
        }
        let deadline = self.deadline.get_or_insert_with(|| Box::pin(sleep(WRITE_TIME)));
        ready!(deadline.as_mut().poll(context));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client does not read")))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for WriteDeadline<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for WriteDeadline<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let progress = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.bounded(context, progress)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let progress = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.bounded(context, progress)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let progress = Pin::new(&mut self.stream).poll_flush(context);
        self.bounded(context, progress)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let progress = Pin::new(&mut self.stream).poll_shutdown(context);
        self.bounded(context, progress)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::time::Instant;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_client_that_does_not_read_loses_its_connection() {
        let (_silent, server) = tokio::io::duplex(1 << 10);
        let (mut server, begin) = (WriteDeadline::new(server), Instant::now());
        let writing = tokio::time::timeout(WRITE_TIME * 3, server.write_all(&[7; 1 << 16]));
        let error = writing.await.expect("ends by itself").expect_err("the client does not read");
        assert_eq!((error.kind(), begin.elapsed().as_secs()), (io::ErrorKind::TimedOut, WRITE_TIME.as_secs()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_reader_keeps_its_connection() {
        let (mut slow, server) = tokio::io::duplex(1 << 10);
        let mut server = WriteDeadline::new(server);
        let reading = async {
            let mut buffer = [0; 1 << 10];
            for _ in 0..16 {
                tokio::time::sleep(WRITE_TIME - Duration::from_secs(1)).await;
                slow.read_exact(&mut buffer).await?;
            }
            Ok::<(), io::Error>(())
        };
        let (written, read) = tokio::join!(server.write_all(&[7; 1 << 14]), reading);
        written.expect("is written");
        read.expect("is read");
    }
}
