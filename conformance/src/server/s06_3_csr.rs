//! SPEC.md 6.3: certificate signing requests.

use koshin_protocol::algorithm::{Algorithm, KeyType, X509Algorithm};
use koshin_protocol::certificate::{Attribute, Name};
use koshin_protocol::order::Order;
use koshin_protocol::problem::{Problem, Token};
use serde_json::json;

use super::csr::{Csr, authority, in_bmp_strings, subject_alt_name, tlv};
use super::deed::Logon;
use super::key::Key;
use super::{Bank, case};
use crate::case::{Case, Need, Outcome, Prepares as _, Stop, ensure};

/// The cases of this section.
pub(super) fn cases() -> Vec<Case<Bank>> {
    let mut cases = forms();
    cases.extend(contents());
    cases.extend(subjects());
    cases.push(
        case(
            "csr/subject-other-string-types",
            "A CSR whose subject is the signer's name in other string types is accepted, and what is issued has the name.",
        )
        .shows(&["CSR-08", "NAM-05", "CRT-01"])
        .run(other_string_types),
    );
    cases.extend(reused());
    cases.extend(accepted());
    cases.push(
        case("csr/one-octet-changed", "A CSR that was changed in one octet is accepted nowhere.")
            .shows(&["CSR-04", "CSR-01"])
            .run(one_octet),
    );
    cases.push(
        case(
            "csr/enrollment-other-key",
            "An enrollment whose CSR has another key than its `jwk` is refused.",
        )
        .shows(&["CSR-10"])
        .needs(&[Need::Full])
        .run(other_key),
    );
    cases
}

/// Orders with a wrong CSR, and then with a right one.
async fn refused(bank: &Bank, logon: &Logon, csr: &[u8], token: Token) -> Outcome<Problem> {
    let wrong = bank.order_draft_of(logon, csr).await?;
    let right = bank.order_draft(logon, &Key::new()).await?;
    let (problem, _) = bank.refuses_before(wrong, token, right).await?;
    Ok(problem)
}

fn reason(problem: &Problem, expected: &str) -> Outcome {
    let value = serde_json::to_value(problem).unwrap_or_default();
    let said = value["reason"].as_str().unwrap_or_default();
    ensure(said == expected, format_args!("`reason` {expected}"), said)
}

fn forms() -> Vec<Case<Bank>> {
    type Change = fn(Vec<u8>) -> Vec<u8>;
    const WRONG: [(&str, &str, Change); 7] = [
        ("octet-after", "with an octet after it", |mut der| {
            der.push(0);
            der
        }),
        ("cut", "without its last octet", |mut der| {
            der.pop();
            der
        }),
        ("empty", "without octets", |_| Vec::new()),
        ("twice", "twice", |der| [&der[..], &der].concat()),
        ("pem", "in PEM", |der| {
            let text = koshin_protocol::base64url::encode_standard(&der);
            format!(
                "-----BEGIN CERTIFICATE REQUEST-----\n{text}\n-----END CERTIFICATE REQUEST-----\n"
            )
            .into_bytes()
        }),
        ("indefinite-length", "in BER of indefinite length", |der| {
            // The outer SEQUENCE has a length of two octets after 0x82 or one after 0x81.
            let content = if der[1] == 0x82 { &der[4..] } else { &der[3..] };
            [&[0x30, 0x80], content, &[0, 0]].concat()
        }),
        ("in-a-sequence", "in a further SEQUENCE", |der| tlv(0x30, &der)),
    ];
    let mut cases: Vec<Case<Bank>> = WRONG
        .into_iter()
        .map(|(name, said, change)| {
            case(format!("csr/{name}"), format!("A CSR {said} is malformed."))
                .shows(&["CSR-01"])
                .run(move |bank: Bank| async move {
                    let logon = bank.log_on(&bank.user().await?).await?;
                    let csr = change(Key::new().csr(logon.pair.name()));
                    refused(&bank, &logon, &csr, Token::Malformed).await.map(drop)
                })
        })
        .collect();
    cases.push(
        case("csr/certificate", "A certificate in place of a CSR is malformed.")
            .shows(&["CSR-01"])
            .run(|bank: Bank| async move {
                let logon = bank.log_on(&bank.user().await?).await?;
                let der = logon.pair.certificate.der().to_vec();
                refused(&bank, &logon, &der, Token::Malformed).await.map(drop)
            }),
    );
    cases.push(case("csr/version-1", "A CSR of version 1 is malformed.").shows(&["CSR-01"]).run(
        |bank: Bank| async move {
            let logon = bank.log_on(&bank.user().await?).await?;
            let key = Key::new();
            let csr = Csr { version: 1, ..Csr::new(logon.pair.name(), &key) }.signed(&key);
            refused(&bank, &logon, &csr, Token::Malformed).await.map(drop)
        },
    ));
    cases
}

