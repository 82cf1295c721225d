//! SPEC.md 11: problem documents. Each token in a situation of its own, in both languages.

use http::header::{ACCEPT_LANGUAGE, CONTENT_LANGUAGE};
use koshin_protocol::problem::Token;
use koshin_protocol::reissue;
use koshin_protocol::subject::Role;
use serde_json::json;

use super::answer::Answer;
use super::deed::Ticket;
use super::key::Key;
use super::situation::situation;
use super::{Bank, case};
use crate::case::{Case, Need, Outcome, ensure};

/// The cases of this section.
pub(super) fn cases() -> Vec<Case<Bank>> {
    let mut cases: Vec<Case<Bank>> = ROWS.iter().map(|&row| of(row)).collect();
    cases.extend(secrets());
    cases
}

/// A token, the action of its remedy, and the members that it has beyond those of all.
type Row = (Token, &'static str, &'static [&'static str]);

const ROWS: [Row; 40] = [
    (Token::Malformed, "correct", &[]),
    (Token::NotFound, "stop", &[]),
    (Token::BadNonce, "retry", &[]),
    (Token::BadSignature, "correct", &[]),
    (Token::BadSignatureAlgorithm, "correct", &["algorithms"]),
    (Token::BadPublicKey, "correct", &["keyTypes"]),
    (Token::TypeMismatch, "correct", &[]),
    (Token::UrlMismatch, "correct", &[]),
    (Token::UnsupportedMediaType, "correct", &[]),
    (Token::MethodNotAllowed, "correct", &[]),
    (Token::SessionEnded, "logon", &[]),
    (Token::SessionPurpose, "logon", &[]),
    (Token::NotAuthorized, "stop", &[]),
    (Token::CertificateUnknown, "stop", &[]),
    (Token::CertificateNotYetValid, "wait", &[]),
    (Token::CertificateExpired, "reissueByAdministrator", &[]),
    (Token::CertificateRevoked, "reissueByAdministrator", &[]),
    (Token::CertificateSuperseded, "useSuccessor", &["successor"]),
    (Token::EnvironmentUnsupported, "updateEnvironment", &["environments"]),
    (Token::PinRequired, "correct", &[]),
    (Token::PinWrong, "correct", &["attemptsLeft"]),
    (Token::TooEarly, "wait", &[]),
    (Token::OrderExists, "resumeOrder", &["order", "key"]),
    (Token::ReplacesMismatch, "correct", &[]),
    (Token::BadCsr, "correct", &["reason"]),
    (Token::KeyReused, "correct", &[]),
    (Token::KeyStoreUnsupported, "correct", &["keyStores"]),
    (Token::OrderUnknown, "logon", &[]),
    (Token::OrderCompleted, "useSuccessor", &[]),
    (Token::OrderCanceled, "usePredecessor", &["predecessor"]),
    (Token::OrderInvalid, "logon", &[]),
    (Token::KeyMismatch, "resumeOrder", &["key"]),
    (Token::RollbackEnded, "useSuccessor", &[]),
    (Token::NotSuperseded, "logon", &[]),
    (Token::SubjectUnknown, "correct", &[]),
    (Token::SubjectMismatch, "correct", &[]),
    (Token::ReissueNotAllowed, "reissueAtBranch", &[]),
    (Token::ReissueConflict, "correct", &[]),
    (Token::EnrollmentRefused, "correct", &[]),
    (Token::NotRenewable, "logon", &[]),
];

/// Members that a problem of any token may have.
const COMMON: [&str; 7] = ["type", "title", "detail", "status", "serverTime", "remedy", "instance"];

/// Members that only some problems have.
const SPECIAL: [&str; 10] = [
    "order",
    "key",
    "successor",
    "predecessor",
    "algorithms",
    "keyTypes",
    "environments",
    "keyStores",
    "attemptsLeft",
    "reason",
];

fn of((token, action, members): Row) -> Case<Bank> {
    let name = words(token.as_str());
    let sentence = format!(
        "`{token}` has its status, remedy and members, and says the same in Japanese and in English."
    );
    case(format!("problem/{name}"), sentence)
        .shows(&["ERR-01", "ERR-02", "ERR-04", "HDR-05", "HDR-06", "ENC-19"])
        .needs(needs(token))
        .run(move |bank: Bank| async move {
            let draft = situation(&bank, token).await?;
            let mut said = Vec::new();
            for language in ["ja", "en"] {
                let answer = bank.deliver(draft.clone().with(ACCEPT_LANGUAGE, language)).await?;
                check(&bank, &answer, token, action, members)?;
                let header = answer.header(&CONTENT_LANGUAGE).unwrap_or_default().to_owned();
                ensure(header == language, format_args!("Content-Language {language}"), header)?;
                let value = answer.value();
                for member in ["title", "detail"] {
                    let text = value[member].as_str().unwrap_or_default();
                    let japanese = text.chars().any(|c| ('\u{3040}'..='\u{9fff}').contains(&c));
                    ensure(
                        japanese == (language == "ja"),
                        format_args!("`{member}` in {language}"),
                        text,
                    )?;
                }
                said.push(value["title"].clone());
            }
            ensure(said[0] != said[1], "a title in each language", &said[0])
        })
}

/// `orderExists` as `order-exists`, and `badCSR` as `bad-csr`.
fn words(token: &str) -> String {
    let mut words = String::new();
    let mut before = 'A';
    for c in token.chars() {
        if c.is_ascii_uppercase() && before.is_ascii_lowercase() {
            words.push('-');
        }
        words.push(c.to_ascii_lowercase());
        before = c;
    }
    words
}

fn needs(token: Token) -> &'static [Need] {
    match token {
        Token::SubjectUnknown
        | Token::SubjectMismatch
        | Token::ReissueNotAllowed
        | Token::ReissueConflict
        | Token::EnrollmentRefused
        | Token::NotAuthorized => &[Need::Full],
        Token::PinRequired | Token::PinWrong => &[Need::Pin],
        Token::RollbackEnded | Token::NotSuperseded | Token::SessionPurpose => &[Need::Rollback],
        _ => &[],
    }
}

fn check(bank: &Bank, answer: &Answer, token: Token, action: &str, members: &[&str]) -> Outcome {
    let problem = answer.refused(token)?;
    ensure(
        problem.status == answer.status.as_u16(),
        format_args!("`status` {}", answer.status.as_u16()),
        problem.status,
    )?;
    ensure(
        problem.remedy.action.as_str() == action,
        format_args!("the remedy {action}"),
        problem.remedy.action.as_str(),
    )?;
    let off = problem.server_time.seconds_since(bank.now()).abs();
    ensure(off <= 5, "`serverTime` of the bank's clock", format_args!("{off} seconds beside it"))?;
    let value = answer.value();
    for member in SPECIAL {
        let there = value.get(member).is_some();
        // `order` may be in every problem about an order.
        let may = member == "order";
        let must = members.contains(&member);
        ensure(
            there == must || (there && may),
            format_args!("`{member}` {}", if must { "there" } else { "absent" }),
            answer.summary(),
        )?;
    }
    let known =
        |name: &str| COMMON.contains(&name) || SPECIAL.contains(&name) || name.starts_with("x-");
    let odd = value.as_object().and_then(|members| members.keys().find(|name| !known(name)));
    ensure(odd.is_none(), "the members of 11.1", format_args!("{odd:?}"))?;
    if action == "wait" {
        let when = problem.remedy.not_before.is_some()
            || answer.headers.contains_key(http::header::RETRY_AFTER);
        ensure(when, "`notBefore` or Retry-After", "neither")?;
    }
    Ok(())
}

fn secrets() -> Vec<Case<Bank>> {
    vec![
        case("problem/keeps-the-pin", "No refusal of a PIN has the PIN in it.")
            .shows(&["ERR-09"])
            .needs(&[Need::Pin])
            .run(|bank: Bank| async move {
                let person = bank.person(bank.wanted(Role::User).await?.with_pin("481516")).await?;
                bank.log_on(&person).await?;
                for pin in ["zQ7-xw92", "zQ7-xw92-which-is-too-long-to-be-one", "zQ7\u{fc}xw92"] {
                    let answer = bank.try_log_on_for(&person.pair, Some(pin), "renewal").await?;
                    answer.refused(Token::PinWrong)?;
                    tells_not(&answer, "xw92")?;
                    tells_not(&answer, "481516")?;
                }
                Ok(())
            }),
        case("problem/keeps-the-code", "No refusal of a payload with a code has the code in it.")
            .shows(&["ERR-09"])
            .needs(&[Need::Full])
            .run(|bank: Bank| async move {
                let made = bank.reissued(reissue::StatusName::Pending).await?;
                let code = made.ticket.code.to_compact();
                let draft = bank
                    .enrollment_draft(&made.ticket, made.person.pair.name(), &Key::new())
                    .await?;
                let answer = bank
                    .deliver(draft.clone().edit_payload(|payload| payload["code"] = json!(*code)))
                    .await?;
                answer.refused(Token::Malformed)?;
                tells_not(&answer, &code)?;
                bank.deliver(draft).await?.status(201)
            }),
        case("problem/keeps-other-names", "Who names another subject does not learn its name.")
            .shows(&["ERR-09"])
            .needs(&[Need::Full])
            .run(|bank: Bank| async move {
                let made = bank.reissued(reissue::StatusName::Pending).await?;
                let stranger = bank.user().await?;
                let mut payload = bank.new_reissue(&stranger, "keyLost", &Ticket::new());
                payload["subjectName"] = json!("CN=Somebody Else,O=Example K.K.,C=JP");
                let answer = bank.try_reissue(&made.by, payload).await?;
                answer.refused(Token::SubjectUnknown)?;
                tells_not(&answer, stranger.pair.name().as_str())
            }),
    ]
}

fn tells_not(answer: &Answer, secret: &str) -> Outcome {
    let text = String::from_utf8_lossy(&answer.body);
    ensure(!text.contains(secret), "a refusal without it", text)
}
