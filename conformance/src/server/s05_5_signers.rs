//! SPEC.md 5.5: who may sign what.

use koshin_protocol::certificate::{
    Attribute, CLIENT_AUTH, Certificate, KeyUsages, Kind, Name, Profile, key_id,
};
use koshin_protocol::operation::Operation;
use koshin_protocol::order::StatusName;
use koshin_protocol::problem::Token;
use koshin_protocol::subject::Role;
use koshin_protocol::url::Url;
use serde_json::{Value, json};

use super::deed::remedy;
use super::draft::By;
use super::key::{Key, Pair};
use super::person::{DAY, Person, seconds_after};
use super::refusal::alike;
use super::{Bank, case, kebab};
use crate::case::{Case, Need, Outcome, Prepares as _, Stop, ensure};
use crate::control::Request;

/// The cases of this section.
pub(super) fn cases() -> Vec<Case<Bank>> {
    let mut cases = sessions();
    cases.extend(purposes());
    cases.extend(roles());
    cases.extend(foreign());
    cases.extend(states());
    cases.extend(unknown());
    cases
}

fn sessions() -> Vec<Case<Bank>> {
    let refused = |name: &str, sentence: &str, kid: fn(&str) -> String| {
        case(format!("session/{name}"), sentence).shows(&["AUT-02"]).run(
            move |bank: Bank| async move {
                let logon = bank.log_on(&bank.user().await?).await?;
                let right = bank.draft(Operation::Read, &logon.url, &logon.by(), &Value::Null);
                let wrong = right.clone().set("kid", kid(logon.url.as_str()));
                bank.refuses_before(wrong, Token::SessionEnded, right).await.map(drop)
            },
        )
    };
    vec![
        refused("unknown", "A `kid` that names no session is refused.", |url| {
            let at = url.rfind('/').map_or(0, |at| at + 1);
            format!("{}{}", &url[..at], "A".repeat(url.len() - at))
        }),
        refused(
            "kid-no-session",
            "A `kid` below the base that is another resource is refused.",
            |url| {
                let at = url.rfind('/').unwrap_or(0);
                format!("{}/directory", &url[..at])
            },
        ),
        case("session/logged-off", "A session that was logged off signs nothing more.")
            .shows(&["AUT-02"])
            .run(|bank: Bank| async move {
                let logon = bank.log_on(&bank.user().await?).await?;
                bank.read_session(&logon).await.prepares("the session before")?;
                bank.try_log_off(&logon).await?.status(204).prepares("logoff")?;
                bank.read(&logon.url, &logon.by()).await?.refused(Token::SessionEnded)?;
                bank.try_order(&logon, &Key::new()).await?.refused(Token::SessionEnded).map(drop)
            }),
        case("session/of-another", "A session reads and ends no other session.")
            .shows(&["AUT-02"])
            .run(|bank: Bank| async move {
                let one = bank.log_on(&bank.user().await?).await?;
                let other = bank.log_on(&bank.user().await?).await?;
                bank.read(&other.url, &one.by()).await?.refused(Token::SessionEnded)?;
                let answer = bank
                    .post(Operation::Logoff, &other.session.logoff, &one.by(), json!({}))
                    .await?;
                answer.refused(Token::SessionEnded)?;
                ensure(
                    bank.is_active(&other).await? && bank.is_active(&one).await?,
                    "both sessions active",
                    "one ended",
                )
            }),
        case("session/stolen-url", "The URL of a session without its key signs nothing.")
            .shows(&["JWS-08", "CHK-02"])
            .run(|bank: Bank| async move {
                let logon = bank.log_on(&bank.user().await?).await?;
                let thief = By::Session(logon.url.clone(), Key::new());
                bank.read(&logon.url, &thief).await?.refused(Token::BadSignature)?;
                ensure(bank.is_active(&logon).await?, "the session active", "ended")
            }),
    ]
}

