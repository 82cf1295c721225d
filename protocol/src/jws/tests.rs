//! Requests signed and read back, and each rule of the form broken once.

use serde_json::{Value, json};

use super::*;
use crate::base64url;
use crate::certificate::{Attribute, KeyUsages, Kind, Name, Profile};
use crate::sign::{Es256Key, Signer};
use crate::time::Time;
use crate::verify::RustCrypto;

const NONCE: &str = "bm9uY2Utbm9uY2Utbm9uY2U";

fn key() -> Es256Key {
    Es256Key::from_random(&[1; 48])
}

fn url(text: &str) -> Url {
    Url::parse(text).expect("a URL")
}

fn session() -> By {
    By::Session(url("https://bank.example/session/1"))
}

/// A certificate of our key.
fn certificate() -> By {
    let name = Name::new(&[(Attribute::CommonName, "U-0001")]).expect("a name");
    let certificate = Profile {
        serial: &[1],
        issuer: &name,
        not_before: Time::from_unix(0).expect("a time"),
        not_after: Time::from_unix(1).expect("a time"),
        subject: &name,
        key: key().public_key(),
        kind: Kind::Leaf,
        key_usages: KeyUsages::DIGITAL_SIGNATURE,
        extended_key_usages: &[],
        authority_key_id: None,
        crl: &[],
    }
    .sign(&key())
    .expect("a certificate");
    By::Certificate(certificate.der().into())
}

fn sign(operation: Operation, by: &By, payload: &[u8]) -> Vec<u8> {
    let (url, nonce) = (url("https://bank.example/x"), NONCE.parse().expect("a nonce"));
    Request { operation, url: &url, nonce: &nonce, by, payload }.sign(&key()).expect("signed")
}

/// A correctly signed request with the header that the closure makes of a good one.
fn with_header(change: impl FnOnce(&mut Value)) -> Vec<u8> {
    let mut header = json!({
        "alg": "ES256", "typ": "koshin-cancel+jws", "nonce": NONCE,
        "url": "https://bank.example/x", "kid": "https://bank.example/session/1",
    });
    change(&mut header);
    Flattened::sign(header.to_string().as_bytes(), b"{}", &key()).expect("signed")
}

fn refusal(body: &[u8]) -> JwsError {
    Parsed::from_slice(body).expect_err("a refusal")
}

