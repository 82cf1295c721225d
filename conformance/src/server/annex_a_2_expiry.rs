//! SPEC.md annex A: flows of expiry, and what a superseded certificate is still good for.

use koshin_protocol::operation::Operation;
use koshin_protocol::order::{Order, StatusName};
use koshin_protocol::problem::Token;
use koshin_protocol::reissue;
use koshin_protocol::subject::Role;
use serde_json::{Value, json};

use super::deed::{Ticket, remedy};
use super::draft::By;
use super::key::Key;
use super::person::{DAY, Person, seconds_after};
use super::{Bank, case};
use crate::case::{Case, Need, Outcome, Prepares as _, Stop, ensure};

/// The cases of this part of the annex.
pub(super) fn cases() -> Vec<Case<Bank>> {
    let mut cases = expiry();
    cases.push(superseded_everywhere());
    cases
}

/// A user whose certificate expires while a case looks on.
async fn soon(bank: &Bank) -> Outcome<Person> {
    bank.user_for(10).await
}

async fn expires(bank: &Bank, person: &Person) {
    bank.wait_until(seconds_after(person.pair.not_after(), 2)).await;
}

fn expiry() -> Vec<Case<Bank>> {
    let mut cases = vec![
        case("flow/expires-between-logon-and-order", "After its certificate expired a session orders nothing.").shows(&["AUT-08", "ORD-09"]).run(|bank: Bank| async move {
            let person = soon(&bank).await?;
            let logon = bank.log_on(&person).await?;
            expires(&bank, &person).await;
            let key = Key::new();
            remedy(&bank.try_order(&logon, &key).await?.refused(Token::CertificateExpired)?, "reissueByAdministrator")?;
            bank.try_find(&key).await?.refused(Token::OrderUnknown).map(drop)
        }),
        case("flow/expires-between-order-and-download", "After the old certificate expired the new key downloads the new one.").shows(&["AUT-13", "ORD-10"]).run(|bank: Bank| async move {
            let person = soon(&bank).await?;
            let staged = bank.staged_for(person, StatusName::Valid).await?;
            expires(&bank, &staged.person).await;
            bank.refused_logon(&staged.person.pair, Token::CertificateExpired).await?;
            let order: Order = bank.try_find(&staged.placed.key).await?.object(200)?;
            ensure(order.status.name() == StatusName::Valid, "valid", order.status.name())?;
            let url = &staged.placed.issued()?.certificate;
            bank.read(url, &staged.placed.by_key()).await?.status(200)?;
            bank.read(url, &By::Certificate(staged.pair.clone())).await?.status(200)
        }),
        case("flow/expires-between-download-and-confirm", "After the old certificate expired the new one confirms, by confirm and by logon.").shows(&["CFM-05", "SES-03"]).run(|bank: Bank| async move {
            let (one, other) = (bank.user_for(14).await?, bank.user_for(14).await?);
            let one = bank.staged_for(one, StatusName::Valid).await?;
            let other = bank.staged_for(other, StatusName::Valid).await?;
            expires(&bank, &other.person).await;
            bank.confirm(&one.placed).await?;
            bank.log_on_by(&other.pair, None).await?;
            bank.stands(&other.placed, StatusName::Completed).await?;
            for staged in [one, other] {
                remedy(&bank.refused_logon(&staged.person.pair, Token::CertificateSuperseded).await?, "useSuccessor")?;
            }
            Ok(())
        }),
        case("flow/exact-second-of-not-after", "A certificate logs on in the second of its notAfter, and not in the next.").shows(&["WIN-03", "AUT-08"]).run(|bank: Bank| async move {
            let person = bank.user_for(6).await?;
            bank.wait_until(person.pair.not_after()).await;
            let answer = bank.try_log_on_for(&person.pair, None, "renewal").await?;
            let heard = super::bank::date(&answer).ok_or_else(|| answer.not("a Date"))?;
            if heard > person.pair.not_after() {
                return Err(Stop::Skipped("the second of notAfter was missed; try again".to_owned()));
            }
            answer.status(201)?;
            bank.wait_until(seconds_after(person.pair.not_after(), 2)).await;
            bank.refused_logon(&person.pair, Token::CertificateExpired).await.map(drop)
        }),
        case("flow/deferred-then-expired", "A deferral puts off no expiry: the certificate expires, and a reissue is the way.").shows(&["NTC-24", "AUT-08"]).run(|bank: Bank| async move {
            let person = soon(&bank).await?;
            let logon = bank.log_on(&person).await?;
            let url = logon.defer()?;
            bank.try_defer(&logon, &url).await?.status(200).prepares("defer")?;
            expires(&bank, &person).await;
            bank.try_order(&logon, &Key::new()).await?.refused(Token::CertificateExpired)?;
            remedy(&bank.refused_logon(&person.pair, Token::CertificateExpired).await?, "reissueByAdministrator")
        }),
        case("flow/expires-during-recovery", "A recovery session rolls nothing back after its certificate expired, and the new one stays.").shows(&["AUT-08", "RBK-03"]).needs(&[Need::Rollback]).run(|bank: Bank| async move {
            let staged = bank.staged_for(soon(&bank).await?, StatusName::Completed).await?;
            let recovery = bank.recover(&staged.person.pair, None).await?;
            expires(&bank, &staged.person).await;
            bank.try_roll_back(&staged.order, &recovery).await?.refused_with(&[Token::CertificateExpired, Token::CertificateSuperseded])?;
            bank.log_on_by(&staged.pair, None).await.map(drop)
        }),
        case("flow/administrator-expires-during-reissue", "After an administrator's certificate expired its session reissues, unlocks and revokes nothing.").shows(&["AUT-08", "CHK-03"]).needs(&[Need::Full]).run(|bank: Bank| async move {
            let wanted = bank.wanted(Role::Administrator).await?.of("together");
            let administrator = bank.person(wanted.until(seconds_after(bank.now(), 10))).await?;
            let user = bank.person(bank.wanted(Role::User).await?.of("together")).await?;
            let by = bank.log_on(&administrator).await?;
            expires(&bank, &administrator).await;
            let answer = bank.try_reissue(&by, bank.new_reissue(&user, "keyCompromise", &Ticket::new())).await?;
            remedy(&answer.refused(Token::CertificateExpired)?, "reissueAtBranch")?;
            bank.try_unlock(&by, &user.subject).await?.refused(Token::CertificateExpired)?;
            let payload = json!({ "certID": user.pair.cert_id().as_str(), "reason": "unspecified" });
            bank.try_revoke(&by.by(), payload).await?.refused(Token::CertificateExpired)?;
            bank.log_on(&user).await.map(drop)
        }),
    ];
    for case in &mut cases {
        case.about.needs.push(Need::Time);
    }
    cases.push(
        case(
            "flow/expired-before-logon",
            "An expired certificate does not log on, its key has no order, and a reissue helps.",
        )
        .shows(&["AUT-08", "ENR-16"])
        .needs(&[Need::Full])
        .run(|bank: Bank| async move {
            let (administrator, _) = bank.contract().await?;
            let expired = bank
                .wanted(Role::User)
                .await?
                .of("together")
                .until(seconds_after(bank.now(), -DAY));
            let person = bank.person(expired).await?;
            remedy(
                &bank.refused_logon(&person.pair, Token::CertificateExpired).await?,
                "reissueByAdministrator",
            )?;
            bank.try_find(&person.pair.key).await?.refused(Token::OrderUnknown)?;
            let by = bank.log_on(&administrator).await?;
            let made = bank.reissued_by(by, person, reissue::StatusName::Completed).await?;
            let pair = made.placed.ok_or_else(|| Stop::blocked("no order"))?.pair()?;
            bank.log_on_by(&pair, None).await.map(drop)
        }),
    );
    cases
}