fn purposes() -> Vec<Case<Bank>> {
    let mut cases: Vec<Case<Bank>> = ["newOrder", "contract", "pin", "revokeCert", "unlock", "newReissue"]
        .into_iter()
        .map(|what| {
            case(format!("purpose/recovery-{}", kebab(what)), format!("A recovery session is refused for {what}."))
                .shows(&["AUT-03"])
                .needs(&[Need::Rollback, Need::Full])
                .run(move |bank: Bank| async move {
                    let person = bank.administrator().await?;
                    let logon = bank.log_on(&person).await?;
                    let contract = logon.contract()?;
                    let placed = bank.order(&logon).await?;
                    bank.confirm(&placed).await?;
                    let recovery = bank.recover(&person.pair, None).await?;
                    let (directory, full) = (bank.directory().await?, bank.full().await?);
                    let answer = match what {
                        "contract" => bank.read(&contract, &recovery.by()).await?,
                        "newOrder" => bank.try_order(&recovery, &Key::new()).await?,
                        "pin" => bank.post(Operation::Pin, &full.pin, &recovery.by(), json!({ "old": "1111", "new": "2222" })).await?,
                        "unlock" => bank.post(Operation::Unlock, &full.unlock, &recovery.by(), json!({ "subject": person.subject })).await?,
                        "newReissue" => bank.post(Operation::NewReissue, &full.new_reissue, &recovery.by(), json!({})).await?,
                        _ => {
                            let payload = json!({ "certID": person.pair.cert_id().as_str(), "reason": "unspecified" });
                            bank.post(Operation::RevokeCert, &directory.revoke_cert, &recovery.by(), payload).await?
                        }
                    };
                    answer.refused(Token::SessionPurpose).map(drop)
                })
        })
        .collect();
    cases.push(
        case("purpose/renewal-rollback", "A renewal session does not roll back.")
            .shows(&["AUT-03"])
            .needs(&[Need::Rollback])
            .run(|bank: Bank| async move {
                let person = bank.user().await?;
                let renewed = bank.renew(&person).await?;
                let recovery = bank.recover(&person.pair, None).await?;
                let url = recovery.rollback()?;
                let other = bank.log_on(&bank.user().await?).await?;
                let payload = json!({ "key": renewed.completed.key.to_string() });
                bank.post(Operation::Rollback, &url, &other.by(), payload)
                    .await?
                    .refused(Token::SessionPurpose)?;
                let answer = bank.try_roll_back(&renewed.completed, &recovery).await?;
                answer.status(200).prepares("the same rollback by the recovery session")
            }),
    );
    cases
}

fn roles() -> Vec<Case<Bank>> {
    ["newReissue", "unlock", "revokeCert"]
        .into_iter()
        .map(|what| {
            case(format!("role/user-{}", kebab(what)), format!("A user is refused for {what}, and an administrator is not."))
                .shows(&["AUT-04"])
                .needs(&[Need::Full])
                .run(move |bank: Bank| async move {
                    let (administrator, user) = bank.contract().await?;
                    let peer = bank.wanted(Role::User).await?.of("together");
                    let peer = bank.log_on(&bank.person(peer).await?).await?;
                    let right = bank.log_on(&administrator).await?;
                    for (logon, token) in [(peer, Some(Token::NotAuthorized)), (right, None)] {
                        let ticket = super::deed::Ticket::new();
                        let answer = match what {
                            "newReissue" => bank.try_reissue(&logon, bank.new_reissue(&user, "keyLost", &ticket)).await?,
                            "unlock" => bank.try_unlock(&logon, &user.subject).await?,
                            _ => {
                                let payload = json!({ "certID": user.pair.cert_id().as_str(), "reason": "unspecified" });
                                bank.try_revoke(&logon.by(), payload).await?
                            }
                        };
                        match token {
                            Some(token) => answer.refused(token).map(drop)?,
                            None if answer.is_good() => {}
                            None => return Err(answer.not("success")).prepares("the same by an administrator"),
                        }
                    }
                    Ok(())
                })
        })
        .collect()
}

/// The same URL with another name in it, which nothing has.
fn absent(url: &Url) -> Outcome<Url> {
    let named = url
        .path()
        .split('/')
        .filter(|segment| segment.len() >= 22)
        .max_by_key(|segment| segment.len());
    let named = named.ok_or_else(|| Stop::blocked(format_args!("no random name in {url}")))?;
    let other = "A".repeat(named.len());
    Url::parse(&url.as_str().replace(named, &other))
        .map_err(|_| Stop::blocked("a URL of the suite"))
}