/// What is wrong in a CSR of right form: by whom it is signed, and what it asks for.
fn contents() -> Vec<Case<Bank>> {
    type Make = fn(&Name) -> Vec<u8>;
    const WRONG: [(&str, &str, &str, &str, Make); 12] = [
        ("CSR-02", "rsa", "of an RSA key", "keyType", |name| {
            let key = Key::of(Algorithm::Rs256);
            Csr::new(name, &key).signed(&key)
        }),
        ("CSR-03", "off-curve", "of a point that is not on its curve", "key", |name| {
            let key = Key::new();
            let mut csr = Csr::new(name, &key);
            let last = csr.spki.len() - 1;
            csr.spki[last] ^= 1;
            csr.signed(&key)
        }),
        ("CSR-03", "ed25519-small-order", "of an Ed25519 key of small order", "key", |name| {
            let key = Key::of(Algorithm::EdDsa);
            let mut csr = Csr::new(name, &key);
            let begin = csr.spki.len() - 32;
            csr.spki[begin..].fill(0);
            csr.spki[begin] = 1;
            csr.signed(&key)
        }),
        ("CSR-04", "signed-by-another", "that another key signed", "signature", |name| {
            Csr::new(name, &Key::new()).signed(&Key::new())
        }),
        (
            "CSR-04",
            "signature-of-another",
            "with the signature of another CSR",
            "signature",
            |name| {
                let key = Key::new();
                let mut other = Csr::new(name, &key).with_password().signed(&key);
                let mut csr = Csr::new(name, &key).signed(&key);
                // The signature is the last element of both: 64 octets and their headers, more or less a zero.
                let tail = other.split_off(other.len() - 60);
                let at = csr.len() - 60;
                csr.truncate(at);
                csr.extend(tail);
                csr
            },
        ),
        (
            "CSR-04",
            "p256-with-sha384",
            "of a P-256 key said to be signed with SHA-384",
            "signature",
            |name| {
                let key = Key::new();
                Csr { algorithm: X509Algorithm::EcdsaSha384, ..Csr::new(name, &key) }.signed(&key)
            },
        ),
        (
            "CSR-04",
            "p384-with-sha256",
            "of a P-384 key said to be signed with SHA-256",
            "signature",
            |name| {
                let key = Key::of(Algorithm::Es384);
                Csr { algorithm: X509Algorithm::EcdsaSha256, ..Csr::new(name, &key) }.signed(&key)
            },
        ),
        ("CSR-05", "challenge-password", "with a challenge password", "attribute", |name| {
            let key = Key::new();
            Csr::new(name, &key).with_password().signed(&key)
        }),
        ("CSR-05", "two-extension-requests", "with two extensionRequests", "attribute", |name| {
            let key = Key::new();
            Csr::new(name, &key).asking_for(&[]).asking_for(&[]).signed(&key)
        }),
        ("CSR-06", "subject-alt-name", "that asks for a subjectAltName", "extension", |name| {
            let key = Key::new();
            Csr::new(name, &key).asking_for(&subject_alt_name()).signed(&key)
        }),
        ("CSR-06", "authority", "that asks to be an authority", "extension", |name| {
            let key = Key::new();
            Csr::new(name, &key).asking_for(&authority()).signed(&key)
        }),
        ("CSR-08", "no-subject", "without a subject", "subject", |_| {
            let key = Key::new();
            let name = Name::new(&[(Attribute::CommonName, "x")]).expect("a short text");
            Csr { subject: tlv(0x30, &[]), ..Csr::new(&name, &key) }.signed(&key)
        }),
    ];
    WRONG
        .into_iter()
        .map(|(shows, name, said, expected, make)| {
            case(
                format!("csr/{name}"),
                format!("A CSR {said} is refused with reason `{expected}`."),
            )
            .shows(&[shows])
            .run(move |bank: Bank| async move {
                let needed = match name {
                    "ed25519-small-order" => Some(KeyType::Ed25519),
                    "p384-with-sha256" => Some(KeyType::P384),
                    _ => None,
                };
                let types = &bank.directory().await?.meta.key_types;
                if let Some(missing) = needed.filter(|needed| !types.contains(needed)) {
                    return Err(Stop::Skipped(format!("this bank issues to no {missing:?} keys")));
                }
                let logon = bank.log_on(&bank.user().await?).await?;
                let csr = make(logon.pair.name());
                let problem = refused(&bank, &logon, &csr, Token::BadCsr).await?;
                reason(&problem, expected)
            })
        })
        .collect()
}

