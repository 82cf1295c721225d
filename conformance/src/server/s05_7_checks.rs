//! SPEC.md 5.7: the order of checks.

use koshin_protocol::problem::Token;
use koshin_protocol::subject::Role;
use serde_json::json;

use super::draft::Draft;
use super::good::Good;
use super::key::Key;
use super::person::{DAY, seconds_after};
use super::refusal::refuses;
use super::{Bank, case};
use crate::case::{Case, Need, Outcome, ensure};

/// The cases of this section.
pub(super) fn cases() -> Vec<Case<Bank>> {
    type Defects = fn(Draft) -> Draft;
    let pairs: [(&str, &str, Token, Defects); 8] = [
        (
            "jws-before-operation",
            "A further header member is told before a wrong `typ`.",
            Token::Malformed,
            |draft| draft.set("crit", json!(["x"])).set("typ", "koshin-read+jws"),
        ),
        (
            "jws-before-key",
            "A further header member is told before a wrong `alg`.",
            Token::Malformed,
            |draft| draft.set("crit", json!(["x"])).set("alg", "none"),
        ),
        (
            "operation-before-key",
            "A wrong `typ` is told before a wrong `alg`.",
            Token::TypeMismatch,
            |draft| draft.set("typ", "koshin-read+jws").set("alg", "none"),
        ),
        (
            "url-before-nonce",
            "A wrong `url` is told before a wrong nonce.",
            Token::UrlMismatch,
            |draft| {
                let url = format!("{}/x", draft.header["url"].as_str().unwrap_or_default());
                draft.set("url", url).set("nonce", "AAAAAAAAAAAAAAAAAAAAAA")
            },
        ),
        (
            "key-before-nonce",
            "A wrong `alg` is told before a wrong nonce.",
            Token::BadSignatureAlgorithm,
            |draft| draft.set("alg", "none").set("nonce", "AAAAAAAAAAAAAAAAAAAAAA"),
        ),
        (
            "nonce-before-signature",
            "A wrong nonce is told before a wrong signature.",
            Token::BadNonce,
            |draft| {
                draft.set("nonce", "AAAAAAAAAAAAAAAAAAAAAA").edit_signature(|octets| octets[0] ^= 1)
            },
        ),
        (
            "signature-before-payload",
            "A wrong signature is told before a malformed payload.",
            Token::BadSignature,
            |draft| draft.payload("{}").edit_signature(|octets| octets[0] ^= 1),
        ),
        (
            "payload-before-state",
            "A malformed payload is told before an unsupported environment.",
            Token::Malformed,
            |draft| {
                draft.edit_payload(|payload| {
                    payload["environment"]["os"] = json!("unknown");
                    payload["further"] = json!(1);
                })
            },
        ),
    ];
    let mut cases: Vec<Case<Bank>> = pairs
        .into_iter()
        .map(|(name, sentence, token, defects)| {
            refuses(Good::Logon, token, format!("checks/{name}"), sentence, &["CHK-01"], defects)
        })
        .collect();
    cases.push(
        case(
            "checks/signer-before-payload",
            "A superseded certificate is told before a malformed payload.",
        )
        .shows(&["CHK-01"])
        .run(|bank: Bank| async move {
            let person = bank.user().await?;
            bank.renew(&person).await?;
            bank.try_log_on(&person.pair, json!({}))
                .await?
                .refused(Token::CertificateSuperseded)
                .map(drop)
        }),
    );
    cases.push(
        case(
            "checks/revoked-before-expired",
            "A certificate that is revoked and expired is told to be revoked.",
        )
        .shows(&["CHK-01"])
        .needs(&[Need::Time])
        .run(|bank: Bank| async move {
            let person = bank.user_for(8).await?;
            bank.revoke_itself(&person.pair, "unspecified").await?;
            bank.wait_until(seconds_after(person.pair.not_after(), 2)).await;
            bank.try_log_on_for(&person.pair, None, "renewal")
                .await?
                .refused(Token::CertificateRevoked)
                .map(drop)
        }),
    );
    cases.extend(untold());
    cases.push(
        case(
            "checks/refused-changes-nothing",
            "A logon that is refused does not end the session of the certificate.",
        )
        .shows(&["CHK-03"])
        .run(refused_changes_nothing),
    );
    cases
}

/// Who did not sign is not told how things stand.
fn untold() -> Vec<Case<Bank>> {
    ["superseded", "revoked", "expired", "not-yet-valid"]
        .into_iter()
        .map(|state| {
            case(
                format!("untold/{state}"),
                format!("Who has not the key of a certificate is not told that it is {state}."),
            )
            .shows(&["CHK-02"])
            .run(move |bank: Bank| async move {
                let wanted = bank.wanted(Role::User).await?;
                let now = bank.now();
                let person = match state {
                    "expired" => bank.person(wanted.until(seconds_after(now, -DAY))).await?,
                    "not-yet-valid" => bank.person(wanted.from(seconds_after(now, DAY))).await?,
                    _ => bank.person(wanted).await?,
                };
                let token = match state {
                    "superseded" => {
                        bank.renew(&person).await?;
                        Token::CertificateSuperseded
                    }
                    "revoked" => {
                        bank.revoke_itself(&person.pair, "unspecified").await?;
                        Token::CertificateRevoked
                    }
                    "expired" => Token::CertificateExpired,
                    _ => Token::CertificateNotYetValid,
                };
                let mut thief = person.pair.clone();
                thief.key = Key::new();
                bank.try_log_on_for(&person.pair, None, "renewal").await?.refused(token)?;
                bank.try_log_on_for(&thief, None, "renewal")
                    .await?
                    .refused(Token::BadSignature)
                    .map(drop)
            })
        })
        .collect()
}

async fn refused_changes_nothing(bank: Bank) -> Outcome {
    let person = bank.user().await?;
    let logon = bank.log_on(&person).await?;
    let mut payload = bank.logon_payload(None, "renewal").await?;
    payload["further"] = json!(1);
    bank.try_log_on(&person.pair, payload).await?.refused(Token::Malformed)?;
    let payload = bank.logon_payload(None, "recovery").await?;
    let answer = bank.try_log_on(&person.pair, payload).await?;
    answer.refused(Token::NotSuperseded)?;
    ensure(bank.is_active(&logon).await?, "the session active", "ended")
}
