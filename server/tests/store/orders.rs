//! Orders from placing to their end (SPEC.md 7.8 to 7.14, 10.1).

use koshin_protocol::state::order::Status;
use koshin_server::rule::row::Purpose;
use koshin_server::rule::refused::Refused;
use koshin_server::store::Store;

use crate::bank::{Bank, DAY, certificate_of, fingerprint, refused, thumbprint, token};

#[tokio::test]
async fn a_renewal_supersedes_the_predecessor_and_ends_its_session() {
    let bank = Bank::new().await;
    let old = bank.user().await;
    let session = bank.session(&old.certificate).await;
    let n = bank.new_key();
    let placed = bank.place(&old, session, n).await.expect("placed");
    assert!(placed.created);
    assert_eq!(placed.order.state.status(), Status::Valid);
    let new = certificate_of(&placed.order);
    let there = bank.store.session(session, bank.now()).await.expect("read").expect("active");
    assert_eq!(there.holder.order.map(|order| order.id), Some(placed.order.id));
    let done = bank.confirm(placed.order.id, &new).await.expect("confirmed");
    assert_eq!(done.state.status(), Status::Completed);
    assert_eq!(bank.state_of(&old.certificate), "superseded");
    assert_eq!(bank.state_of(&new), "current");
    assert_eq!(bank.store.session(session, bank.now()).await.expect("read"), None);
    let again = bank.confirm(placed.order.id, &new).await.expect("a repeated confirm succeeds");
    assert_eq!(again, done);
    assert_eq!(
        refused(bank.log_on(&old.certificate).await),
        Refused::CertificateSuperseded { successor: Some(done.certificate.expect("it").cert_id) }
    );
}

#[tokio::test]
async fn the_same_key_gives_the_same_order_in_whatever_state() {
    let bank = Bank::new().await;
    let person = bank.user().await;
    let session = bank.session(&person.certificate).await;
    let n = bank.new_key();
    let first = bank.place(&person, session, n).await.expect("placed");
    let again = bank.place(&person, session, n).await.expect("the same");
    assert!(!again.created);
    assert_eq!(again.order, first.order);
    let canceled = bank.cancel(session, first.order.id, n).await.expect("canceled");
    let later = bank.place(&person, session, n).await.expect("the same");
    assert!(!later.created);
    assert_eq!(later.order, canceled);
    let found = bank.store.order_by_key(thumbprint(n)).await.expect("read");
    assert_eq!(found, Some(canceled));
}

#[tokio::test]
async fn another_key_is_told_of_the_open_order() {
    let bank = Bank::new().await;
    let person = bank.user().await;
    let session = bank.session(&person.certificate).await;
    let (n, other) = (bank.new_key(), bank.new_key());
    let placed = bank.place(&person, session, n).await.expect("placed");
    assert_eq!(
        refused(bank.place(&person, session, other).await),
        Refused::OrderExists { order: placed.order.id, key: thumbprint(n) }
    );
}

#[tokio::test]
async fn cancel_revokes_the_successor_and_leaves_the_predecessor_current() {
    let bank = Bank::new().await;
    let person = bank.user().await;
    let session = bank.session(&person.certificate).await;
    let (n, other) = (bank.new_key(), bank.new_key());
    let placed = bank.place(&person, session, n).await.expect("placed");
    assert!(matches!(
        refused(bank.cancel(session, placed.order.id, other).await),
        Refused::KeyMismatch { .. }
    ));
    let canceled = bank.cancel(session, placed.order.id, n).await.expect("canceled");
    assert_eq!(canceled.state.status(), Status::Canceled);
    let successor = certificate_of(&placed.order);
    assert_eq!(bank.state_of(&successor), "revoked");
    assert_eq!(bank.state_of(&person.certificate), "current");
    assert_eq!(token(bank.confirm(placed.order.id, &successor).await), "orderCanceled");
    assert_eq!(
        refused(bank.log_on(&successor).await),
        Refused::CertificateRevoked {
            role: koshin_server::rule::row::Role::User,
            predecessor: Some(person.cert_id())
        }
    );
    let listed = bank.sqlite.revocations(bank.ca.id(), bank.now()).await.expect("read");
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0].crl_reason, Some(5));
    let next = bank.place(&person, session, other).await.expect("a new key, a new order");
    assert!(next.created);
}