fn superseded_everywhere() -> Case<Bank> {
    case(
        "flow/superseded-at-every-endpoint",
        "A superseded certificate and its old session are of no use at any endpoint.",
    )
    .shows(&["AUT-07", "AUT-02", "CFM-04"])
    .run(|bank: Bank| async move {
        let person = bank.user().await?;
        let logon = bank.log_on(&person).await?;
        let contract = logon.contract()?;
        let placed = bank.order(&logon).await?;
        bank.confirm(&placed).await?;
        let directory = bank.directory().await?;
        let by = By::Certificate(person.pair.clone());
        bank.try_log_on_for(&person.pair, None, "renewal")
            .await?
            .refused(Token::CertificateSuperseded)?;
        bank.try_confirm(&placed.issued()?.confirm, &person.pair, json!({}))
            .await?
            .refused(Token::CertificateSuperseded)?;
        let key = json!({ "key": placed.order.key.to_string() });
        let payload = json!({ "certID": person.pair.cert_id().as_str(), "reason": "unspecified" });
        let mut all = vec![
            (Operation::Read, logon.url.clone(), Value::Null),
            (Operation::Read, contract, Value::Null),
            (Operation::Read, placed.url().clone(), Value::Null),
            (Operation::Read, placed.issued()?.certificate.clone(), Value::Null),
            (Operation::NewOrder, directory.new_order.clone(), json!({})),
            (Operation::Cancel, placed.cancel()?.clone(), key),
            (Operation::RevokeCert, directory.revoke_cert.clone(), payload),
        ];
        if let Ok(full) = bank.full().await {
            all.push((Operation::NewReissue, full.new_reissue, json!({})));
            all.push((Operation::Unlock, full.unlock, json!({ "subject": person.subject })));
            all.push((Operation::Pin, full.pin, json!({ "old": "1111", "new": "2222" })));
        }
        for (operation, url, payload) in all {
            bank.post(operation, &url, &logon.by(), payload).await?.refused(Token::SessionEnded)?;
        }
        // By itself it signs nothing where a session has to.
        bank.post(Operation::NewOrder, &directory.new_order, &by, json!({}))
            .await?
            .refused(Token::Malformed)?;
        bank.stands(&placed, StatusName::Completed).await?;
        bank.log_on_by(&placed.pair()?, None).await.map(drop)
    })
}