#[test]
fn what_was_signed_is_read_back() {
    let body = sign(Operation::Cancel, &session(), br#"{"a":1}"#);
    let parsed = Parsed::from_slice(&body).expect("parsed");
    assert_eq!(parsed.operation(), Operation::Cancel);
    assert_eq!(parsed.algorithm(), Algorithm::Es256);
    assert_eq!(parsed.url().as_str(), "https://bank.example/x");
    assert_eq!(parsed.nonce().as_str(), NONCE);
    assert_eq!(parsed.by(), &session());
    let verified = parsed.verify(&RustCrypto, key().public_key()).expect("verified");
    assert_eq!(verified.payload(), br#"{"a":1}"#);
    assert_eq!(verified.object::<Value>().expect("JSON"), json!({"a": 1}));
    assert!(matches!(verified.nothing(), Err(JwsError::PayloadNotEmpty)));
}

#[test]
fn certificates_and_keys_are_named_as_they_were() {
    let body = sign(Operation::Confirm, &certificate(), b"{}");
    let parsed = Parsed::from_slice(&body).expect("parsed");
    assert_eq!(parsed.by(), &certificate());
    assert!(parsed.verify_by_own_key(&RustCrypto).is_ok());
    let bare = By::Key(Box::new(key().public_key().clone()));
    let parsed = Parsed::from_slice(&sign(Operation::FindOrder, &bare, b"{}")).expect("parsed");
    assert_eq!(parsed.by(), &bare);
    assert!(parsed.verify_by_own_key(&RustCrypto).is_ok());
}

#[test]
fn a_request_is_verified_under_the_key_it_names_and_no_other() {
    let other = Es256Key::from_random(&[2; 48]);
    let body = sign(Operation::Cancel, &session(), b"{}");
    let parse = || Parsed::from_slice(&body).expect("parsed");
    let refused = parse().verify(&RustCrypto, other.public_key());
    assert!(matches!(refused, Err(JwsError::Signature)));
    assert!(matches!(parse().verify_by_own_key(&RustCrypto), Err(JwsError::Signature)));

    let named = By::Key(Box::new(other.public_key().clone()));
    let body = sign(Operation::FindOrder, &named, b"{}");
    let parse = || Parsed::from_slice(&body).expect("parsed");
    assert!(matches!(parse().verify_by_own_key(&RustCrypto), Err(JwsError::Signature)));
    let refused = parse().verify(&RustCrypto, key().public_key());
    assert!(matches!(refused, Err(JwsError::Signature)), "signed, but not by the key it names");
}

#[test]
fn the_algorithm_must_fit_the_key() {
    let body = with_header(|header| header["alg"] = json!("ES384"));
    let parsed = Parsed::from_slice(&body).expect("parsed");
    let refused = parsed.verify(&RustCrypto, key().public_key());
    assert!(matches!(refused, Err(JwsError::Algorithm(Algorithm::Es384))));
    let body = with_header(|header| {
        *header = json!({
            "alg": "EdDSA", "typ": "koshin-find-order+jws", "nonce": NONCE,
            "url": "https://bank.example/x", "jwk": key().public_key(),
        });
    });
    assert!(matches!(refusal(&body), JwsError::Algorithm(Algorithm::EdDsa)));
}

#[test]
fn the_outer_object_has_exactly_three_members() {
    let body = String::from_utf8(with_header(|_| {})).expect("UTF-8");
    let inner = body.strip_suffix('}').expect("an object");
    for broken in [
        format!(r#"{inner},"header":{{}}}}"#),
        format!(r#"{inner},"signature":"AA"}}"#),
        format!("{body}{{}}"),
        format!("[{body}]"),
        format!("\u{feff}{body}"),
        body.replace("\"payload\"", "\"Payload\""),
        body.replace(r#""payload":"e30","#, ""),
        body.replace(r#""payload":"e30""#, r#""payload":null"#),
        body.replace(r#""payload":"e30""#, r#""payload":{}"#),
        format!("{body}{}", " ".repeat(json::MAX_DOCUMENT)),
        r#"["e30","e30","AA"]"#.into(),
        String::new(),
    ] {
        assert!(matches!(refusal(broken.as_bytes()), JwsError::Flattened(_)), "{broken}");
    }
    assert!(Parsed::from_slice(format!(" {body}\n").as_bytes()).is_ok(), "white space is allowed");
}

#[test]
fn parts_are_canonical_base64url() {
    let body = String::from_utf8(with_header(|_| {})).expect("UTF-8");
    for payload in ["e30=", "e3 0", "e31", "e30+"] {
        let broken = body.replace(r#""payload":"e30""#, &format!(r#""payload":"{payload}""#));
        assert!(matches!(refusal(broken.as_bytes()), JwsError::Base64("payload")), "{payload}");
    }
}

#[test]
fn the_header_has_exactly_its_members() {
    type Change = fn(&mut Value);
    let changes: [Change; 12] = [
        |header| header["crit"] = json!(["b64"]),
        |header| header["b64"] = json!(false),
        |header| header["cty"] = json!("json"),
        |header| header["x5u"] = json!("https://evil.example/"),
        |header| header["kid"] = json!(null),
        |header| header["x5c"] = json!(null),
        |header| header["alg"] = json!(1),
        |header| drop(header.as_object_mut().map(|members| members.remove("nonce"))),
        |header| drop(header.as_object_mut().map(|members| members.remove("url"))),
        |header| drop(header.as_object_mut().map(|members| members.remove("typ"))),
        |header| *header = json!(["ES256", "koshin-read+jws", NONCE, "https://bank.example/x"]),
        |header| *header = json!("ES256"),
    ];
    for change in changes {
        let body = with_header(change);
        assert!(
            matches!(refusal(&body), JwsError::Header(_)),
            "{}",
            String::from_utf8_lossy(&body)
        );
    }
    let header = format!(
        r#"{{"alg":"ES256","alg":"ES256","typ":"koshin-cancel+jws","nonce":"{NONCE}","url":"https://bank.example/x","kid":"https://bank.example/s"}}"#
    );
    let twice = Flattened::sign(header.as_bytes(), b"{}", &key()).expect("signed");
    assert!(matches!(refusal(&twice), JwsError::Header(_)));
}

#[test]
fn exactly_one_of_three_members_names_the_signer() {
    let none = with_header(|header| drop(header.as_object_mut().map(|all| all.remove("kid"))));
    let two = with_header(|header| header["jwk"] = json!(key().public_key()));
    let three = with_header(|header| {
        header["jwk"] = json!(key().public_key());
        header["x5c"] = json!(["AA=="]);
    });
    for body in [none, two, three] {
        assert!(matches!(refusal(&body), JwsError::NotOneSigner));
    }
}

#[test]
fn each_operation_takes_only_its_own_kinds_of_signer() {
    for operation in Operation::ALL {
        for by in [session(), By::Key(Box::new(key().public_key().clone())), certificate()] {
            let read = Parsed::from_slice(&sign(operation, &by, b"{}"));
            if operation.allows(by.identification()) {
                assert!(read.is_ok(), "{operation} {by:?}");
            } else {
                assert!(matches!(read, Err(JwsError::WrongSigner { .. })), "{operation} {by:?}");
            }
        }
    }
}

#[test]
fn values_of_the_header_are_checked() {
    let body = with_header(|header| header["nonce"] = json!("short"));
    assert!(matches!(refusal(&body), JwsError::Nonce));
    let body = with_header(|header| header["url"] = json!("https://bank.example/x?y"));
    assert!(matches!(refusal(&body), JwsError::Url { member: "url", .. }));
    let body = with_header(|header| header["kid"] = json!("session"));
    assert!(matches!(refusal(&body), JwsError::Url { member: "kid", .. }));
    for typ in ["JOSE", "koshin-cancel", "KOSHIN-CANCEL+JWS", "koshin-receipt+jws"] {
        let body = with_header(|header| header["typ"] = json!(typ));
        assert!(matches!(refusal(&body), JwsError::UnknownType), "{typ}");
    }
    for alg in ["none", "HS256", "ES512", "es256", ""] {
        let body = with_header(|header| header["alg"] = json!(alg));
        assert!(matches!(refusal(&body), JwsError::UnknownAlgorithm), "{alg}");
    }
}

#[test]
fn a_request_is_for_the_resource_that_it_came_to() {
    let body = sign(Operation::Cancel, &session(), b"{}");
    let at = |text: &str, operation: Operation| {
        Parsed::for_resource(&body, Resource { operation, url: &url(text) }).map(|_| ())
    };
    let here = "https://bank.example/x";
    assert!(at(here, Operation::Cancel).is_ok());
    assert!(matches!(at(here, Operation::Read), Err(JwsError::OtherType)));
    for there in
        ["https://bank.example/X", "https://bank.example/x/", "https://bank.example:8443/x"]
    {
        assert!(matches!(at(there, Operation::Cancel), Err(JwsError::OtherUrl)), "{there}");
    }
}

#[test]
fn of_several_defects_the_one_of_the_first_stage_is_told() {
    let body = with_header(|header| {
        header["alg"] = json!("none");
        header["typ"] = json!("koshin-find-order+jws");
    });
    assert!(matches!(refusal(&body), JwsError::WrongSigner { .. }));
    let elsewhere = url("https://bank.example/y");
    let resource = Resource { operation: Operation::FindOrder, url: &elsewhere };
    assert!(matches!(Parsed::for_resource(&body, resource), Err(JwsError::OtherUrl)));
}

#[test]
fn a_bare_key_is_public_and_good() {
    let with_key = |change: fn(&mut Value)| {
        with_header(|header| {
            let mut jwk = json!(key().public_key());
            change(&mut jwk);
            header.as_object_mut().map(|members| members.remove("kid"));
            header["typ"] = json!("koshin-find-order+jws");
            header["jwk"] = jwk;
        })
    };
    assert!(Parsed::from_slice(&with_key(|_| {})).is_ok());
    for change in [
        (|jwk| jwk["d"] = json!("AQ")) as fn(&mut Value),
        |jwk| jwk["alg"] = json!("none"),
        |jwk| jwk["use"] = json!("sig"),
        |jwk| jwk["x"] = json!("AQ"),
        |jwk| jwk["kty"] = json!("oct"),
    ] {
        assert!(matches!(refusal(&with_key(change)), JwsError::Key(_)));
    }
    assert!(matches!(refusal(&with_key(|jwk| *jwk = json!([]))), JwsError::Header(_)));
}

// [JWS-11]
#[test]
fn x5c_holds_one_certificate_in_standard_base64() {
    for x5c in [
        json!([]),
        json!([""]),
        json!(["MAA=", "MAA="]),
        json!(["MAA"]),
        json!(["_-8="]),
        json!(["MAA="]),
    ] {
        let body = with_header(|header| {
            header.as_object_mut().map(|members| members.remove("kid"));
            header["typ"] = json!("koshin-confirm+jws");
            header["x5c"] = x5c.clone();
        });
        assert!(matches!(refusal(&body), JwsError::Certificate), "{x5c}");
    }
}

#[test]
fn rfc_7515_a_3_the_es256_example_verifies() {
    let input = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
    let signature =
        "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
    let jwk = r#"{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}"#;
    let key: PublicKey = json::parse(jwk.as_bytes()).expect("a key");
    let mut signature = base64url::decode(signature).expect("base64url");
    let verify =
        |signature: &[u8]| RustCrypto.verify(Algorithm::Es256, &key, input.as_bytes(), signature);
    assert_eq!(verify(&signature), Ok(()));
    signature[0] ^= 1;
    assert_eq!(verify(&signature), Err(BadSignature::Wrong));
}

#[test]
fn rfc_8037_a_5_the_ed25519_example_verifies() {
    let input = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
    let signature =
        "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
    let jwk = r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
    let key: PublicKey = json::parse(jwk.as_bytes()).expect("a key");
    let mut signature = base64url::decode(signature).expect("base64url");
    let verify =
        |signature: &[u8]| RustCrypto.verify(Algorithm::EdDsa, &key, input.as_bytes(), signature);
    assert_eq!(verify(&signature), Ok(()));
    signature[0] ^= 1;
    assert_eq!(verify(&signature), Err(BadSignature::Wrong));
}

#[test]
fn a_request_that_reads_has_no_payload() {
    let parsed = Parsed::from_slice(&sign(Operation::Read, &session(), b"")).expect("parsed");
    let verified = parsed.verify(&RustCrypto, key().public_key()).expect("verified");
    assert!(verified.nothing().is_ok());
    assert!(matches!(verified.object::<Value>(), Err(JwsError::Payload(_))));
}
