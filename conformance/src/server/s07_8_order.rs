//! SPEC.md 7.8 to 7.10: ordering, the order, findOrder.

use koshin_protocol::order::{Order, StatusName};
use koshin_protocol::problem::Token;
use koshin_protocol::subject::Role;
use serde_json::json;

use super::deed::Placed;
use super::key::Key;
use super::person::seconds_after;
use super::refusal::{On, refuses};
use super::s07_1_directory::early;
use super::{Bank, case};
use crate::case::{Case, Need, Outcome, Prepares as _, Stop, ensure};
use crate::control::Request;

/// The cases of these sections.
pub(super) fn cases() -> Vec<Case<Bank>> {
    let mut cases = ordering();
    cases.extend(same_key());
    cases.extend(the_order());
    cases.extend(finding());
    cases
}

fn ordering() -> Vec<Case<Bank>> {
    vec![
        case("order/accepted", "A newOrder in the window is answered 201, the order, and `Location`.").shows(&["ORD-01"]).run(|bank: Bank| async move {
            let logon = bank.log_on(&bank.user().await?).await?;
            let key = Key::new();
            let answer = bank.try_order(&logon, &key).await?;
            let order: Order = answer.object(201)?;
            ensure(answer.location()? == order.url, &order.url, answer.location()?)?;
            ensure(order.key == key.thumbprint(), key.thumbprint().to_string(), order.key.to_string())?;
            ensure(order.subject == logon.session.subject.id, logon.session.subject.id.as_str(), order.subject.as_str())?;
            let replaces = answer.value()["replaces"].as_str().unwrap_or_default().to_owned();
            ensure(replaces == logon.pair.cert_id().as_str(), logon.pair.cert_id(), replaces)
        }),
        case("order/replaces-another", "A newOrder for another subject's certificate is refused.").shows(&["ORD-04"]).run(|bank: Bank| async move {
            let other = bank.user().await?;
            let logon = bank.log_on(&bank.user().await?).await?;
            let right = bank.order_draft(&logon, &Key::new()).await?;
            let wrong = right.clone().edit_payload(|payload| payload["replaces"] = json!(other.pair.cert_id().as_str()));
            bank.refuses_before(wrong, Token::ReplacesMismatch, right).await.map(drop)
        }),
        refuses(On::NewOrder, Token::ReplacesMismatch, "order/replaces-unknown", "A newOrder for a certificate that nobody has is refused.", &["ORD-04"], |draft| {
            draft.edit_payload(|payload| payload["replaces"] = json!("aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE"))
        }),
        case("order/another-key-while-open", "A newOrder with another key while an order is open is refused, naming that order and its key.").shows(&["ORD-05"]).run(|bank: Bank| async move {
            let logon = bank.log_on(&bank.user().await?).await?;
            let placed = bank.order(&logon).await?;
            let answer = bank.try_order(&logon, &Key::new()).await?;
            answer.refused(Token::OrderExists)?;
            let value = answer.value();
            ensure(value["order"] == placed.url().as_str(), placed.url(), &value["order"])?;
            ensure(value["key"] == placed.order.key.to_string(), placed.order.key.to_string(), &value["key"])
        }),
        case("order/two-keys-at-once", "Of two newOrders with different keys at the same time one is accepted.").shows(&["ORD-05", "STA-08"]).run(two_keys_at_once),
        refuses(On::NewOrder, Token::KeyStoreUnsupported, "order/key-store-unsupported", "A newOrder with a key store that the bank does not list is refused.", &["ORD-06"], |draft| {
            draft.edit_payload(|payload| payload["keyStore"] = json!("no-such-store"))
        }),
        refuses(On::NewOrder, Token::KeyStoreUnsupported, "order/key-store-other-case", "A key store's name is compared with regard to case.", &["ORD-06"], |draft| {
            draft.edit_payload(|payload| {
                let name = payload["keyStore"].as_str().unwrap_or_default().to_uppercase();
                payload["keyStore"] = json!(name);
            })
        }),
        case("order/every-key-store", "A newOrder with each key store that the bank lists is accepted.").shows(&["ORD-01"]).run(|bank: Bank| async move {
            for store in &bank.directory().await?.meta.key_stores {
                let logon = bank.log_on(&bank.user().await?).await?;
                let draft = bank.order_draft(&logon, &Key::new()).await?.edit_payload(|payload| payload["keyStore"] = json!(store.as_str()));
                let order: Order = bank.deliver(draft).await?.object(201)?;
                ensure(order.key_store == *store, store.as_str(), order.key_store.as_str())?;
            }
            Ok(())
        }),
        case("order/too-early", "A newOrder before the window is refused with the opening, which renewalInfo says, too.").shows(&["ORD-07", "WIN-01"]).run(|bank: Bank| async move {
            let person = bank.person(early(&bank).await?).await?;
            let logon = bank.log_on(&person).await?;
            let answer = bank.try_order(&logon, &Key::new()).await?;
            let problem = answer.refused(Token::TooEarly)?;
            let info: koshin_protocol::renewal_info::RenewalInfo = bank.try_renewal_info(person.pair.cert_id().as_str()).await?.object(200)?;
            let opening = info.enforced_window.start();
            let said = problem.remedy.not_before.ok_or_else(|| answer.not("`notBefore`"))?;
            ensure(said == opening, opening, said)?;
            ensure(bank.read_session(&logon).await?.order.is_none(), "no order", "one")
        }),
        case("order/expires-before-order", "A newOrder after notAfter is refused, though the session is older.").shows(&["ORD-09", "AUT-08"]).needs(&[Need::Time]).run(|bank: Bank| async move {
            let person = bank.user_for(8).await?;
            let logon = bank.log_on(&person).await?;
            bank.wait_until(seconds_after(person.pair.not_after(), 2)).await;
            bank.try_order(&logon, &Key::new()).await?.refused(Token::CertificateExpired).map(drop)
        }),
        case("order/in-the-last-second", "A newOrder in the second of notAfter is accepted.").shows(&["WIN-03", "ORD-10"]).needs(&[Need::Time]).run(last_second),
        case("order/issued-after-expiry", "What was accepted is issued, though the predecessor expires before.").shows(&["ORD-10", "ORD-12", "CFM-05"]).needs(&[Need::Control, Need::Ca]).within(120).run(|bank: Bank| async move {
            let person = bank.user_for(10).await?;
            let logon = bank.log_on(&person).await?;
            bank.control(Request::CaDown).await?;
            let outcome = in_processing(&bank, &logon).await;
            let waited = outcome.is_ok();
            if waited {
                bank.wait_until(seconds_after(person.pair.not_after(), 2)).await;
            }
            bank.control(Request::CaUp).await?;
            let placed = bank.until_valid(outcome?).await?;
            let order = bank.read_order(placed.url(), &placed.by_key()).await?;
            ensure(order.status.name() == StatusName::Valid, "valid", order.status.name())?;
            let answer = bank.try_confirm(&placed.issued()?.confirm, &placed.pair()?, json!({})).await?;
            let completed: Order = answer.object(200)?;
            ensure(completed.status.name() == StatusName::Completed, "completed", completed.status.name())
        }),
        case("order/slow-ca", "With a slow CA a newOrder is answered with the order in `processing`, which becomes `valid`.").shows(&["ORD-12"]).needs(&[Need::Control, Need::Ca]).within(120).run(|bank: Bank| async move {
            let logon = bank.log_on(&bank.user().await?).await?;
            bank.control(Request::CaSlow { seconds: 3 }).await?;
            let placed = match in_processing(&bank, &logon).await {
                Ok(placed) => bank.until_valid(placed).await,
                Err(stop) => Err(stop),
            };
            bank.control(Request::CaUp).await?;
            bank.confirm(&placed?).await.map(drop)
        }),
        case("order/while-reissue-pending", "A newOrder is not refused for a pending reissue.").shows(&["ORD-13"]).needs(&[Need::Full]).run(|bank: Bank| async move {
            let (administrator, user) = bank.contract().await?;
            let by = bank.log_on(&administrator).await?;
            bank.reissue(&by, &user, "keyLost").await?;
            let logon = bank.log_on(&user).await?;
            bank.try_order(&logon, &Key::new()).await?.object::<Order>(201).map(drop)
        }),
        case("order/administrator-renews", "An administrator renews like anybody.").shows(&["ORD-01"]).run(|bank: Bank| async move {
            let person = bank.person(bank.wanted(Role::Administrator).await?).await?;
            let renewed = bank.renew(&person).await?;
            bank.log_on_by(&renewed.pair, None).await.map(drop)
        }),
        case("order/imported-certificate", "A certificate of another CA is renewed to one of the bank's.").shows(&["ORD-01", "CRT-12"]).run(|bank: Bank| async move {
            let person = bank.person(bank.wanted(Role::User).await?.foreign()).await?;
            let renewed = bank.renew(&person).await?;
            ensure(renewed.pair.certificate.issuer().der() != person.pair.certificate.issuer().der(), "another issuer", renewed.pair.certificate.issuer())?;
            bank.log_on_by(&renewed.pair, None).await.map(drop)
        }),
    ]
}