fn subjects() -> Vec<Case<Bank>> {
    ["of-another-subject", "other-case", "less-an-attribute", "with-a-space"]
        .into_iter()
        .map(|what| {
            case(
                format!("csr/subject-{what}"),
                "A CSR with another subject than the signer's is refused with reason `subject`.",
            )
            .shows(&["CSR-08"])
            .run(move |bank: Bank| async move {
                let person = bank.user().await?;
                let logon = bank.log_on(&person).await?;
                let own = person.pair.name().clone();
                let text = own.as_str().to_owned();
                let key = Key::new();
                let mut csr = Csr::new(&own, &key);
                match what {
                    "of-another-subject" => {
                        csr.subject = bank.user().await?.pair.name().der().to_vec();
                    }
                    "less-an-attribute" => csr.subject = without_first(own.der())?,
                    _ => {
                        // Same length, so that the DER stays one: the last letter of the last attribute.
                        let at = csr.subject.iter().rposition(u8::is_ascii_alphabetic);
                        let at = at.ok_or_else(|| Stop::Skipped(format!("no letter in {text}")))?;
                        csr.subject[at] =
                            if what == "other-case" { csr.subject[at] ^ 0x20 } else { b' ' };
                    }
                }
                let problem = refused(&bank, &logon, &csr.signed(&key), Token::BadCsr).await?;
                reason(&problem, "subject")
            })
        })
        .collect()
}

async fn other_string_types(bank: Bank) -> Outcome {
    let person = bank.user().await?;
    let logon = bank.log_on(&person).await?;
    let (name, key) = (person.pair.name(), Key::new());
    let subject = in_bmp_strings(name).map_err(Stop::blocked)?;
    if subject == name.der() {
        return Err(Stop::Skipped(format!("{name} is in BMPString already")));
    }
    let csr = Csr { subject, ..Csr::new(name, &key) }.signed(&key);
    let order = bank.deliver(bank.order_draft_of(&logon, &csr).await?).await?.object(201)?;
    let issued = bank.until_valid(super::deed::Placed { order, key }).await?.pair()?;
    ensure(issued.name() == name, name, issued.name())
}

/// A name without its first RDN.
fn without_first(der: &[u8]) -> Outcome<Vec<u8>> {
    let short = || Stop::blocked("the subject's name is longer than this case expects");
    if der.get(1).is_none_or(|&length| length >= 0x80)
        || der.get(3).is_none_or(|&length| length >= 0x80)
    {
        return Err(short());
    }
    let first = usize::from(der[3]) + 2;
    Ok(tlv(0x30, &der[2 + first..]))
}

fn reused() -> Vec<Case<Bank>> {
    let about = |what: &str| format!("A CSR with the key of {what} is refused.");
    vec![
        case("key/own-current", about("the certificate to be renewed")).shows(&["CSR-09"]).run(
            |bank: Bank| async move {
                let logon = bank.log_on(&bank.user().await?).await?;
                let csr = logon.pair.key.csr(logon.pair.name());
                refused(&bank, &logon, &csr, Token::KeyReused).await.map(drop)
            },
        ),
        case("key/own-canceled-order", about("an own canceled order, for another certificate"))
            .shows(&["CSR-09"])
            .run(|bank: Bank| async move {
                let person = bank.user().await?;
                let logon = bank.log_on(&person).await?;
                let placed = bank.order(&logon).await?;
                bank.cancel(&placed, &logon).await?;
                // The same key and `replaces` give the canceled order; for a successor it is another order's key.
                let again: Order = bank.try_order(&logon, &placed.key).await?.object(200)?;
                ensure(again.url == placed.order.url, "the canceled order", &again.url)?;
                let other = bank.log_on(&bank.user().await?).await?;
                let csr = placed.key.csr(other.pair.name());
                refused(&bank, &other, &csr, Token::KeyReused).await.map(drop)
            }),
        case("key/of-another-certificate", about("another subject's certificate"))
            .shows(&["CSR-09"])
            .run(|bank: Bank| async move {
                let logon = bank.log_on(&bank.user().await?).await?;
                let csr = bank.user().await?.pair.key.csr(logon.pair.name());
                refused(&bank, &logon, &csr, Token::KeyReused).await.map(drop)
            }),
        case("key/of-another-order", about("another subject's open order")).shows(&["CSR-09"]).run(
            |bank: Bank| async move {
                let other = bank.log_on(&bank.user().await?).await?;
                let placed = bank.order(&other).await?;
                let logon = bank.log_on(&bank.user().await?).await?;
                let csr = placed.key.csr(logon.pair.name());
                refused(&bank, &logon, &csr, Token::KeyReused).await.map(drop)
            },
        ),
        case("key/of-revoked-certificate", about("another subject's revoked certificate"))
            .shows(&["CSR-09"])
            .run(|bank: Bank| async move {
                let other = bank.user().await?;
                bank.revoke_itself(&other.pair, "keyCompromise").await?;
                let logon = bank.log_on(&bank.user().await?).await?;
                let csr = other.pair.key.csr(logon.pair.name());
                refused(&bank, &logon, &csr, Token::KeyReused).await.map(drop)
            }),
    ]
}

