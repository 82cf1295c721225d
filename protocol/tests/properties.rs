//! Properties over random input: whatever comes in, nothing panics; what is written is read back;
//! a signed request with one byte changed is refused.

use koshin_protocol::base64url;
use koshin_protocol::cert_id::CertId;
use koshin_protocol::certificate::{Attribute, Certificate, Name};
use koshin_protocol::csr::Csr;
use koshin_protocol::enrollment_code::EnrollmentCode;
use koshin_protocol::json;
use koshin_protocol::jwk::{PublicKey, Thumbprint};
use koshin_protocol::jws::{By, Nonce, Parsed, Request};
use koshin_protocol::operation::Operation;
use koshin_protocol::reissue::ReissueId;
use koshin_protocol::sign::{Es256Key, Signer};
use koshin_protocol::ticket::Ticket;
use koshin_protocol::time::{Period, Time};
use koshin_protocol::url::{Base, Url};
use koshin_protocol::verify::{Verifier, default_verifier};
use proptest::prelude::*;

fn key() -> Es256Key {
    Es256Key::from_random(&[1; 48])
}

fn url(text: &str) -> Url {
    Url::parse(text).expect("a URL")
}

fn signed_request() -> Vec<u8> {
    Request {
        operation: Operation::Cancel,
        url: &url("https://bank.example/koshin/order/1/cancel"),
        nonce: &"oFvnlFP1wIhRlYS2jTaXbA".parse().expect("a nonce"),
        by: &By::Session(url("https://bank.example/koshin/session/1")),
        payload: br#"{"key":"3nRFuPqhMgYlJy3R04Qu44jmDtpGm-OpQRYJNbbOygg"}"#,
    }
    .sign(&key())
    .expect("signed")
}

fn csr() -> Vec<u8> {
    let name = Name::new(&[(Attribute::CommonName, "U-0001")]).expect("a name");
    Csr::make(&name, &key()).expect("a CSR")
}

/// Fails every signature, so that random input is judged by its form alone.
struct Never;

impl Verifier for Never {
    fn algorithms(&self) -> &'static [koshin_protocol::algorithm::Algorithm] {
        &[]
    }

    fn verify(
        &self,
        _: koshin_protocol::algorithm::Algorithm,
        _: &PublicKey,
        _: &[u8],
        _: &[u8],
    ) -> Result<(), koshin_protocol::verify::BadSignature> {
        Err(koshin_protocol::verify::BadSignature::Wrong)
    }

    fn verify_x509(
        &self,
        _: koshin_protocol::algorithm::X509Algorithm,
        _: &PublicKey,
        _: &[u8],
        _: &[u8],
    ) -> Result<(), koshin_protocol::verify::BadSignature> {
        Err(koshin_protocol::verify::BadSignature::Wrong)
    }
}

/// Everything that reads bytes from outside. Only that it returns matters here.
fn read_all(bytes: &[u8]) {
    drop(Parsed::from_slice(bytes));
    drop(Csr::from_der(bytes, &Never));
    drop(Certificate::from_der(bytes));
    drop(Name::from_der(bytes));
    drop(PublicKey::from_spki_der(bytes));
    drop(Es256Key::from_pkcs8_der(bytes));
    drop(json::parse::<serde_json::Value>(bytes));
    drop(json::parse_request::<PublicKey>(bytes));
}

fn read_all_text(text: &str) {
    drop(base64url::decode(text));
    drop(base64url::decode_standard(text));
    drop(text.parse::<CertId>());
    drop(text.parse::<Nonce>());
    drop(text.parse::<EnrollmentCode>());
    drop(text.parse::<Ticket>());
    drop(Url::parse(text));
    // These are `Copy`: dropping would say nothing.
    std::hint::black_box((
        text.parse::<Time>(),
        text.parse::<Period>(),
        text.parse::<Thumbprint>(),
    ))
    .0
    .ok();
}

