//! Moving bytes: the hot path.
//!
//! One task a session, both directions in it. What is read goes from a buffer of the thread straight into the other
//! side; only what the other side does not take at once is kept, so an idle session holds no buffer. Of the bytes
//! nothing is read but message headers (see [`Framing`]), so that a session can be ended between two messages.

use std::{
    cell::RefCell,
    io,
    pin::Pin,
    sync::atomic::Ordering,
    task::{Context, Poll},
    time::Duration,
};

use bytes::{Buf, Bytes};
use cs_wire_postgres::{Framing, TERMINATE};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};

use crate::{
    sessions::{Control, Why},
    streams::{Client, Server},
};

/// Two TLS records.
const BUFFER_BYTES: usize = 32 * 1024;
/// A message under way gets this long to come to its end before the session is cut.
const BOUNDARY_WITHIN: Duration = Duration::from_millis(300);
/// Saying goodbye to a server takes no longer.
const LEAVE_WITHIN: Duration = Duration::from_millis(300);

thread_local! {
    /// Filled and emptied within one poll.
    static BUFFER: RefCell<Box<[u8]>> = RefCell::new(vec![0; BUFFER_BYTES].into_boxed_slice());
}

/// How a session came to its end.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum End {
    Closed,
    Asked(Why),
}

/// Both directions of a session.
pub(crate) struct Ways {
    up: Way,
    down: Way,
    /// The client has said something that the server has not answered with readiness.
    asked: bool,
}

/// One direction.
#[derive(Default)]
struct Way {
    /// What the other side has not taken yet.
    kept: Bytes,
    unflushed: bool,
    ended: bool,
    closed: bool,
    framing: Framing,
}

impl Ways {
    /// `backlog` is what the server said before the session was open.
    pub fn new(backlog: Bytes) -> Self {
        let mut down = Way::default();
        // The session begins with the server's ReadyForQuery, which has been passed on.
        down.framing.follow(b"Z\0\0\0\x05I");
        down.framing.follow(&backlog);
        down.kept = backlog;
        Self { up: Way::default(), down, asked: false }
    }

    /// Moves bytes until one side is done, or the session is to end.
    pub async fn run(
        &mut self,
        client: &mut Client,
        server: &mut Server,
        control: &Control,
    ) -> io::Result<End> {
        std::future::poll_fn(|cx| self.poll(cx, client, server, control)).await
    }

    fn poll(
        &mut self,
        cx: &mut Context<'_>,
        client: &mut Client,
        server: &mut Server,
        control: &Control,
    ) -> Poll<io::Result<End>> {
        control.listen(cx.waker());
        if let Some((why, gently)) = control.asked() {
            if !gently || (!self.asked && self.down.framing.is_idle()) {
                return Poll::Ready(Ok(End::Asked(why)));
            }
        }
        let moved = BUFFER.with_borrow_mut(|buffer| -> io::Result<bool> {
            let up = self.up.poll(cx, client, server, buffer)?;
            self.asked |= up;
            let down = self.down.poll(cx, server, client, buffer)?;
            if down && self.down.framing.is_ready() {
                self.asked = false;
            }
            Ok(up || down)
        })?;
        if moved {
            control.moved.fetch_add(1, Ordering::Relaxed);
            if control.asked().is_some() {
                // Whatever moved may have made it idle.
                cx.waker().wake_by_ref();
            }
        }
        // A client that ended is let finish what it asked; a server that ended has nothing more to say.
        if self.down.closed { Poll::Ready(Ok(End::Closed)) } else { Poll::Pending }
    }

    /// Whether the server waits for the client: nothing is being worked on.
    pub fn is_server_ready(&self) -> bool {
        !self.asked && self.down.framing.is_ready()
    }

    /// Lets a message to the client that is under way come to its end. Whether it did, in time.
    pub async fn run_to_boundary(&mut self, client: &mut Client, server: &mut Server) -> bool {
        let rest = std::future::poll_fn(|cx| {
            BUFFER.with_borrow_mut(|buffer| {
                while !self.down.is_between_messages() && !self.down.ended {
                    // Byte by byte of the header, then no more than the body: never beyond the message's end.
                    match self.down.poll_exactly(cx, server, client, buffer) {
                        Poll::Ready(Ok(())) => {}
                        Poll::Ready(Err(_)) => return Poll::Ready(false),
                        Poll::Pending => return Poll::Pending,
                    }
                }
                Poll::Ready(self.down.is_between_messages())
            })
        });
        tokio::time::timeout(BOUNDARY_WITHIN, rest).await.unwrap_or(false)
    }