async fn in_processing(bank: &Bank, logon: &super::deed::Logon) -> Outcome<Placed> {
    let key = Key::new();
    let order: Order = bank.try_order(logon, &key).await?.object(201)?;
    ensure(order.status.name() == StatusName::Processing, "processing", order.status.name())?;
    Ok(Placed { order, key })
}

async fn two_keys_at_once(bank: Bank) -> Outcome {
    let logon = bank.log_on(&bank.user().await?).await?;
    let (one, two) = (
        bank.order_draft(&logon, &Key::new()).await?,
        bank.order_draft(&logon, &Key::new()).await?,
    );
    let (one, two) = tokio::join!(bank.deliver(one), bank.deliver(two));
    let (one, two) = (one?, two?);
    let (accepted, refused) = if one.is_good() { (one, two) } else { (two, one) };
    let order: Order = accepted.object(201)?;
    refused.refused(Token::OrderExists)?;
    ensure(refused.value()["order"] == order.url.as_str(), &order.url, &refused.value()["order"])
}

async fn last_second(bank: Bank) -> Outcome {
    let person = bank.user_for(8).await?;
    let logon = bank.log_on(&person).await?;
    let draft = bank.order_draft(&logon, &Key::new()).await?;
    let not_after = person.pair.not_after();
    bank.wait_until(not_after).await;
    let answer = bank.deliver(draft).await?;
    let date = super::bank::date(&answer).ok_or_else(|| answer.not("`Date`"))?;
    if date > not_after {
        return Err(Stop::Skipped("the second of notAfter was missed; try again".to_owned()));
    }
    answer.object::<Order>(201).map(drop)
}

