//! Message framing of HTTP/1.1, checked on the bytes, before hyper smooths it over.
//!
//! hyper takes a bare LF for a line end, lets `Transfer-Encoding` win over `Content-Length`, and
//! folds equal `Content-Length` lines into one (RFC 9112 2.2, 6.1, 6.3). Each is harmless to one
//! parser alone and the raw material of request smuggling between two. [`Checked`] stands
//! between the socket and hyper, looks at the bytes of each head once as they pass, and notes the
//! first fault in the connection's [`Ledger`]; the service then refuses the request that carries
//! it, and the connection ends. Bodies pass unseen. HTTP/2 has lengths of its own and needs none
//! of this.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

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

/// Longest line that is remembered across reads, in bytes. hyper refuses such a head anyway.
const MAX_LINE: usize = 32 * 1024;

/// Where in the conversation the reader is.
#[derive(Debug)]
struct Scan {
    phase: Phase,
    /// Heads begun so far.
    heads: u64,
    /// The beginning of a line whose end was not read yet; empty nearly always.
    carry: Vec<u8>,
}

#[derive(Debug)]
enum Phase {
    /// Between two requests, or before the first.
    Between,
    /// Within a head.
    Head(Head),
    /// Within a body of which so many bytes are missing.
    Body(u64),
    /// Nothing more to check: this request is the connection's last.
    Last,
}

#[derive(Debug, Default)]
struct Head {
    length: Option<u64>,
    chunked: bool,
}

impl Scan {
    fn new() -> Self {
        Self { phase: Phase::Between, heads: 0, carry: Vec::new() }
    }

    fn inside_head(&self) -> bool {
        match self.phase {
            Phase::Head(_) => true,
            Phase::Between => !self.carry.is_empty(),
            Phase::Body(_) | Phase::Last => false,
        }
    }

    fn pass(&mut self, mut bytes: &[u8], ledger: &Ledger) {
        while !bytes.is_empty() {
            match &mut self.phase {
                Phase::Body(missing) => {
                    let here = (*missing).min(bytes.len() as u64);
                    *missing -= here;
                    if *missing == 0 {
                        self.phase = Phase::Between;
                    }
                    let here = usize::try_from(here).expect("at most the slice's length");
                    bytes = &bytes[here..];
                }
                Phase::Last => return,
                Phase::Between | Phase::Head(_) => {
                    let Some(end) = bytes.iter().position(|byte| *byte == b'\n') else {
                        self.remember(bytes);
                        return;
                    };
                    let line = &bytes[..end];
                    bytes = &bytes[end + 1..];
                    if self.carry.is_empty() {
                        self.line(line, ledger);
                    } else {
                        let mut whole = std::mem::take(&mut self.carry);
                        whole.extend_from_slice(line);
                        self.line(&whole, ledger);
                    }
                }
            }
        }
    }

    fn remember(&mut self, bytes: &[u8]) {
        if self.carry.len() + bytes.len() > MAX_LINE {
            self.carry = Vec::new();
            self.phase = Phase::Last;
        } else {
            self.carry.extend_from_slice(bytes);
        }
    }

    /// One line of a head, without its LF.
    fn line(&mut self, line: &[u8], ledger: &Ledger) {
        let Some(line) = line.strip_suffix(b"\r") else {
            if !matches!(self.phase, Phase::Head(_)) {
                self.heads += 1;
            }
            return self.fault(Fault::BareLineFeed, ledger);
        };
        match &mut self.phase {
            // RFC 9112 2.2: an empty line before a request line is ignored.
            Phase::Between if line.is_empty() => {}
            Phase::Between => {
                self.heads += 1;
                self.phase = Phase::Head(Head::default());
            }
            Phase::Head(head) if line.is_empty() => {
                self.phase = match head {
                    // The service closes the connection after a chunked request, so that chunks
                    // need not be followed here.
                    Head { chunked: true, .. } => Phase::Last,
                    Head { length: Some(length @ 1..), .. } => Phase::Body(*length),
                    Head { length: Some(0) | None, .. } => Phase::Between,
                };
            }
            Phase::Head(head) => match head.field(line) {
                Ok(()) => {}
                Err(Odd::Fault(fault)) => self.fault(fault, ledger),
                Err(Odd::Unreadable) => self.phase = Phase::Last,
            },
            Phase::Body(_) | Phase::Last => {}
        }
    }