fn foreign() -> Vec<Case<Bank>> {
    [
        "order",
        "order-by-key",
        "certificate",
        "certificate-by-key",
        "certificate-by-certificate",
        "contract",
        "cancel",
        "confirm",
    ]
    .into_iter()
    .map(|what| {
        case(
            format!("foreign/{what}"),
            "What is somebody else's is not found, and looks like what is absent.",
        )
        .shows(&["AUT-05", "AUT-06"])
        .run(move |bank: Bank| async move {
            let owner = bank.log_on(&bank.user().await?).await?;
            let placed = bank.order(&owner).await?;
            let issued = placed.issued()?;
            let stranger = bank.log_on(&bank.user().await?).await?;
            let own = bank.order(&stranger).await?;
            let key = json!({ "key": placed.order.key.to_string() });
            let (operation, url, by, payload) = match what {
                "order" => (Operation::Read, placed.url(), stranger.by(), json!(null)),
                "order-by-key" => (Operation::Read, placed.url(), own.by_key(), json!(null)),
                "certificate" => (Operation::Read, &issued.certificate, stranger.by(), json!(null)),
                "certificate-by-key" => {
                    (Operation::Read, &issued.certificate, own.by_key(), json!(null))
                }
                "certificate-by-certificate" => (
                    Operation::Read,
                    &issued.certificate,
                    By::Certificate(own.pair()?),
                    json!(null),
                ),
                "contract" => (Operation::Read, &owner.contract()?, stranger.by(), json!(null)),
                "cancel" => (Operation::Cancel, placed.cancel()?, stranger.by(), key),
                _ => (
                    Operation::Confirm,
                    &issued.confirm,
                    By::Certificate(stranger.pair.clone()),
                    json!({}),
                ),
            };
            let foreign = bank.post(operation, url, &by, payload.clone()).await?;
            foreign.refused(Token::NotFound)?;
            let absent = bank.post(operation, &absent(url)?, &by, payload).await?;
            absent.refused(Token::NotFound)?;
            alike(&absent, &foreign)?;
            let order = bank
                .read_order(placed.url(), &placed.by_key())
                .await
                .prepares("the owner's read")?;
            ensure(
                order.status.name() == StatusName::Valid,
                "the order still `valid`",
                order.status.name(),
            )
        })
    })
    .collect()
}

/// A person whose certificate is superseded, and its successor.
async fn renewed(bank: &Bank) -> Outcome<(Person, Pair)> {
    let person = bank.user().await?;
    let renewed = bank.renew(&person).await?;
    Ok((person, renewed.pair))
}

async fn disabled(bank: Bank) -> Outcome {
    let (other, person) = bank.contract().await?;
    let logon = bank.log_on(&person).await?;
    let placed = bank.order(&logon).await?;
    bank.read_session(&logon).await.prepares("the session before")?;
    bank.control(Request::Disable { subject: person.subject.clone() }).await?;
    let refused = bank.refused_logon(&person.pair, Token::SubjectDisabled).await?;
    remedy(&refused, "stop")?;
    bank.read(&logon.url, &logon.by()).await?.refused(Token::SubjectDisabled)?;
    let (confirm, new) = (&placed.issued()?.confirm, placed.pair()?);
    bank.try_confirm(confirm, &new, json!({})).await?.refused(Token::SubjectDisabled)?;
    let payload = json!({ "certID": person.pair.cert_id().as_str(), "reason": "unspecified" });
    bank.try_revoke(&By::Certificate(person.pair), payload)
        .await?
        .refused(Token::SubjectDisabled)?;
    bank.log_on(&other).await.map(drop)
}

