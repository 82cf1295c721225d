//! Following the heads of a connection through its bytes.

use super::{Fault, Ledger};

/// Longest line that is remembered across reads, in bytes. hyper refuses such a head anyway.
const MAX_LINE: usize = 32 * 1024;

/// Where in the conversation the reader is.
#[derive(Debug)]
pub(super) struct Scan {
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
    pub(super) fn new() -> Self {
        Self { phase: Phase::Between, heads: 0, carry: Vec::new() }
    }

    pub(super) fn inside_head(&self) -> bool {
        match self.phase {
            Phase::Head(_) => true,
            Phase::Between => !self.carry.is_empty(),
            Phase::Body(_) | Phase::Last => false,
        }
    }

    pub(super) fn pass(&mut self, mut bytes: &[u8], ledger: &Ledger) {
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