/// Random bytes hardly ever pass the first check; damaged good input goes deeper.
fn damaged(good: Vec<u8>) -> impl Strategy<Value = Vec<u8>> {
    let length = good.len();
    let edits = prop::collection::vec((0..length, any::<u8>()), 1..6);
    (edits, 0..=length, any::<bool>()).prop_map(move |(edits, cut, truncate)| {
        let mut bytes = good.clone();
        for (at, byte) in edits {
            bytes[at] = byte;
        }
        if truncate {
            bytes.truncate(cut);
        }
        bytes
    })
}

/// Texts that look a little like what is expected.
fn text_like() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[A-Za-z0-9_-]{0,60}\\.?[A-Za-z0-9_-]{0,30}",
        "(https|http)://[a-z0-9.\\[\\]:@]{0,20}/[!-~]{0,30}",
        "[0-9T:Z.+-]{15,25}",
        "P[0-9DTHMS]{0,12}",
        "[0-9A-Za-z*~$= -]{25,33}",
        "koshin-ticket:1\\?(directory|reissue|name|code|[%=&0-9A-F]){0,20}",
    ]
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        read_all(&bytes);
    }

    #[test]
    fn any_text_is_read_without_a_panic(text in text_like()) {
        read_all_text(&text);
        read_all(text.as_bytes());
    }

    #[test]
    fn damaged_requests_are_read_without_a_panic(bytes in damaged(signed_request())) {
        read_all(&bytes);
    }

    #[test]
    fn damaged_csrs_are_read_without_a_panic(bytes in damaged(csr())) {
        read_all(&bytes);
    }

    #[test]
    fn any_header_is_read_without_a_panic(header in any::<String>(), payload in any::<Vec<u8>>()) {
        let (header, payload) = (base64url::encode(header.as_bytes()), base64url::encode(&payload));
        let body = format!(r#"{{"protected":"{header}","payload":"{payload}","signature":"AAAA"}}"#);
        prop_assert!(Parsed::from_slice(body.as_bytes()).is_err());
    }

    #[test]
    fn bytes_go_through_base64url_and_back(bytes in any::<Vec<u8>>()) {
        prop_assert_eq!(base64url::decode(&base64url::encode(&bytes)), Ok(bytes.clone()));
        let standard = base64url::encode_standard(&bytes);
        prop_assert_eq!(base64url::decode_standard(&standard), Ok(bytes));
    }

    #[test]
    fn what_base64url_decodes_is_its_only_text(text in "[A-Za-z0-9_-]{0,40}") {
        if let Ok(bytes) = base64url::decode(&text) {
            prop_assert_eq!(base64url::encode(&bytes), text);
        }
    }

    #[test]
    fn times_go_through_text_and_back(seconds in -62_167_219_200_i64..253_402_200_000) {
        let time = Time::from_unix(seconds).expect("a time");
        prop_assert_eq!(time.to_string().parse(), Ok(time));
        prop_assert_eq!(time.unix(), seconds);
    }

    #[test]
    fn periods_go_through_text_and_back(days in any::<u32>(), seconds in any::<u32>()) {
        let text = match (Period::from_days(days), Period::from_seconds(seconds)) {
            (days, _) if seconds == 0 => days.to_string(),
            (_, seconds) if days == 0 => seconds.to_string(),
            (days, seconds) => format!("{days}{}", seconds.to_string().trim_start_matches('P')),
        };
        let period: Period = text.parse().expect("a period");
        prop_assert_eq!((period.days(), period.seconds()), (days, seconds));
        prop_assert_eq!(period.to_string(), text);
    }

    #[test]
    fn cert_ids_go_through_text_and_back(authority in prop::collection::vec(any::<u8>(), 1..=64), serial in prop::collection::vec(1..0x80_u8, 1..=21)) {
        let id = CertId::new(&authority, &serial).expect("a certID");
        prop_assert_eq!(id.authority(), authority);
        prop_assert_eq!(id.serial(), serial);
        prop_assert_eq!(id.as_str().parse(), Ok(id.clone()));
    }

    #[test]
    fn accepted_urls_are_their_own_text_and_lie_below_their_base(text in "https://[a-z]{1,9}(:[1-9][0-9]{3})?(/[a-z0-9._~-]{0,6}){1,4}") {
        if let Ok(url) = Url::parse(&text) {
            prop_assert_eq!(url.as_str(), &text);
            prop_assert_eq!(format!("{}{}", url.origin(), url.path()), text);
            prop_assert!(Base::of(&url).contains(&url));
        }
    }

    #[test]
    fn codes_and_tickets_go_through_text_and_back(bytes in any::<[u8; 16]>(), id in any::<[u8; 16]>(), name in "[^\\p{Cc}]{1,40}") {
        let code = EnrollmentCode::from_bytes(bytes);
        prop_assert_eq!(code.to_grouped().parse(), Ok(code.clone()));
        prop_assert_eq!(code.to_compact().to_lowercase().parse(), Ok(code.clone()));
        let ticket = Ticket {
            directory: url("https://bank.example/koshin/directory"),
            reissue: ReissueId::from_bytes(id),
            name: name.parse().expect("a name"),
            code,
        };
        prop_assert_eq!(ticket.to_text().parse(), Ok(ticket));
    }

    #[test]
    fn keys_go_through_all_their_forms_and_back(random in prop::array::uniform32(any::<u8>())) {
        let mut bytes = [0; 48];
        bytes[..32].copy_from_slice(&random);
        let key = Es256Key::from_random(&bytes);
        let public = key.public_key();
        prop_assert_eq!(&PublicKey::from_spki_der(&public.to_spki_der()).expect("SPKI"), public);
        let jwk = serde_json::to_vec(public).expect("JSON");
        prop_assert_eq!(&json::parse::<PublicKey>(&jwk).expect("a JWK"), public);
        let canonical = public.to_canonical_jwk();
        prop_assert_eq!(&json::parse::<PublicKey>(canonical.as_bytes()).expect("a JWK"), public);
        let again = Es256Key::from_pkcs8_der(&key.to_pkcs8_der()).expect("PKCS#8");
        prop_assert_eq!(again.public_key(), public);
        let print = public.thumbprint();
        prop_assert_eq!(print.to_string().parse(), Ok(print));
    }

    #[test]
    fn requests_are_read_as_they_were_signed(payload in any::<Vec<u8>>(), index in 0..Operation::ALL.len(), nonce in "[A-Za-z0-9_-]{16,128}") {
        let operation = Operation::ALL[index];
        let by = By::Session(url("https://bank.example/koshin/session/1"));
        let (url, nonce) = (url("https://bank.example/koshin/x"), nonce.parse().expect("a nonce"));
        let body = Request { operation, url: &url, nonce: &nonce, by: &by, payload: &payload };
        let parsed = Parsed::from_slice(&body.sign(&key()).expect("signed"));
        prop_assume!(operation.allows(by.identification()));
        let parsed = parsed.expect("parsed");
        prop_assert_eq!(parsed.operation(), operation);
        prop_assert_eq!(parsed.nonce(), &nonce);
        let verified = parsed.verify(default_verifier(), key().public_key()).expect("verified");
        prop_assert_eq!(verified.payload(), payload);
    }

    #[test]
    fn names_go_through_der_and_back(common in "[^\\p{Cc}]{1,30}", organization in any::<String>()) {
        let name = Name::new(&[(Attribute::Organization, &format!("x{organization}")), (Attribute::CommonName, &common)]);
        let name = name.expect("a name");
        let again = Name::from_der(name.der()).expect("a name");
        prop_assert_eq!(&again, &name);
        prop_assert!(!name.as_str().contains(char::is_control));
    }

    #[test]
    fn whatever_der_a_name_has_a_client_can_ask_for_an_equal_one(rdns in prop::collection::vec(prop::collection::vec((0..TYPES.len(), 0..8_usize, "\\PC{0,6}|[ #+,=\\\\]{0,4}", prop::collection::vec(any::<u8>(), 0..6)), 1..4), 1..4)) {
        let written = |flip: usize| {
            let rdns: Vec<Vec<u8>> = rdns.iter().map(|attributes| {
                let mut attributes: Vec<Vec<u8>> = attributes
                    .iter()
                    .map(|(kind, tag, text, octets)| attribute(*kind, *tag, flip, text, octets))
                    .collect();
                attributes.sort();
                tlv(0x31, &attributes.concat())
            }).collect();
            Name::from_der(&tlv(0x30, &rdns.concat())).expect("a name")
        };
        let (name, other) = (written(0), written(1));
        prop_assert_eq!(&name, &other);
        prop_assert_eq!(name.as_str().parse(), Ok(name));
    }
}

