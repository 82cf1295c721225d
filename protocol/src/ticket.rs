//! The enrollment ticket: one line of text, also shown as a QR code, that holds all a user needs
//! to enroll (SPEC.md 13.3).

use std::fmt::Write as _;
use std::str::FromStr;

use thiserror::Error;
use zeroize::Zeroizing;

use crate::enrollment_code::{EnrollmentCode, InvalidCode};
use crate::reissue::ReissueId;
use crate::subject::SubjectName;
use crate::url::Url;

/// The longest ticket that is read, in bytes.
pub const MAX_TICKET: usize = 4096;

/// An enrollment ticket. It contains the code: whoever has it can enroll.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ticket {
    /// The directory of the bank, to be accepted by the user unless it is the configured one.
    pub directory: Url,
    /// The reissue that the code belongs to.
    pub reissue: ReissueId,
    /// The name of the subject, shown to the user and put into the CSR.
    pub name: SubjectName,
    /// The code.
    pub code: EnrollmentCode,
}

/// Why a text is no ticket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum InvalidTicket {
    /// Not exactly the form of a ticket of version 1.
    #[error("not an enrollment ticket of a version that is known here")]
    Form,
    /// The directory is no URL of the protocol.
    #[error("the ticket's directory is not a URL of the protocol")]
    Directory,
    /// The reissue is no identifier.
    #[error("the ticket's reissue is not an identifier")]
    Reissue,
    /// The name is empty or has control characters.
    #[error("the ticket's name is not a name")]
    Name,
    /// The code is damaged.
    #[error("the ticket is damaged: {0}")]
    Code(InvalidCode),
}

impl Ticket {
    /// The ticket as text; it contains the code.
    pub fn to_text(&self) -> Zeroizing<String> {
        let Self { directory, reissue, name, code } = self;
        let (directory, name) = (encode(directory.as_str()), encode(name.as_str()));
        // Of the check symbols `*`, `$` and `=` are escaped.
        let code = Zeroizing::new(encode(&code.to_compact()));
        Zeroizing::new(format!(
            "koshin-ticket:1?directory={directory}&reissue={reissue}&name={name}&code={}",
            *code
        ))
    }
}

impl FromStr for Ticket {
    type Err = InvalidTicket;

    /// Reads a ticket in exactly the form in which it is written.
    fn from_str(text: &str) -> Result<Self, InvalidTicket> {
        if text.len() > MAX_TICKET {
            return Err(InvalidTicket::Form);
        }
        let mut members =
            text.strip_prefix("koshin-ticket:1?").ok_or(InvalidTicket::Form)?.split('&');
        let mut next = |name| {
            let member = members.next().and_then(|member| member.split_once('='));
            match member {
                Some((found, value)) if found == name => decode(value),
                _ => Err(InvalidTicket::Form),
            }
        };
        let (directory, reissue, name) = (next("directory")?, next("reissue")?, next("name")?);
        let code = Zeroizing::new(next("code")?);
        let ticket = Self {
            directory: Url::parse(&directory).map_err(|_| InvalidTicket::Directory)?,
            reissue: reissue.parse().map_err(|_| InvalidTicket::Reissue)?,
            name: name.parse().map_err(|_| InvalidTicket::Name)?,
            code: code.parse().map_err(InvalidTicket::Code)?,
        };
        // One ticket, one text: no other escapes, no further members, no grouped code.
        if *ticket.to_text() == text { Ok(ticket) } else { Err(InvalidTicket::Form) }
    }
}

/// Every byte but RFC 3986's unreserved ones as `%` and two capital hexadecimal digits.
fn encode(text: &str) -> String {
    text.bytes().fold(String::with_capacity(text.len()), |mut encoded, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            write!(encoded, "%{byte:02X}").expect("writing to a String");
        }
        encoded
    })
}

fn decode(text: &str) -> Result<String, InvalidTicket> {
    let mut bytes = text.bytes();
    let mut decoded = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            decoded.push(byte);
            continue;
        }
        let digits = [bytes.next(), bytes.next()].map(Option::unwrap_or_default);
        let digits = std::str::from_utf8(&digits).map_err(|_| InvalidTicket::Form)?;
        decoded.push(u8::from_str_radix(digits, 16).map_err(|_| InvalidTicket::Form)?);
    }
    String::from_utf8(decoded).map_err(|_| InvalidTicket::Form)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of SPEC.md 13.3.
    const TEXT: &str = "koshin-ticket:1?directory=https%3A%2F%2Fbank.example%2Fkoshin%2Fdirectory&reissue=ICEiIyQlJicoKSorLC0uLw&name=CN%3DTanaka%20Hanako%2CO%3DExample%20K.K.%2CC%3DJP&code=00041061050R3GG28A1C60T3GF6";

    #[test]
    fn the_example_of_the_spec_is_read_and_written() {
        let ticket: Ticket = TEXT.parse().expect("a ticket");
        assert_eq!(ticket.directory.as_str(), "https://bank.example/koshin/directory");
        assert_eq!(ticket.reissue.to_string(), "ICEiIyQlJicoKSorLC0uLw");
        assert_eq!(ticket.name.as_str(), "CN=Tanaka Hanako,O=Example K.K.,C=JP");
        assert_eq!(*ticket.to_text(), TEXT);
    }

    #[test]
    fn every_check_symbol_and_a_japanese_name_survive() {
        for byte in 0..=255 {
            let ticket = Ticket {
                name: "CN=田中 花子&x=%".parse().expect("a name"),
                code: EnrollmentCode::from_bytes([byte; 16]),
                ..TEXT.parse().expect("a ticket")
            };
            assert_eq!(ticket.to_text().parse(), Ok(ticket));
        }
    }

    #[test]
    fn other_forms_are_refused() {
        for (from, to, reason) in [
            ("ticket:1", "ticket:2", InvalidTicket::Form),
            ("koshin-", "Koshin-", InvalidTicket::Form),
            ("&reissue", "&Reissue", InvalidTicket::Form),
            ("%3A%2F%2F", "%3a%2f%2f", InvalidTicket::Form),
            ("%3A%2F%2F", "://", InvalidTicket::Form),
            ("%20", "+", InvalidTicket::Form),
            ("%20", "%2", InvalidTicket::Form),
            ("%20", "%FF", InvalidTicket::Form),
            ("GF6", "GF6&more=1", InvalidTicket::Form),
            ("GF6", "GF6\n", InvalidTicket::Code(InvalidCode::Length)),
            ("0004106105", "00041-06105", InvalidTicket::Form),
            ("GF6", "GF7", InvalidTicket::Code(InvalidCode::Check)),
            ("https", "ftp", InvalidTicket::Directory),
            ("uLw", "uLx", InvalidTicket::Reissue),
            ("%20", "%0A", InvalidTicket::Name),
        ] {
            assert_eq!(TEXT.replacen(from, to, 1).parse::<Ticket>(), Err(reason), "{from} -> {to}");
        }
    }

    #[test]
    fn a_ticket_does_not_print_its_code() {
        let ticket: Ticket = TEXT.parse().expect("a ticket");
        assert!(!format!("{ticket:?}").contains("00041"));
    }
}