fn states() -> Vec<Case<Bank>> {
    vec![
        case("superseded/logon", "A superseded certificate does not log on, and is told its successor.").shows(&["AUT-07", "SES-07"]).run(|bank: Bank| async move {
            let (person, new) = renewed(&bank).await?;
            let answer = bank.try_log_on_for(&person.pair, None, "renewal").await?;
            let problem = answer.refused(Token::CertificateSuperseded)?;
            let said = answer.value()["successor"].as_str().unwrap_or_default().to_owned();
            ensure(said == new.cert_id().as_str(), format_args!("`successor` {}", new.cert_id()), said)?;
            ensure(problem.remedy.action.as_str() == "useSuccessor", "useSuccessor", problem.remedy.action.as_str())?;
            bank.log_on_by(&new, None).await.map(drop)
        }),
        case("superseded/session", "The sessions of a superseded certificate have ended.").shows(&["CFM-04"]).run(|bank: Bank| async move {
            let logon = bank.log_on(&bank.user().await?).await?;
            let placed = bank.order(&logon).await?;
            bank.confirm(&placed).await?;
            bank.read(&logon.url, &logon.by()).await?.refused(Token::SessionEnded).map(drop)
        }),
        case("superseded/reads-itself", "A superseded certificate within its validity may revoke itself, and nothing else but recover.").shows(&["AUT-07"]).run(|bank: Bank| async move {
            let (person, new) = renewed(&bank).await?;
            let next = bank.log_on_by(&new, None).await?;
            ensure(next.session.order.is_none(), "no open order", "one")?;
            let payload = json!({ "certID": person.pair.cert_id().as_str(), "reason": "unspecified" });
            bank.try_revoke(&By::Certificate(person.pair), payload).await?.status(200)?;
            ensure(bank.is_active(&next).await?, "the successor's session active", "ended")
        }),
        case("expired/logon", "An expired certificate does not log on.").shows(&["AUT-08"]).run(|bank: Bank| async move {
            bank.good(super::good::Good::Logon).await?;
            let until = seconds_after(bank.now(), -DAY);
            let person = bank.person(bank.wanted(Role::User).await?.until(until)).await?;
            let answer = bank.try_log_on_for(&person.pair, None, "renewal").await?;
            let problem = answer.refused(Token::CertificateExpired)?;
            let action = problem.remedy.action.as_str();
            ensure(action == "reissueByAdministrator", "reissueByAdministrator", action)
        }),
        case("expired/administrator", "An expired administrator is sent to the branch.").shows(&["AUT-08", "ERR-02"]).run(|bank: Bank| async move {
            bank.good(super::good::Good::Logon).await?;
            let until = seconds_after(bank.now(), -DAY);
            let person = bank.person(bank.wanted(Role::Administrator).await?.until(until)).await?;
            let answer = bank.try_log_on_for(&person.pair, None, "renewal").await?;
            let problem = answer.refused(Token::CertificateExpired)?;
            let action = problem.remedy.action.as_str();
            ensure(action == "reissueAtBranch", "reissueAtBranch", action)
        }),
        case("disabled/signs-nothing", "The certificates and the session of a disabled subject sign nothing more; others of its contract do.")
            .shows(&["AUT-11"])
            .needs(&[Need::Control])
            .run(disabled),
        case("expired/meanwhile", "A session signs nothing more after its certificate's notAfter, and the order's key still reads.")
            .shows(&["AUT-08", "AUT-13", "WIN-03"])
            .needs(&[Need::Time])
            .run(expires_meanwhile),
        case("revoked/logon", "A revoked certificate does not log on.").shows(&["AUT-09"]).run(|bank: Bank| async move {
            let person = bank.user().await?;
            let logon = bank.log_on(&person).await?;
            bank.revoke_itself(&person.pair, "keyCompromise").await?;
            let answer = bank.try_log_on_for(&person.pair, None, "renewal").await?;
            answer.refused(Token::CertificateRevoked)?;
            bank.read(&logon.url, &logon.by()).await?.refused(Token::SessionEnded).map(drop)
        }),
        case("revoked/revokes-itself-again", "A revoked certificate may revoke itself again.").shows(&["AUT-09", "REV-01"]).run(|bank: Bank| async move {
            let person = bank.user().await?;
            bank.revoke_itself(&person.pair, "keyCompromise").await?;
            let payload = json!({ "certID": person.pair.cert_id().as_str(), "reason": "unspecified" });
            bank.try_revoke(&By::Certificate(person.pair), payload).await?.status(200)
        }),
        case("not-yet-valid/logon", "A certificate does not log on before its notBefore.").shows(&["AUT-10"]).run(|bank: Bank| async move {
            bank.good(super::good::Good::Logon).await?;
            let from = seconds_after(bank.now(), DAY);
            let person = bank.person(bank.wanted(Role::User).await?.from(from)).await?;
            let answer = bank.try_log_on_for(&person.pair, None, "renewal").await?;
            answer.refused(Token::CertificateNotYetValid).map(drop)
        }),
    ]
}

