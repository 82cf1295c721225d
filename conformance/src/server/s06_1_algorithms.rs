//! SPEC.md 6.1 and 6.2: algorithms and public keys.

use aws_lc_rs::hmac;
use koshin_protocol::algorithm::Algorithm;
use koshin_protocol::base64url;
use koshin_protocol::problem::Token;
use serde_json::{Value, json};

use super::csr::der_signature;
use super::draft::{Draft, jwk};
use super::good::Good;
use super::key::Key;
use super::refusal::{On, refuses};
use super::{Bank, case};
use crate::case::{Case, Outcome};

/// The cases of these sections.
pub(super) fn cases() -> Vec<Case<Bank>> {
    let mut cases = accepted();
    cases.extend(foreign_algorithms());
    cases.extend(unfit_algorithms());
    cases.extend(lengths());
    cases.extend(keys());
    cases
}

fn accepted() -> Vec<Case<Bank>> {
    Algorithm::ALL
        .into_iter()
        .map(|algorithm| {
            let (slug, sentence) = (
                format!("alg/{algorithm}"),
                format!("A logon signed with {algorithm} is accepted."),
            );
            let shows = if algorithm == Algorithm::Es256 { "ALG-01" } else { "ALG-03" };
            case(slug.to_lowercase(), sentence).shows(&[shows]).run(move |bank: Bank| async move {
                let person = bank.user_signing(algorithm).await?;
                bank.try_log_on_for(&person.pair, None, "renewal").await?.status(201)
            })
        })
        .collect()
}

fn foreign_algorithms() -> Vec<Case<Bank>> {
    const NAMES: [(&str, &str); 13] = [
        ("none", "none"),
        ("none-capital", "None"),
        ("none-capitals", "NONE"),
        ("hs256", "HS256"),
        ("hs384", "HS384"),
        ("hs512", "HS512"),
        ("es512", "ES512"),
        ("es256k", "ES256K"),
        ("rs1", "RS1"),
        ("rs512", "RS512"),
        ("ps512", "PS512"),
        ("small-letters", "es256"),
        ("empty", ""),
    ];
    let mut cases: Vec<Case<Bank>> = NAMES
        .into_iter()
        .map(|(name, alg)| {
            let (slug, sentence) =
                (format!("alg/refused-{name}"), format!("The `alg` \"{alg}\" is refused."));
            let token = Token::BadSignatureAlgorithm;
            refuses(Good::Logon, token, slug, sentence, &["ALG-03"], move |draft| {
                draft.set("alg", alg)
            })
        })
        .collect();
    cases.push(refuses(
        Good::Logon,
        Token::BadSignatureAlgorithm,
        "alg/none-unsigned",
        "`none` with an empty signature is refused.",
        &["ALG-03"],
        |draft| draft.set("alg", "none").edit_signature(Vec::clear),
    ));
    for (name, said) in
        [("spki", "public key's DER"), ("point", "public key's point"), ("jwk", "public key's JWK")]
    {
        let sentence = format!("HS256 with the {said} as the secret is refused.");
        cases.push(refuses(
            Good::Find,
            Token::BadSignatureAlgorithm,
            format!("alg/confused-{name}"),
            sentence,
            &["ALG-03"],
            move |draft| {
                let public = draft.key.public().clone();
                let secret = match name {
                    "spki" => public.to_spki_der(),
                    "point" => public.to_spki_der()[26..].to_vec(),
                    _ => public.to_canonical_jwk().into_bytes(),
                };
                draft.set("alg", "HS256").edit_jws(move |jws| {
                    let part = |name: &str| jws[name].as_str().unwrap_or_default().to_owned();
                    let input = format!("{}.{}", part("protected"), part("payload"));
                    let secret = hmac::Key::new(hmac::HMAC_SHA256, &secret);
                    jws["signature"] =
                        json!(base64url::encode(hmac::sign(&secret, input.as_bytes()).as_ref()));
                })
            },
        ));
    }
    cases
}