    /// Says goodbye to the server where that can be said between two messages.
    pub async fn take_leave(&mut self, server: &mut Server) {
        let can = self.up.is_between_messages();
        let leave = async {
            if can {
                server.write_all(&TERMINATE).await?;
            }
            server.shutdown().await
        };
        let _ = tokio::time::timeout(LEAVE_WITHIN, leave).await;
    }
}

impl Way {
    fn is_between_messages(&self) -> bool {
        self.kept.is_empty() && self.framing.at_boundary()
    }

    /// Moves what can be moved now; says whether anything was. Registers for what must be waited for.
    fn poll<R, W>(
        &mut self,
        cx: &mut Context<'_>,
        from: &mut R,
        to: &mut W,
        buffer: &mut [u8],
    ) -> io::Result<bool>
    where
        R: AsyncRead + Unpin,
        W: AsyncWrite + Unpin,
    {
        let mut moved = false;
        while !self.closed {
            if !self.kept.is_empty() {
                match Pin::new(&mut *to).poll_write(cx, &self.kept)? {
                    Poll::Ready(0) => return Err(io::ErrorKind::WriteZero.into()),
                    Poll::Ready(n) => self.kept.advance(n),
                    Poll::Pending => return Ok(moved),
                }
                continue;
            }
            if self.ended {
                match Pin::new(&mut *to).poll_shutdown(cx) {
                    Poll::Ready(_) => self.closed = true,
                    Poll::Pending => return Ok(moved),
                }
                continue;
            }
            match read(cx, from, buffer)? {
                Poll::Ready(0) => self.ended = true,
                Poll::Ready(n) => {
                    moved = true;
                    self.pass(cx, &buffer[..n], to)?;
                }
                Poll::Pending => {
                    self.flush(cx, to)?;
                    return Ok(moved);
                }
            }
        }
        Ok(moved)
    }

    fn pass<W: AsyncWrite + Unpin>(
        &mut self,
        cx: &mut Context<'_>,
        chunk: &[u8],
        to: &mut W,
    ) -> io::Result<()> {
        self.framing.follow(chunk);
        self.unflushed = true;
        let mut rest = chunk;
        while !rest.is_empty() {
            match Pin::new(&mut *to).poll_write(cx, rest)? {
                Poll::Ready(0) => return Err(io::ErrorKind::WriteZero.into()),
                Poll::Ready(n) => rest = &rest[n..],
                Poll::Pending => {
                    self.kept = Bytes::copy_from_slice(rest);
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    fn flush<W: AsyncWrite + Unpin>(&mut self, cx: &mut Context<'_>, to: &mut W) -> io::Result<()> {
        if self.unflushed && Pin::new(to).poll_flush(cx)?.is_ready() {
            self.unflushed = false;
        }
        Ok(())
    }

    /// Moves bytes up to the end of the message under way.
    fn poll_exactly<R, W>(
        &mut self,
        cx: &mut Context<'_>,
        from: &mut R,
        to: &mut W,
        buffer: &mut [u8],
    ) -> Poll<io::Result<()>>
    where
        R: AsyncRead + Unpin,
        W: AsyncWrite + Unpin,
    {
        if !self.kept.is_empty() {
            return match Pin::new(to).poll_write(cx, &self.kept)? {
                Poll::Ready(0) => Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(n) => {
                    self.kept.advance(n);
                    Poll::Ready(Ok(()))
                }
                Poll::Pending => Poll::Pending,
            };
        }
        let most = self.framing.to_boundary().clamp(1, buffer.len());
        match read(cx, from, &mut buffer[..most])? {
            Poll::Ready(0) => {
                self.ended = true;
                Poll::Ready(Ok(()))
            }
            Poll::Ready(n) => Poll::Ready(self.pass(cx, &buffer[..n], to)),
            Poll::Pending => Poll::Pending,
        }
    }
}

/// Reads into the buffer. A peer that closes without TLS's goodbye has ended like any other.
fn read<R: AsyncRead + Unpin>(
    cx: &mut Context<'_>,
    from: &mut R,
    buffer: &mut [u8],
) -> io::Result<Poll<usize>> {
    let mut buffer = ReadBuf::new(buffer);
    match Pin::new(from).poll_read(cx, &mut buffer) {
        Poll::Ready(Ok(())) => Ok(Poll::Ready(buffer.filled().len())),
        Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(Poll::Ready(0)),
        Poll::Ready(Err(error)) => Err(error),
        Poll::Pending => Ok(Poll::Pending),
    }
}