async fn expires_meanwhile(bank: Bank) -> Outcome {
    let person = bank.user_for(12).await?;
    let logon = bank.log_on(&person).await?;
    let placed = bank.order(&logon).await?;
    let not_after = person.pair.not_after();
    bank.read_session(&logon).await.prepares("the session before notAfter")?;
    bank.wait_until(seconds_after(not_after, 2)).await;
    bank.read(&logon.url, &logon.by()).await?.refused(Token::CertificateExpired)?;
    bank.read(&logon.contract()?, &logon.by()).await?.refused(Token::CertificateExpired)?;
    bank.try_log_on_for(&person.pair, None, "renewal").await?.refused(Token::CertificateExpired)?;
    let order = bank.read_order(placed.url(), &placed.by_key()).await?;
    ensure(
        order.status.name() == StatusName::Valid,
        "the order `valid` for its key",
        order.status.name(),
    )?;
    bank.read(&placed.issued()?.certificate, &placed.by_key()).await?.status(200)?;
    bank.try_find(&placed.key).await?.status(200)
}

/// A certificate that no bank issued.
fn made_up(
    subject: &Name,
    key: &Key,
    not_after: koshin_protocol::time::Time,
) -> Outcome<Certificate> {
    let authority = Key::new();
    let issuer = Name::new(&[(Attribute::CommonName, "Nobody's CA")])
        .map_err(|_| Stop::blocked("a name of the suite"))?;
    let id = key_id(authority.public());
    let profile = Profile {
        serial: &[7; 16],
        issuer: &issuer,
        not_before: seconds_after(not_after, -300 * DAY),
        not_after,
        subject,
        key: key.public(),
        kind: Kind::Leaf,
        key_usages: KeyUsages::DIGITAL_SIGNATURE,
        extended_key_usages: &[CLIENT_AUTH],
        authority_key_id: Some(&id),
        crl: &[],
    };
    profile.sign(authority.signer()).map_err(Stop::blocked)
}

fn unknown() -> Vec<Case<Bank>> {
    vec![
        case(
            "unknown/of-nobody",
            "A certificate of another CA with the name of a subject is unknown.",
        )
        .shows(&["AUT-12"])
        .run(|bank: Bank| async move {
            let person = bank.user().await?;
            bank.log_on(&person).await?;
            let key = Key::new();
            let certificate = made_up(person.pair.name(), &key, person.pair.not_after())?;
            let answer = bank.try_log_on_for(&Pair { key, certificate }, None, "renewal").await?;
            answer.refused(Token::CertificateUnknown).map(drop)
        }),
        case("unknown/same-key", "Another certificate of a subject's own key is unknown.")
            .shows(&["AUT-12"])
            .run(|bank: Bank| async move {
                let person = bank.user().await?;
                bank.log_on(&person).await?;
                let key = person.pair.key.clone();
                let certificate = made_up(person.pair.name(), &key, person.pair.not_after())?;
                let answer =
                    bank.try_log_on_for(&Pair { key, certificate }, None, "renewal").await?;
                answer.refused(Token::CertificateUnknown).map(drop)
            }),
        case(
            "unknown/one-octet",
            "A certificate that differs in one octet of its signature is unknown.",
        )
        .shows(&["AUT-12"])
        .run(|bank: Bank| async move {
            let person = bank.user().await?;
            bank.log_on(&person).await?;
            let mut der = person.pair.certificate.der().to_vec();
            // Within the last INTEGER of an ECDSA signature: the DER stays one.
            let at = der.len() - 1 - bank.choose(8);
            der[at] ^= 1;
            let certificate = Certificate::from_der(&der).map_err(Stop::blocked)?;
            let pair = Pair { key: person.pair.key.clone(), certificate };
            let answer = bank.try_log_on_for(&pair, None, "renewal").await?;
            answer.refused(Token::CertificateUnknown).map(drop)
        }),
    ]
}