fn unfit_algorithms() -> Vec<Case<Bank>> {
    let mut cases = Vec::new();
    for alg in ["ES384", "EdDSA", "RS256", "PS256"] {
        for (good, by) in [(Good::Logon, "x5c"), (Good::Find, "jwk")] {
            let slug = format!("alg/{alg}-with-p256-by-{by}").to_lowercase();
            let sentence = format!("{alg} with a P-256 key by `{by}` is refused.");
            cases.push(refuses(
                good,
                Token::BadSignatureAlgorithm,
                slug,
                sentence,
                &["ALG-04"],
                move |draft| draft.set("alg", alg),
            ));
        }
    }
    for (algorithm, alg) in [
        (Algorithm::Es384, "ES256"),
        (Algorithm::EdDsa, "ES256"),
        (Algorithm::Rs256, "ES256"),
        (Algorithm::Rs256, "EdDSA"),
    ] {
        let key_type = algorithm.key_type().as_str();
        let slug = format!("alg/{alg}-with-{key_type}").to_lowercase();
        cases.push(refuses(
            On::LogonBy(algorithm),
            Token::BadSignatureAlgorithm,
            slug,
            format!("{alg} with a key of type {key_type} is refused."),
            &["ALG-04"],
            move |draft| draft.set("alg", alg),
        ));
    }
    cases
}

fn lengths() -> Vec<Case<Bank>> {
    type Change = fn(&mut Vec<u8>);
    const WRONG: [(&str, &str, Change); 5] = [
        ("empty", "no octets", Vec::clear),
        ("short", "an octet less", |octets| octets.truncate(octets.len().saturating_sub(1))),
        ("long", "a zero octet more", |octets| octets.push(0)),
        ("zero-before", "a zero octet before it", |octets| octets.insert(0, 0)),
        ("der", "the form of X.509", |octets| *octets = der_signature(octets)),
    ];
    let mut cases: Vec<Case<Bank>> = WRONG
        .into_iter()
        .map(|(name, said, change)| {
            let sentence = format!("An ES256 signature of {said} is refused.");
            refuses(
                Good::Logon,
                Token::BadSignature,
                format!("signature/length-{name}"),
                sentence,
                &["ALG-05"],
                move |draft| draft.edit_signature(change),
            )
        })
        .collect();
    for (algorithm, name, change) in [
        (Algorithm::Rs256, "short", WRONG[1].2),
        (Algorithm::Rs256, "long", WRONG[2].2),
        (Algorithm::Rs256, "zero-before", WRONG[3].2),
        (Algorithm::EdDsa, "long", WRONG[2].2),
        (Algorithm::Es384, "short", WRONG[1].2),
    ] {
        let slug = format!("signature/{algorithm}-length-{name}").to_lowercase();
        cases.push(refuses(
            On::LogonBy(algorithm),
            Token::BadSignature,
            slug,
            format!("A signature of {algorithm} of another length is refused."),
            &["ALG-05"],
            move |draft| draft.edit_signature(change),
        ));
    }
    cases
}

impl Bank {
    /// A right logon with a pair.
    pub(crate) async fn logon_draft(&self, pair: &super::key::Pair) -> Outcome<Draft> {
        let url = &self.directory().await?.new_session;
        let payload = self.logon_payload(None, "renewal").await?;
        let by = super::draft::By::Certificate(pair.clone());
        Ok(self.draft(koshin_protocol::operation::Operation::NewSession, url, &by, &payload))
    }
}

fn b64(octets: &[u8]) -> Value {
    json!(base64url::encode(octets))
}

fn coordinate(key: &Value, name: &str) -> Vec<u8> {
    base64url::decode(key[name].as_str().unwrap_or_default()).unwrap_or_default()
}

