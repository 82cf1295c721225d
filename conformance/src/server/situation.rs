//! Situations in which a bank gives each token of SPEC.md 11.2.

use std::fmt;

use koshin_protocol::operation::Operation;
use koshin_protocol::order::StatusName;
use koshin_protocol::problem::Token;
use koshin_protocol::reissue;
use koshin_protocol::subject::Role;
use koshin_protocol::url::Url;
use serde_json::{Value, json};

use super::Bank;
use super::deed::Ticket;
use super::draft::{By, Draft};
use super::good::Good;
use super::key::{Key, Pair};
use super::person::{DAY, seconds_after};
use crate::case::{Outcome, Prepares as _, Stop};

/// A request that is refused so as often as it is sent.
pub(super) async fn situation(bank: &Bank, token: Token) -> Outcome<Draft> {
    let directory = bank.directory().await?;
    let good = bank.good(Good::Logon).await?;
    Ok(match token {
        Token::Malformed => good.payload("{"),
        Token::NotFound => {
            let logon = bank.log_on(&bank.user().await?).await?;
            let url = directory.new_order.as_str().rsplit_once('/').map_or("", |(base, _)| base);
            let url = parse(format!("{url}/order/AAAAAAAAAAAAAAAAAAAAAA"))?;
            bank.draft(Operation::Read, &url, &logon.by(), &Value::Null)
        }
        Token::BadNonce => good.set("nonce", "AAAAAAAAAAAAAAAAAAAAAA"),
        Token::BadSignature => good.by_key(&Key::new()),
        Token::BadSignatureAlgorithm => good.set("alg", "HS256"),
        Token::BadPublicKey => {
            let find = bank.good(Good::Find).await?;
            let mut jwk = find.header["jwk"].clone();
            jwk["y"] = jwk["x"].clone();
            find.set("jwk", jwk)
        }
        Token::TypeMismatch => good.set("typ", "koshin-logoff+jws"),
        Token::UrlMismatch => good.set("url", directory.new_order.as_str()),
        Token::UnsupportedMediaType => good.with(http::header::CONTENT_TYPE, "application/json"),
        Token::MethodNotAllowed => {
            let mut draft = good;
            draft.method = http::Method::PUT;
            draft
        }
        Token::SessionEnded => {
            let logon = bank.log_on(&bank.user().await?).await?;
            bank.try_log_off(&logon).await?.status(204).prepares("logoff")?;
            bank.draft(Operation::Read, &logon.url, &logon.by(), &Value::Null)
        }
        Token::SessionPurpose => {
            let staged = bank.staged(StatusName::Completed).await?;
            let recovery = bank.recover(&staged.person.pair, None).await?;
            bank.order_draft(&recovery, &Key::new()).await?
        }
        Token::NotAuthorized => {
            let user = bank.user().await?;
            let logon = bank.log_on(&user).await?;
            let payload = json!({ "subject": user.subject });
            bank.draft(Operation::Unlock, &bank.full().await?.unlock, &logon.by(), &payload)
        }
        Token::CertificateUnknown => {
            // A right certificate of a subject, one octet of its signature changed.
            let person = bank.user().await?;
            let mut der = person.pair.certificate.der().to_vec();
            let last = der.len() - 1;
            der[last] ^= 1;
            let certificate =
                koshin_protocol::certificate::Certificate::from_der(&der).map_err(Stop::blocked)?;
            logon(bank, &Pair { key: person.pair.key, certificate }, "renewal").await?
        }
        Token::CertificateNotYetValid => {
            let from = seconds_after(bank.now(), DAY);
            let person = bank.person(bank.wanted(Role::User).await?.from(from)).await?;
            logon(bank, &person.pair, "renewal").await?
        }
        Token::CertificateExpired => {
            let until = seconds_after(bank.now(), -DAY);
            let person = bank.person(bank.wanted(Role::User).await?.until(until)).await?;
            logon(bank, &person.pair, "renewal").await?
        }
        Token::CertificateRevoked => {
            let person = bank.user().await?;
            bank.revoke_itself(&person.pair, "unspecified").await?;
            logon(bank, &person.pair, "renewal").await?
        }
        Token::CertificateSuperseded => {
            let staged = bank.staged(StatusName::Completed).await?;
            logon(bank, &staged.person.pair, "renewal").await?
        }
        Token::EnvironmentUnsupported => {
            if directory.meta.environments.is_empty() {
                return Err(Stop::Skipped("this bank takes every environment".to_owned()));
            }
            good.edit_payload(|payload| payload["environment"]["os"] = json!("no-such-os"))
        }
        Token::PinRequired | Token::PinWrong => {
            let person = bank.person(bank.wanted(Role::User).await?.with_pin("481516")).await?;
            let draft = logon(bank, &person.pair, "renewal").await?;
            let wrong = token == Token::PinWrong;
            draft.edit_payload(|payload| {
                if wrong {
                    payload["pin"] = json!("234242")
                }
            })
        }
        Token::TooEarly => {
            let window = i64::from(directory.meta.window.days());
            let until = seconds_after(bank.now(), (window + 20) * DAY);
            let person = bank.person(bank.wanted(Role::User).await?.until(until)).await?;
            bank.order_draft(&bank.log_on(&person).await?, &Key::new()).await?
        }
        Token::OrderExists => {
            let logon = bank.log_on(&bank.user().await?).await?;
            bank.order(&logon).await?;
            bank.order_draft(&logon, &Key::new()).await?
        }
        Token::ReplacesMismatch | Token::BadCsr | Token::KeyReused | Token::KeyStoreUnsupported => {
            let person = bank.user().await?;
            let logon = bank.log_on(&person).await?;
            match token {
                Token::ReplacesMismatch => {
                    let other = bank.user().await?.pair.cert_id();
                    bank.order_draft(&logon, &Key::new())
                        .await?
                        .edit_payload(|payload| payload["replaces"] = json!(other.as_str()))
                }
                Token::KeyReused => bank.order_draft(&logon, &person.pair.key).await?,
                Token::KeyStoreUnsupported => bank
                    .order_draft(&logon, &Key::new())
                    .await?
                    .edit_payload(|payload| payload["keyStore"] = json!("no-such-store")),
                _ => {
                    let mut csr = Key::new().csr(person.pair.name());
                    let last = csr.len() - 1;
                    csr[last] ^= 1;
                    bank.order_draft_of(&logon, &csr).await?
                }
            }
        }
        Token::OrderUnknown => bank.draft(
            Operation::FindOrder,
            &directory.find_order,
            &By::Key(Key::new()),
            &json!({}),
        ),
        Token::OrderCompleted | Token::OrderCanceled | Token::OrderInvalid | Token::KeyMismatch => {
            let status = match token {
                Token::OrderCompleted => StatusName::Completed,
                Token::OrderCanceled => StatusName::Canceled,
                _ => StatusName::Invalid,
            };
            let staged = bank.staged(status).await?;
            if token == Token::OrderCompleted {
                let by = bank.log_on_by(&staged.pair, None).await?;
                let payload = json!({ "key": staged.order.key.to_string() });
                bank.draft(Operation::Cancel, staged.placed.cancel()?, &by.by(), &payload)
            } else {
                let pair =
                    if token == Token::KeyMismatch { &staged.person.pair } else { &staged.pair };
                bank.draft(
                    Operation::Confirm,
                    &staged.confirm()?,
                    &By::Certificate(pair.clone()),
                    &json!({}),
                )
            }
        }
        Token::RollbackEnded => {
            let staged = bank.staged(StatusName::Completed).await?;
            bank.log_on_by(&staged.pair, None).await?;
            logon(bank, &staged.person.pair, "recovery").await?
        }
        Token::NotSuperseded => logon(bank, &bank.user().await?.pair, "recovery").await?,
        Token::NotRenewable => {
            let person = bank.user().await?;
            bank.revoke_itself(&person.pair, "unspecified").await?;
            let url = parse(format!("{}/{}", directory.renewal_info, person.pair.cert_id()))?;
            let mut draft = bank
                .draft(Operation::Read, &url, &By::Key(Key::new()), &Value::Null)
                .edit_body(Vec::clear);
            draft.method = http::Method::GET;
            draft.without_header(&http::header::CONTENT_TYPE)
        }
        _ => reissuing(bank, token).await?,
    })
}

