//! Any text as certID, URL, time, name, code and ticket: what is read is written as it was.
#![no_main]

use koshin_protocol::cert_id::CertId;
use koshin_protocol::certificate::Name;
use koshin_protocol::enrollment_code::EnrollmentCode;
use koshin_protocol::ticket::Ticket;
use koshin_protocol::time::{Period, Time};
use koshin_protocol::url::Url;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(id) = text.parse::<CertId>() {
        assert_eq!(id.as_str(), text);
        assert!(CertId::new(&id.authority(), &id.serial()).is_ok_and(|again| again == id));
    }
    if let Ok(url) = Url::parse(text) {
        assert_eq!(format!("{}{}", url.origin(), url.path()), text);
    }
    if let Ok(time) = text.parse::<Time>() {
        assert_eq!(time.to_string(), text);
    }
    if let Ok(period) = text.parse::<Period>() {
        assert_eq!(period.to_string().parse(), Ok(period));
    }
    if let Ok(name) = text.parse::<Name>() {
        assert_eq!(name.as_str(), text);
    }
    if let Ok(code) = text.parse::<EnrollmentCode>() {
        assert_eq!(code.to_grouped().parse(), Ok(code));
    }
    if let Ok(ticket) = text.parse::<Ticket>() {
        assert_eq!(*ticket.to_text(), text);
    }
});