fn accepted() -> Vec<Case<Bank>> {
    let mut cases: Vec<Case<Bank>> = [
        (Algorithm::Es256, KeyType::P256),
        (Algorithm::Es384, KeyType::P384),
        (Algorithm::EdDsa, KeyType::Ed25519),
    ]
    .into_iter()
    .map(|(algorithm, key_type)| {
        let slug = format!("csr/accepted-{}", key_type.as_str()).to_lowercase();
        case(
            slug,
            format!(
                "A CSR of a {} key without attributes is accepted, and its key certified.",
                key_type.as_str()
            ),
        )
        .shows(&["CSR-07", "CRT-11"])
        .run(move |bank: Bank| async move {
            if !bank.directory().await?.meta.key_types.contains(&key_type) {
                return Err(Stop::Skipped(format!(
                    "this bank issues to no {} keys",
                    key_type.as_str()
                )));
            }
            let logon = bank.log_on(&bank.user().await?).await?;
            let key = Key::of(algorithm);
            let order = bank.try_order(&logon, &key).await?.object(201)?;
            let placed = bank.until_valid(super::deed::Placed { order, key }).await?;
            placed.pair()?;
            bank.confirm(&placed).await.map(drop)
        })
    })
    .collect();
    cases.push(
        case(
            "csr/accepted-empty-extension-request",
            "A CSR with an extensionRequest of no extensions is accepted.",
        )
        .shows(&["CSR-07"])
        .run(|bank: Bank| async move {
            let logon = bank.log_on(&bank.user().await?).await?;
            let key = Key::new();
            let csr = Csr::new(logon.pair.name(), &key).asking_for(&[]).signed(&key);
            bank.deliver(bank.order_draft_of(&logon, &csr).await?)
                .await?
                .object::<Order>(201)
                .map(drop)
        }),
    );
    cases
}

async fn one_octet(bank: Bank) -> Outcome {
    let logon = bank.log_on(&bank.user().await?).await?;
    let key = Key::new();
    let right = key.csr(logon.pair.name());
    for _ in 0..24 {
        let mut csr = right.clone();
        let at = bank.choose(csr.len());
        csr[at] ^= 1 << bank.choose(8);
        let answer = bank.deliver(bank.order_draft_of(&logon, &csr).await?).await?;
        answer.refused_with(&[Token::Malformed, Token::BadCsr])?;
    }
    let answer = bank.deliver(bank.order_draft_of(&logon, &right).await?).await?;
    answer.object::<Order>(201).prepares("the CSR unchanged").map(drop)
}

async fn other_key(bank: Bank) -> Outcome {
    let (administrator, user) = bank.contract().await?;
    let logon = bank.log_on(&administrator).await?;
    let (ticket, _, _) = bank.reissue(&logon, &user, "keyLost").await?;
    let key = Key::new();
    let right = bank.new_enrollment(&ticket, user.pair.name(), &key).await?;
    let mut wrong = right.clone();
    wrong["csr"] = json!(koshin_protocol::base64url::encode(&Key::new().csr(user.pair.name())));
    let problem = bank.try_enroll(&key, wrong).await?.refused(Token::BadCsr)?;
    reason(&problem, "key")?;
    bank.try_enroll(&key, right).await?.status(201).prepares("the enrollment with its own key")
}