async fn reissuing(bank: &Bank, token: Token) -> Outcome<Draft> {
    let made = bank.reissued(reissue::StatusName::Pending).await?;
    let url = bank.full().await?.new_reissue;
    let payload = bank.new_reissue(&made.person, "keyLost", &made.ticket);
    let draft = bank.draft(Operation::NewReissue, &url, &made.by.by(), &payload);
    Ok(match token {
        Token::ReissueConflict => {
            draft.edit_payload(|payload| payload["reason"] = json!("unspecified"))
        }
        Token::SubjectUnknown => {
            draft.edit_payload(|payload| payload["subject"] = json!("nobody-has-this-id"))
        }
        Token::SubjectMismatch => draft.edit_payload(|payload| {
            payload["id"] = json!(Ticket::new().id.to_string());
            payload["subjectName"] = json!("CN=Somebody Else,O=Example K.K.,C=JP");
        }),
        Token::ReissueNotAllowed => {
            let own = made.by.session.subject.id.to_string();
            draft.edit_payload(|payload| payload["subject"] = json!(own))
        }
        _ => {
            bank.enrollment_draft(
                &made.ticket.with_wrong_code(),
                made.person.pair.name(),
                &Key::new(),
            )
            .await?
        }
    })
}

async fn logon(bank: &Bank, pair: &Pair, purpose: &str) -> Outcome<Draft> {
    let payload = bank.logon_payload(None, purpose).await?;
    let url = &bank.directory().await?.new_session;
    Ok(bank.draft(Operation::NewSession, url, &By::Certificate(pair.clone()), &payload))
}

fn parse(url: impl fmt::Display) -> Outcome<Url> {
    Url::parse(&url.to_string()).map_err(|_| Stop::blocked("a URL of the suite"))
}
