//! Banks that accept what they must refuse.

use koshin_protocol::problem::Token;
use serde_json::Value;

use super::{Asked, Bend, Wrong, wrong};

const fn accepts(
    slug: &'static str,
    requirement: &'static str,
    token: Token,
    which: fn(&Asked) -> bool,
) -> Wrong {
    wrong(slug, requirement, Bend::Accepts(token, which))
}

const ANY: fn(&Asked) -> bool = |_| true;

/// All of them.
pub(super) const ALL: [Wrong; 47] = [
    accepts("accepts-unknown-members", "ENC-14", Token::Malformed, |asked| {
        asked.has_sound_payload()
    }),
    accepts("accepts-payload-twice-over", "ENC-11", Token::Malformed, Asked::says_twice),
    accepts("accepts-further-header-members", "JWS-02", Token::Malformed, |asked| {
        asked.header.as_object().is_some_and(|header| {
            header.keys().any(|name| {
                !["alg", "typ", "url", "nonce", "x5c", "kid", "jwk"].contains(&name.as_str())
            })
        })
    }),
    accepts("accepts-two-signers", "JWS-03", Token::Malformed, |asked| {
        ["x5c", "kid", "jwk"].iter().filter(|name| asked.header.get(**name).is_some()).count() != 1
    }),
    accepts("accepts-a-chain-in-x5c", "JWS-04", Token::Malformed, |asked| {
        asked.header["x5c"].as_array().is_some_and(|chain| chain.len() != 1)
    }),
    accepts("accepts-unprotected-headers", "JWS-01", Token::Malformed, |asked| {
        asked.body.as_object().is_some_and(|jws| jws.len() != 3)
    }),
    accepts("reads-with-a-payload", "JWS-09", Token::Malformed, |asked| {
        asked.typ() == "koshin-read+jws" && !asked.payload.is_empty()
    }),
    accepts("acts-without-a-payload", "JWS-10", Token::Malformed, |asked| {
        asked.typ() != "koshin-read+jws" && asked.payload.is_empty()
    }),
    accepts("accepts-another-url", "JWS-05", Token::UrlMismatch, ANY),
    accepts("accepts-another-typ", "JWS-06", Token::TypeMismatch, ANY),
    accepts("accepts-another-algorithm", "ALG-03", Token::BadSignatureAlgorithm, ANY),
    accepts("accepts-odd-keys", "KEY-01", Token::BadPublicKey, ANY),
    accepts("accepts-any-nonce", "NON-03", Token::BadNonce, ANY),
    accepts("accepts-ended-sessions", "AUT-02", Token::SessionEnded, ANY),
    accepts("accepts-another-purpose", "AUT-03", Token::SessionPurpose, ANY),
    accepts("accepts-another-role", "AUT-04", Token::NotAuthorized, ANY),
    accepts("accepts-superseded-certificates", "AUT-07", Token::CertificateSuperseded, ANY),
    accepts("accepts-expired-certificates", "AUT-08", Token::CertificateExpired, ANY),
    accepts("accepts-revoked-certificates", "AUT-09", Token::CertificateRevoked, ANY),
    accepts("accepts-certificates-not-yet-valid", "AUT-10", Token::CertificateNotYetValid, ANY),
    accepts("accepts-unknown-certificates", "AUT-12", Token::CertificateUnknown, ANY),
    accepts("shows-what-is-foreign", "AUT-05", Token::NotFound, |asked| !asked.typ().is_empty()),
    accepts("accepts-another-host", "HTP-03", Token::Misdirected, ANY),
    accepts("accepts-another-method", "HTP-08", Token::MethodNotAllowed, ANY),
    accepts("accepts-another-path", "HTP-09", Token::NotFound, |asked| asked.typ().is_empty()),
    accepts("accepts-another-media-type", "HTP-21", Token::UnsupportedMediaType, ANY),
    accepts("accepts-too-early", "ORD-07", Token::TooEarly, ANY),
    accepts("accepts-a-second-order", "ORD-05", Token::OrderExists, ANY),
    accepts("accepts-a-key-again", "CSR-09", Token::KeyReused, ANY),
    accepts("accepts-any-csr", "CSR-08", Token::BadCsr, ANY),
    accepts("accepts-another-replaces", "ORD-04", Token::ReplacesMismatch, ANY),
    accepts("accepts-another-key-store", "ORD-06", Token::KeyStoreUnsupported, ANY),
    accepts("finds-orders-of-no-key", "ORD-31", Token::OrderUnknown, ANY),
    accepts("cancels-another-key", "CAN-02", Token::KeyMismatch, |asked| {
        asked.typ() == "koshin-cancel+jws"
    }),
    accepts("confirms-another-key", "CFM-02", Token::KeyMismatch, |asked| {
        asked.typ() == "koshin-confirm+jws"
    }),
    accepts("rolls-another-key-back", "RBK-04", Token::KeyMismatch, |asked| {
        asked.typ() == "koshin-rollback+jws"
    }),
    accepts("recovers-without-need", "SES-04", Token::NotSuperseded, ANY),
    accepts("accepts-wrong-pins", "PIN-03", Token::PinWrong, ANY),
    accepts("accepts-no-pin", "PIN-01", Token::PinRequired, ANY),
    accepts("changes-locked-pins", "PIN-05", Token::PinLocked, |asked| {
        asked.typ() == "koshin-pin+jws"
    }),
    accepts("accepts-any-environment", "ENV-01", Token::EnvironmentUnsupported, ANY),
    accepts("defers-beside-an-order", "NTC-23", Token::DeferralRefused, ANY),
    accepts("accepts-wrong-codes", "ENR-02", Token::EnrollmentRefused, ANY),
    accepts("accepts-used-codes", "ENR-13", Token::EnrollmentUsed, ANY),
    accepts("reissues-administrators", "REI-05", Token::ReissueNotAllowed, ANY),
    accepts("reissues-under-another-name", "REI-06", Token::SubjectMismatch, ANY),
    accepts("reissues-for-other-contracts", "REI-04", Token::SubjectUnknown, |asked| {
        asked.typ() == "koshin-new-reissue+jws"
    }),
];

impl Asked {
    /// Whether the payload is JSON without a member twice: what is wrong with it is one of its members.
    fn has_sound_payload(&self) -> bool {
        let value: Option<Value> = serde_json::from_slice(&self.payload).ok();
        value.is_some_and(|value| value.is_object()) && !self.says_twice()
    }

    /// Whether the payload is shorter once it was read: a member was there twice.
    fn says_twice(&self) -> bool {
        let Ok(value) = serde_json::from_slice::<Value>(&self.payload) else { return false };
        let commas = |text: &str| text.matches(':').count();
        commas(&value.to_string()) < commas(&String::from_utf8_lossy(&self.payload))
    }
}
