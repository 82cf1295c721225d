//! Message framing of HTTP/1.1, checked on the bytes, before hyper smooths it over.
//!
//! hyper takes a bare LF for a line end, lets `Transfer-Encoding` win over `Content-Length`, and
//! folds equal `Content-Length` lines into one (RFC 9112 2.2, 6.1, 6.3). Each is harmless to one
//! parser alone and the raw material of request smuggling between two. [`Checked`] stands
//! between the socket and hyper, looks at the bytes of each head once as they pass, and notes the
//! first fault in the connection's [`Ledger`]; the service then refuses the request that carries
//! it, and the connection ends. Bodies pass unseen. HTTP/2 has lengths of its own and needs none
//! of this.

mod scan;

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

use self::scan::Scan;

/// What is wrong with the framing of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A line of the head ends in LF without CR.
    BareLineFeed,
    /// `Content-Length` beside `Transfer-Encoding`.
    TwoFramings,
    /// More than one `Content-Length`, even with equal values.
    RepeatedLength,
}

/// What the reader and the service of one connection tell each other.
#[derive(Debug, Default)]
pub struct Ledger {
    /// Number of the head that carries the first fault, and the fault: `head << 2 | code`; 0: none.
    fault: AtomicU64,
    /// Heads that reached the service.
    served: AtomicU64,
    /// The last answer refuses a request that the peer may still be sending.
    linger: AtomicBool,
}

impl Ledger {
    /// Called once for every request, in order: the fault that this request carries.
    pub fn next(&self) -> Option<Fault> {
        let number = self.served.fetch_add(1, Ordering::Relaxed) + 1;
        let noted = self.fault.load(Ordering::Acquire);
        if noted >> 2 != number {
            return None;
        }
        match noted & 3 {
            1 => Some(Fault::BareLineFeed),
            2 => Some(Fault::TwoFramings),
            3 => Some(Fault::RepeatedLength),
            _ => None,
        }
    }

    /// Before the connection closes, reads on for a moment, so that the answer is not lost to a
    /// reset provoked by bytes still under way.
    pub fn linger(&self) {
        self.linger.store(true, Ordering::Relaxed);
    }

    fn note(&self, head: u64, fault: Fault) {
        let code = match fault {
            Fault::BareLineFeed => 1,
            Fault::TwoFramings => 2,
            Fault::RepeatedLength => 3,
        };
        self.fault.store(head << 2 | code, Ordering::Release);
    }
}

/// Bytes that are read and thrown away at most while lingering.
const LINGER_BYTES: usize = 1 << 20;
/// How long lingering lasts at most.
const LINGER_TIME: Duration = Duration::from_secs(2);

/// A byte stream whose HTTP/1.1 heads are checked while they are read.
#[derive(Debug)]
pub struct Checked<S> {
    stream: S,
    scan: Scan,
    ledger: Arc<Ledger>,
    head_time: Duration,
    /// Runs from the first byte of a head that did not arrive in one piece.
    head_deadline: Option<Pin<Box<Sleep>>>,
    write_time: Duration,
    /// Runs while the peer takes nothing of what is written.
    write_deadline: Option<Pin<Box<Sleep>>>,
    lingering: Option<Lingering>,
}

#[derive(Debug)]
struct Lingering {
    left: usize,
    deadline: Pin<Box<Sleep>>,
}

impl<S> Checked<S> {
    /// Checks what is read from `stream`. A head must be complete `head_time` after its first
    /// byte, and a peer must take some of an answer every `write_time`; reading or writing fails
    /// with [`io::ErrorKind::TimedOut`] otherwise.
    pub fn new(stream: S, ledger: Arc<Ledger>, head_time: Duration, write_time: Duration) -> Self {
        Self {
            stream,
            scan: Scan::new(),
            ledger,
            head_time,
            head_deadline: None,
            write_time,
            write_deadline: None,
            lingering: None,
        }
    }

    /// Passes on what writing came to, unless it has been pending for too long.
    fn written<T>(
        &mut self,
        cx: &mut Context<'_>,
        outcome: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if outcome.is_ready() {
            self.write_deadline = None;
            return outcome;
        }
        let write_time = self.write_time;
        let deadline = self
            .write_deadline
            .get_or_insert_with(|| Box::pin(sleep_until(Instant::now() + write_time)));
        ready!(deadline.as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Checked<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buf.filled().len();
        match Pin::new(&mut this.stream).poll_read(cx, buf) {
            Poll::Ready(outcome) => {
                outcome?;
                this.scan.pass(&buf.filled()[before..], &this.ledger);
                if !this.scan.inside_head() {
                    this.head_deadline = None;
                } else if this.head_deadline.is_none() {
                    let deadline = Instant::now() + this.head_time;
                    this.head_deadline = Some(Box::pin(sleep_until(deadline)));
                }
                Poll::Ready(Ok(()))
            }
            Poll::Pending => {
                if let Some(deadline) = &mut this.head_deadline {
                    ready!(deadline.as_mut().poll(cx));
                    return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
                }
                Poll::Pending
            }
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Checked<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.written(cx, outcome)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.written(cx, outcome)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = Pin::new(&mut self.stream).poll_flush(cx);
        self.written(cx, outcome)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.lingering.is_none() {
            ready!(Pin::new(&mut this.stream).poll_shutdown(cx))?;
            if !this.ledger.linger.load(Ordering::Relaxed) {
                return Poll::Ready(Ok(()));
            }
        }
        let lingering = this.lingering.get_or_insert_with(|| Lingering {
            left: LINGER_BYTES,
            deadline: Box::pin(sleep_until(Instant::now() + LINGER_TIME)),
        });
        let mut scratch = [0; 4096];
        while lingering.left > 0 {
            let mut buf = ReadBuf::new(&mut scratch);
            match Pin::new(&mut this.stream).poll_read(cx, &mut buf) {
                Poll::Ready(Ok(())) if !buf.filled().is_empty() => {
                    lingering.left = lingering.left.saturating_sub(buf.filled().len());
                }
                Poll::Ready(_) => return Poll::Ready(Ok(())),
                Poll::Pending => {
                    ready!(lingering.deadline.as_mut().poll(cx));
                    return Poll::Ready(Ok(()));
                }
            }
        }
        Poll::Ready(Ok(()))
    }
}