fn same_key() -> Vec<Case<Bank>> {
    let mut cases: Vec<Case<Bank>> = ["valid", "completed", "canceled", "invalid"]
        .into_iter()
        .map(|status| {
            case(
                format!("order/same-key-{status}"),
                format!("The same key and `replaces` give the same order in `{status}` with 200."),
            )
            .shows(&["ORD-02"])
            .run(move |bank: Bank| async move {
                let person = bank.user().await?;
                let logon = bank.log_on(&person).await?;
                let placed = bank.order(&logon).await?;
                let draft = bank.order_draft(&logon, &placed.key).await?;
                match status {
                    "canceled" => drop(bank.cancel(&placed, &logon).await?),
                    "invalid" => bank.revoke_itself(&placed.pair()?, "unspecified").await?,
                    "completed" => drop(bank.confirm(&placed).await?),
                    _ => {}
                }
                // A completed renewal ended the session of its predecessor.
                if status == "completed" {
                    bank.deliver(draft).await?.refused(Token::SessionEnded)?;
                    let found: Order = bank.try_find(&placed.key).await?.object(200)?;
                    return ensure(
                        found.status.name().as_str() == status,
                        status,
                        found.status.name(),
                    );
                }
                let answer = bank.deliver(draft).await?;
                let again: Order = answer.object(200)?;
                ensure(
                    again.url == placed.order.url && answer.location()? == again.url,
                    placed.url(),
                    &again.url,
                )?;
                ensure(again.status.name().as_str() == status, status, again.status.name())
            })
        })
        .collect();
    cases.push(
        case(
            "order/same-key-before-all-else",
            "The same key gives the same order before key store and CSR are looked at.",
        )
        .shows(&["ORD-02"])
        .run(|bank: Bank| async move {
            let logon = bank.log_on(&bank.user().await?).await?;
            let placed = bank.order(&logon).await?;
            let draft = bank
                .order_draft(&logon, &placed.key)
                .await?
                .edit_payload(|payload| payload["keyStore"] = json!("no-such-store"));
            let again: Order = bank.deliver(draft).await?.object(200)?;
            ensure(again == placed.order, "the same order", format!("{:?}", again.status.name()))
        }),
    );
    cases.push(
        case(
            "order/same-key-new-session",
            "The same key gives the same order in a later session, too.",
        )
        .shows(&["ORD-02", "SES-23"])
        .run(|bank: Bank| async move {
            let person = bank.user().await?;
            let placed = bank.order(&bank.log_on(&person).await?).await?;
            let later = bank.log_on(&person).await?;
            let again: Order = bank.try_order(&later, &placed.key).await?.object(200)?;
            ensure(again == placed.order, "the same order", format!("{:?}", again.status.name()))
        }),
    );
    cases.push(
        case(
            "order/canceled-then-new",
            "After a cancel the certificate is renewed with another key.",
        )
        .shows(&["ORD-01", "CAN-07"])
        .run(|bank: Bank| async move {
            let logon = bank.log_on(&bank.user().await?).await?;
            let placed = bank.order(&logon).await?;
            bank.cancel(&placed, &logon).await?;
            let next = bank.order(&logon).await?;
            ensure(next.order.url != placed.order.url, "another order", next.url())?;
            bank.confirm(&next).await.map(drop)
        }),
    );
    cases
}