/// The key of a right findOrder, made wrong.
fn keys() -> Vec<Case<Bank>> {
    type Change = fn(&mut Value);
    const WRONG: [(&str, &str, &str, Change); 16] = [
        ("KEY-01", "private", "the private member `d`", |key| key["d"] = json!("AAAA")),
        ("KEY-01", "use", "`use`", |key| key["use"] = json!("sig")),
        ("KEY-01", "alg", "`alg`", |key| key["alg"] = json!("ES256")),
        ("KEY-01", "kid", "`kid`", |key| key["kid"] = json!("1")),
        ("KEY-01", "key-ops", "`key_ops`", |key| key["key_ops"] = json!(["verify"])),
        ("KEY-01", "x5c", "`x5c`", |key| key["x5c"] = json!(["AAAA"])),
        ("KEY-01", "symmetric", "`k`", |key| key["k"] = json!("AAAA")),
        ("KEY-02", "x-short", "an `x` an octet short", |key| {
            key["x"] = b64(&coordinate(key, "x")[1..]);
        }),
        ("KEY-02", "x-long", "an `x` with a zero octet before it", |key| {
            key["x"] = b64(&[&[0], &coordinate(key, "x")[..]].concat());
        }),
        ("KEY-02", "y-short", "a `y` an octet short", |key| {
            key["y"] = b64(&coordinate(key, "y")[1..]);
        }),
        ("KEY-02", "zeros", "`x` and `y` of zeros", |key| {
            key["x"] = b64(&[0; 32]);
            key["y"] = b64(&[0; 32]);
        }),
        ("KEY-02", "off-curve", "a point that is not on its curve", |key| {
            let mut y = coordinate(key, "y");
            y[31] ^= 1;
            key["y"] = b64(&y);
        }),
        ("KEY-02", "beyond-prime", "an `x` beyond the prime", |key| key["x"] = b64(&[0xff; 32])),
        ("KEY-02", "other-curve", "coordinates of P-256 said to be P-384's", |key| {
            key["crv"] = json!("P-384");
        }),
        ("KEY-02", "exchanged", "`x` and `y` exchanged", |key| {
            let (x, y) = (key["x"].clone(), key["y"].clone());
            (key["x"], key["y"]) = (y, x);
        }),
        ("KEY-02", "y-empty", "an empty `y`", |key| key["y"] = json!("")),
    ];
    let mut cases: Vec<Case<Bank>> = WRONG
        .into_iter()
        .map(|(shows, name, said, change)| {
            let sentence = format!("A JWK with {said} is refused.");
            refuses(
                Good::Find,
                Token::BadPublicKey,
                format!("jwk/{name}"),
                sentence,
                &[shows],
                move |draft| {
                    let mut key = jwk(&draft.key);
                    change(&mut key);
                    draft.set("jwk", key)
                },
            )
        })
        .collect();
    let ed25519: [(&str, &str, [u8; 32]); 4] = [
        ("zeros", "zero", [0; 32]),
        ("identity", "the neutral element", {
            let mut point = [0; 32];
            point[0] = 1;
            point
        }),
        ("order-2", "of order 2", {
            let mut point = [0xff; 32];
            point[0] = 0xec;
            point[31] = 0x7f;
            point
        }),
        ("not-canonical", "not canonical", {
            let mut point = [0xff; 32];
            point[0] = 0xee;
            point[31] = 0x7f;
            point
        }),
    ];
    for (name, said, point) in ed25519 {
        let sentence = format!("An Ed25519 key that is {said} is refused.");
        cases.push(refuses(
            Good::Find,
            Token::BadPublicKey,
            format!("jwk/ed25519-{name}"),
            sentence,
            &["KEY-03"],
            move |draft| {
                draft
                    .set("jwk", json!({ "kty": "OKP", "crv": "Ed25519", "x": b64(&point) }))
                    .set("alg", "EdDSA")
            },
        ));
    }
    let odd = |octets: usize| vec![0xff; octets];
    let rsa: [(&str, &str, Vec<u8>, &str); 7] = [
        ("1024", "of 1024 bits", odd(128), "AQAB"),
        ("2040", "of 2040 bits", odd(255), "AQAB"),
        ("8200", "of 8200 bits", odd(1025), "AQAB"),
        ("even", "with an even modulus", vec![0xfe; 256], "AQAB"),
        ("exponent-3", "with the exponent 3", odd(256), "Aw"),
        ("exponent-1", "with the exponent 1", odd(256), "AQ"),
        ("exponent-even", "with the exponent 65536", odd(256), "AQAA"),
    ];
    for (name, said, modulus, exponent) in rsa {
        let sentence = format!("An RSA key {said} is refused.");
        cases.push(refuses(
            Good::Find,
            Token::BadPublicKey,
            format!("jwk/rsa-{name}"),
            sentence,
            &["KEY-04"],
            move |draft| {
                draft
                    .set("jwk", json!({ "kty": "RSA", "n": b64(&modulus), "e": exponent }))
                    .set("alg", "RS256")
            },
        ));
    }
    cases.push(case("jwk/any-key-may-ask", "findOrder by a right key of each type that no order has is answered, not refused for the key.").shows(&["ORD-31"]).run(|bank: Bank| async move {
        for algorithm in [Algorithm::Es256, Algorithm::Es384, Algorithm::EdDsa] {
            if bank.directory().await?.meta.algorithms.contains(&algorithm) {
                bank.try_find(&Key::of(algorithm)).await?.refused(Token::OrderUnknown)?;
            }
        }
        Ok(())
    }));
    cases
}