/// Types of attributes with a short name, with a string type of their own, and neither.
const TYPES: [&[u8]; 7] = [
    b"\x55\x04\x03",
    b"\x55\x04\x06",
    b"\x55\x04\x0b",
    b"\x09\x92\x26\x89\x93\xf2\x2c\x64\x01\x19",
    b"\x2a\x86\x48\x86\xf7\x0d\x01\x09\x01",
    b"\x55\x04\x05",
    b"\x60\x86\x48\x01",
];

/// An attribute whose text has another string type where it is flipped; the last of eight is no text.
fn attribute(kind: usize, tag: usize, flip: usize, text: &str, octets: &[u8]) -> Vec<u8> {
    let utf16 = || text.encode_utf16().flat_map(u16::to_be_bytes).collect();
    let utf32 = || text.chars().flat_map(|one| u32::from(one).to_be_bytes()).collect();
    let ascii = text.is_ascii();
    let (tag, value): (u8, Vec<u8>) = match (tag, flip) {
        (7, _) => (20, octets.to_vec()),
        (0, 0) | (1, 1) => (30, utf16()),
        (2, 0) | (3, 1) => (28, utf32()),
        (4, 0) if ascii => (19, text.into()),
        (5, 0) if ascii => (22, text.into()),
        (6, 1) if ascii => (26, text.into()),
        _ => (12, text.into()),
    };
    tlv(0x30, &[tlv(6, TYPES[kind]), tlv(tag, &value)].concat())
}

fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len();
    let short = |length| u8::try_from(length).expect("below 256");
    match length {
        0..=0x7f => [&[tag, short(length)], content].concat(),
        0x80..=0xff => [&[tag, 0x81, short(length)], content].concat(),
        _ => [&[tag, 0x82, short(length >> 8), short(length & 0xff)], content].concat(),
    }
}

#[test]
fn one_changed_byte_anywhere_in_a_signed_request_is_refused() {
    let body = signed_request();
    let accepted = |body: &[u8]| {
        Parsed::from_slice(body)
            .ok()
            .and_then(|parsed| parsed.verify(default_verifier(), key().public_key()).ok())
            .is_some()
    };
    assert!(accepted(&body));
    for index in 0..body.len() {
        for change in [1, 2, 0x20, 0x80, 0xff] {
            let mut broken = body.clone();
            broken[index] ^= change;
            assert!(!accepted(&broken), "byte {index} ^ {change:#x}");
        }
    }
}

#[test]
fn one_missing_or_additional_byte_in_a_signed_request_is_refused() {
    let body = signed_request();
    for index in 0..body.len() {
        let mut shorter = body.clone();
        shorter.remove(index);
        let mut longer = body.clone();
        longer.insert(index, b'A');
        for broken in [shorter, longer] {
            let verified = Parsed::from_slice(&broken)
                .and_then(|parsed| parsed.verify(default_verifier(), key().public_key()));
            assert!(verified.is_err(), "byte {index}");
        }
    }
}