fn the_order() -> Vec<Case<Bank>> {
    vec![
        case("order/read-by-each", "An order is read by its subject's session, its key, and an administrator of the contract.").shows(&["ORD-21", "AUT-05"]).run(|bank: Bank| async move {
            let (administrator, user) = bank.contract().await?;
            let logon = bank.log_on(&user).await?;
            let placed = bank.order(&logon).await?;
            let above = bank.log_on(&administrator).await?;
            for by in [logon.by(), placed.by_key(), above.by()] {
                let order = bank.read_order(placed.url(), &by).await?;
                ensure(order == placed.order, "the order", order.status.name())?;
            }
            Ok(())
        }),
        case("order/constant", "What an order is does not change in any state, and neither does its chain.").shows(&["ORD-24", "ORD-26"]).run(|bank: Bank| async move {
            let logon = bank.log_on(&bank.user().await?).await?;
            let placed = bank.order(&logon).await?;
            let first = bank.read(placed.url(), &placed.by_key()).await?.value();
            bank.confirm(&placed).await?;
            let answers = [bank.read(placed.url(), &placed.by_key()).await?, bank.try_find(&placed.key).await?];
            for answer in answers {
                answer.object::<Order>(200)?;
                let later = answer.value();
                for member in ["self", "kind", "replaces", "subject", "keyStore", "key", "created", "certID", "chain"] {
                    ensure(later[member] == first[member], format_args!("`{member}` {}", first[member]), &later[member])?;
                }
            }
            Ok(())
        }),
        case("order/invalid-says-why-predecessor", "An order whose predecessor was revoked says `certificateRevoked`.").shows(&["ORD-23", "REV-05"]).run(|bank: Bank| async move {
            let person = bank.user().await?;
            let placed = bank.order(&bank.log_on(&person).await?).await?;
            bank.revoke_itself(&person.pair, "keyCompromise").await?;
            error(&bank, &placed, "certificateRevoked").await
        }),
        case("order/invalid-says-why-successor", "An order whose certificate was revoked says `certificateRevoked`.").shows(&["ORD-23"]).run(|bank: Bank| async move {
            let person = bank.user().await?;
            let placed = bank.order(&bank.log_on(&person).await?).await?;
            bank.revoke_itself(&placed.pair()?, "unspecified").await?;
            error(&bank, &placed, "certificateRevoked").await?;
            bank.log_on(&person).await.map(drop)
        }),
        case("order/invalid-says-why-reissue", "A renewal that a reissue ended says `orderInvalid`.").shows(&["ORD-23", "REI-08"]).needs(&[Need::Full]).run(|bank: Bank| async move {
            let (administrator, user) = bank.contract().await?;
            let placed = bank.order(&bank.log_on(&user).await?).await?;
            let by = bank.log_on(&administrator).await?;
            bank.reissue(&by, &user, "keyLost").await?;
            error(&bank, &placed, "orderInvalid").await
        }),
    ]
}