#[tokio::test]
async fn the_first_logon_with_the_new_certificate_confirms() {
    let bank = Bank::new().await;
    let person = bank.user().await;
    let session = bank.session(&person.certificate).await;
    let n = bank.new_key();
    let placed = bank.place(&person, session, n).await.expect("placed");
    let new = certificate_of(&placed.order);
    let on = bank.log_on(&new).await.expect("logged on");
    assert_eq!(on.confirmed, Some(placed.order.id));
    assert_eq!(bank.state_of(&person.certificate), "superseded");
    assert_eq!(token(bank.cancel(on.session.id, placed.order.id, n).await), "orderCompleted");
}

#[tokio::test]
async fn a_rollback_revokes_the_successor_and_restores_the_predecessor() {
    let bank = Bank::new().await;
    let old = bank.user().await;
    let n = bank.new_key();
    let session = bank.session(&old.certificate).await;
    let placed = bank.place(&old, session, n).await.expect("placed");
    let new = certificate_of(&placed.order);
    bank.confirm(placed.order.id, &new).await.expect("confirmed");
    let recovery = bank.log_on_for(&old.certificate, Purpose::Recovery).await.expect("recovery");
    let recovery = recovery.session;
    assert_eq!(recovery.holder.rollback.map(|replaced| replaced.order), Some(placed.order.id));
    let done = bank.roll_back(recovery.id, placed.order.id, n).await.expect("rolled back");
    assert_eq!(done.state.status(), Status::RolledBack);
    assert_eq!(bank.state_of(&old.certificate), "current");
    assert_eq!(bank.state_of(&new), "revoked");
    let again = bank.roll_back(recovery.id, placed.order.id, n).await.expect("repeated");
    assert_eq!(again, done);
    bank.renew(&old).await;
}

#[tokio::test]
async fn the_right_to_roll_back_ends_at_the_second_logon_of_the_successor() {
    let bank = Bank::new().await;
    let old = bank.user().await;
    let (new, _) = bank.renew(&old).await;
    bank.session(&new.certificate).await;
    let recovery = bank.log_on_for(&old.certificate, Purpose::Recovery).await;
    assert_eq!(token(recovery), "rollbackEnded");
}

#[tokio::test]
async fn the_right_to_roll_back_ends_with_its_period_and_with_the_next_order() {
    let bank = Bank::new().await;
    let old = bank.user().await;
    let (_, _) = bank.renew(&old).await;
    bank.wait(7 * DAY);
    bank.log_on_for(&old.certificate, Purpose::Recovery).await.expect("the last second");
    bank.wait(1);
    let late = bank.log_on_for(&old.certificate, Purpose::Recovery).await;
    assert_eq!(token(late), "rollbackEnded");
}

#[tokio::test]
async fn an_order_is_refused_before_its_window_and_after_the_predecessor_expired() {
    let bank = Bank::new().await;
    let person = bank.user().await;
    let session = bank.session(&person.certificate).await;
    let n = bank.new_key();
    let mut early = bank.order(&person, session, n, false);
    early.window_opens = crate::bank::at(bank.now().unix() + 1);
    let opens = early.window_opens;
    let answer = bank.store.place_order(early.clone(), bank.now()).await;
    assert_eq!(refused(answer), Refused::TooEarly { opens });
    bank.set(person.certificate.not_after().unix());
    let session = bank.session(&person.certificate).await;
    bank.wait(1);
    assert_eq!(token(bank.place(&person, session, n).await), "certificateExpired");
    bank.wait(-1);
    bank.place(&person, session, n).await.expect("the last second is inside");
}

#[tokio::test]
async fn what_was_accepted_is_issued_and_confirmed_after_the_predecessor_expired() {
    let bank = Bank::new().await;
    let person = bank.user().await;
    bank.set(person.certificate.not_after().unix());
    let session = bank.session(&person.certificate).await;
    let n = bank.new_key();
    let placed = bank.place_slow(&person, session, n).await.expect("placed");
    bank.wait(1);
    let certificate = bank.successor(&person, n);
    let signed = koshin_server::rule::command::Signed { certificate: certificate.clone() };
    bank.store.issued(placed.order.id, signed, bank.now()).await.expect("issued");
    let done = bank.confirm(placed.order.id, &certificate).await.expect("confirmed");
    assert_eq!(done.state.status(), Status::Completed);
    assert_eq!(bank.state_of(&certificate), "current");
    assert_eq!(bank.state_of(&person.certificate), "superseded");
    let holder = bank.store.certificate_by_fingerprint(fingerprint(&certificate)).await;
    assert_eq!(holder.expect("read").expect("known").certificate.order, Some(placed.order.id));
}