    fn fault(&mut self, fault: Fault, ledger: &Ledger) {
        ledger.note(self.heads, fault);
        self.phase = Phase::Last;
    }
}

/// A field line that ends the checking.
enum Odd {
    Fault(Fault),
    /// hyper refuses it by itself.
    Unreadable,
}

impl Head {
    fn field(&mut self, line: &[u8]) -> Result<(), Odd> {
        // Only lines as long as the names are worth a comparison; hyper refuses a blank before
        // the colon.
        if named(line, b"content-length:") {
            if self.length.is_some() {
                return Err(Odd::Fault(Fault::RepeatedLength));
            }
            self.length = Some(number(&line[15..]).ok_or(Odd::Unreadable)?);
        } else if named(line, b"transfer-encoding:") {
            self.chunked = true;
        }
        if self.chunked && self.length.is_some() {
            return Err(Odd::Fault(Fault::TwoFramings));
        }
        Ok(())
    }
}

fn named(line: &[u8], name: &[u8]) -> bool {
    line.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name))
}

fn number(value: &[u8]) -> Option<u64> {
    let value = value.trim_ascii();
    if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(value).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The number of the faulty request and its fault, however the bytes are cut.
    fn found(bytes: &[u8]) -> Option<(u64, Fault)> {
        let whole = scan([bytes]);
        for cut in 1..bytes.len() {
            assert_eq!(scan([&bytes[..cut], &bytes[cut..]]), whole, "cut at {cut}");
        }
        assert_eq!(scan(bytes.chunks(1)), whole, "byte by byte");
        whole
    }

    fn scan<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Option<(u64, Fault)> {
        let (mut scan, ledger) = (Scan::new(), Ledger::default());
        for piece in pieces {
            scan.pass(piece, &ledger);
        }
        (1..=scan.heads).find_map(|number| ledger.next().map(|fault| (number, fault)))
    }

    #[test]
    fn well_formed_requests_pass_one_after_the_other() {
        assert_eq!(
            found(b"GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"),
            None
        );
        assert_eq!(
            found(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n\n\n\nGET / HTTP/1.1\r\n\r\n"),
            None
        );
        assert_eq!(found(b"\r\n\r\nGET / HTTP/1.1\r\n\r\n"), None);
    }

    #[test]
    fn a_bare_line_feed_is_found_in_each_line() {
        for head in [
            &b"GET / HTTP/1.1\nHost: a\r\n\r\n"[..],
            b"GET / HTTP/1.1\r\nHost: a\n\r\n",
            b"GET / HTTP/1.1\r\nHost: a\r\n\n",
            b"\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
        ] {
            assert_eq!(found(head), Some((1, Fault::BareLineFeed)), "{}", head.escape_ascii());
        }
    }

    #[test]
    fn two_framings_are_found_in_either_order() {
        for head in [
            &b"POST / HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n"[..],
            b"POST / HTTP/1.1\r\nTRANSFER-ENCODING:chunked\r\ncontent-LENGTH:3\r\n\r\n",
        ] {
            assert_eq!(found(head), Some((1, Fault::TwoFramings)));
        }
    }

    #[test]
    fn equal_lengths_twice_are_found_in_the_request_that_has_them() {
        assert_eq!(
            found(
                b"POST / HTTP/1.1\r\nContent-Length: 1\r\n\r\nxPOST / HTTP/1.1\r\nContent-Length: 3\r\n\
                  Content-Length: 3\r\n\r\n"
            ),
            Some((2, Fault::RepeatedLength))
        );
    }

    #[test]
    fn a_fault_is_told_to_its_own_request_only() {
        let (mut scan, ledger) = (Scan::new(), Ledger::default());
        scan.pass(b"GET / HTTP/1.1\r\n\r\nGET / HTTP/1.1\n\n", &ledger);
        assert_eq!(ledger.next(), None);
        assert_eq!(ledger.next(), Some(Fault::BareLineFeed));
        assert_eq!(ledger.next(), None);
    }

    #[test]
    fn an_endless_line_is_not_kept() {
        let (mut scan, ledger) = (Scan::new(), Ledger::default());
        for _ in 0..1024 {
            scan.pass(&[b'a'; 4096], &ledger);
        }
        assert!(scan.carry.capacity() <= 2 * MAX_LINE);
    }
}