async fn error(bank: &Bank, placed: &Placed, token: &str) -> Outcome {
    let answer = bank.read(placed.url(), &placed.by_key()).await?;
    let order: Order = answer.object(200)?;
    ensure(order.status.name() == StatusName::Invalid, "invalid", order.status.name())?;
    let said = answer.value()["error"]["type"].as_str().unwrap_or_default().to_owned();
    ensure(said == format!("{}{token}", Token::URN), token, said)
}

fn finding() -> Vec<Case<Bank>> {
    let mut cases: Vec<Case<Bank>> = ["valid", "completed", "canceled", "invalid"]
        .into_iter()
        .map(|status| {
            case(
                format!("find-order/{status}"),
                format!("findOrder gives an order in `{status}` to its key, with `Location`."),
            )
            .shows(&["ORD-30"])
            .run(move |bank: Bank| async move {
                let logon = bank.log_on(&bank.user().await?).await?;
                let placed = bank.order(&logon).await?;
                match status {
                    "completed" => drop(bank.confirm(&placed).await?),
                    "canceled" => drop(bank.cancel(&placed, &logon).await?),
                    "invalid" => bank.revoke_itself(&placed.pair()?, "unspecified").await?,
                    _ => {}
                }
                let answer = bank.try_find(&placed.key).await?;
                let order: Order = answer.object(200)?;
                ensure(
                    order.url == placed.order.url && answer.location()? == order.url,
                    placed.url(),
                    &order.url,
                )?;
                ensure(order.status.name().as_str() == status, status, order.status.name())
            })
        })
        .collect();
    cases.push(
        case("find-order/unknown", "findOrder by a key that no order has is refused.")
            .shows(&["ORD-31"])
            .run(|bank: Bank| async move {
                let placed = bank.order(&bank.log_on(&bank.user().await?).await?).await?;
                bank.try_find(&placed.key)
                    .await?
                    .status(200)
                    .prepares("findOrder by an order's key")?;
                bank.try_find(&Key::new()).await?.refused(Token::OrderUnknown).map(drop)
            }),
    );
    cases.push(
        case(
            "find-order/key-of-a-certificate",
            "findOrder by the key of a certificate that no order made is refused.",
        )
        .shows(&["ORD-31"])
        .run(|bank: Bank| async move {
            let person = bank.user().await?;
            let placed = bank.order(&bank.log_on(&person).await?).await?;
            bank.try_find(&placed.key)
                .await?
                .status(200)
                .prepares("findOrder by an order's key")?;
            bank.try_find(&person.pair.key).await?.refused(Token::OrderUnknown).map(drop)
        }),
    );
    cases
}
