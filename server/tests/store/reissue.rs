//! Reissues and enrollments.

use koshin_protocol::state::order::Status;
use koshin_protocol::state::reissue::Reissue;
use koshin_server::rule::command::{Actor, NewRequest};
use koshin_server::id::{ReissueId, RequestId};
use koshin_server::rule::row::{Reason, Role};
use koshin_server::rule::refused::{OperatorRefused, Refused};
use koshin_server::store::Store;

use crate::bank::{Bank, administrator, certificate_of, refused, token};
use crate::invariants;

#[tokio::test]
async fn a_reissue_for_a_lost_device_revokes_at_once_and_its_code_is_used_once() {
    let bank = Bank::new().await;
    let user = bank.user().await;
    let (current, _) = bank.renew(&user).await;
    let session = bank.session(&current.certificate).await;
    let admin = administrator(&bank).await;
    let new = bank.reissue_of(&user, Reason::DeviceLost);
    let opened = bank.store.open_reissue(new.clone(), admin.clone(), bank.now()).await;
    let (row, created) = opened.expect("opened");
    assert!(created);
    assert_eq!(bank.state_of(&current.certificate), "revoked");
    assert_eq!(bank.state_of(&user.certificate), "revoked", "superseded ones included");
    assert_eq!(bank.store.session(session, bank.now()).await.expect("read"), None);
    let again = bank.store.open_reissue(new.clone(), admin.clone(), bank.now()).await;
    assert_eq!(again.expect("the same"), (row, false));
    let mut other = new.clone();
    other.reason = Reason::KeyLost;
    let conflict = bank.store.open_reissue(other, admin, bank.now()).await;
    assert_eq!(token(conflict), "reissueConflict");

    let n = bank.new_key();
    let placed = bank.store.enroll(bank.enrollment(&user, new.id, n), bank.now()).await;
    let placed = placed.expect("enrolled");
    let repeated = bank.store.enroll(bank.enrollment(&user, new.id, n), bank.now()).await;
    let repeated = repeated.expect("the same key");
    assert!(!repeated.created);
    assert_eq!(repeated.order, placed.order);
    let stolen = bank.enrollment(&user, new.id, bank.new_key());
    assert_eq!(token(bank.store.enroll(stolen, bank.now()).await), "enrollmentUsed");
    let certificate = certificate_of(&placed.order);
    bank.confirm(placed.order.id, &certificate).await.expect("confirmed");
    assert_eq!(bank.state_of(&certificate), "current");
    let done = bank.store.reissue(new.id).await.expect("read").expect("there");
    assert_eq!(done.state, Reissue::Completed);
    invariants::check(&bank.sql(), &*bank.sqlite);
}

#[tokio::test]
async fn a_reissue_for_another_reason_revokes_when_the_enrollment_is_confirmed() {
    let bank = Bank::new().await;
    let user = bank.user().await;
    let reissue = bank.reissue(&user, Reason::KeyLost).await;
    assert_eq!(bank.state_of(&user.certificate), "current");
    let enroll = bank.enrollment(&user, reissue.id, bank.new_key());
    let placed = bank.store.enroll(enroll, bank.now()).await.expect("enrolled");
    assert_eq!(bank.state_of(&user.certificate), "current");
    let certificate = certificate_of(&placed.order);
    bank.log_on(&certificate).await.expect("the first logon confirms");
    assert_eq!(bank.state_of(&user.certificate), "revoked");
    assert_eq!(bank.state_of(&certificate), "current");
    invariants::check(&bank.sql(), &*bank.sqlite);
}

#[tokio::test]
async fn redeeming_a_code_ends_the_renewal_and_the_sessions_begun_meanwhile() {
    let bank = Bank::new().await;
    let user = bank.user().await;
    let reissue = bank.reissue(&user, Reason::KeyLost).await;
    let session = bank.session(&user.certificate).await;
    let n = bank.new_key();
    let renewal = bank.place(&user, session, n).await.expect("pending reissues refuse no order");
    let enroll = bank.enrollment(&user, reissue.id, bank.new_key());
    bank.store.enroll(enroll, bank.now()).await.expect("enrolled");
    let renewal = bank.store.order(renewal.order.id).await.expect("read").expect("there");
    assert_eq!(renewal.state.status(), Status::Invalid);
    assert_eq!(bank.store.session(session, bank.now()).await.expect("read"), None);
    invariants::check(&bank.sql(), &*bank.sqlite);
}

#[tokio::test]
async fn a_code_that_was_voided_canceled_or_expired_is_refused() {
    let bank = Bank::new().await;
    let user = bank.user().await;
    let voided = bank.reissue(&user, Reason::KeyLost).await;
    let canceled = bank.reissue(&user, Reason::KeyLost).await;
    let enroll = |id| bank.store.enroll(bank.enrollment(&user, id, bank.new_key()), bank.now());
    assert_eq!(token(enroll(voided.id).await), "enrollmentCanceled");
    let cancel = |id| bank.store.cancel_reissue(id, Actor::Bank, bank.now());
    cancel(canceled.id).await.expect("canceled");
    assert_eq!(token(enroll(canceled.id).await), "enrollmentCanceled");
    let expired = bank.reissue(&user, Reason::KeyLost).await;
    bank.set(expired.expires.unix() + 1);
    assert_eq!(token(enroll(expired.id).await), "enrollmentExpired");
    assert_eq!(token(enroll(ReissueId::random()).await), "enrollmentRefused");
    let row = bank.store.reissue(expired.id).await.expect("read").expect("there");
    assert_eq!(row.state.status(bank.now()).as_str(), "expired");
    assert!(matches!(row.state, Reissue::Pending(_)), "and that is written nowhere");
    assert_eq!(token(cancel(expired.id).await), "reissueClosed");
    bank.reissue(&user, Reason::KeyLost).await;
    assert_eq!(token(enroll(expired.id).await), "enrollmentCanceled", "a newer one voids it, too");
    invariants::check(&bank.sql(), &*bank.sqlite);
}

// [REI-30]
#[tokio::test]
async fn an_administrators_reissue_takes_two_operators() {
    let bank = Bank::new().await;
    let admin = bank.person("Kanri Sha", Role::Administrator).await;
    let sato = || "sato".to_owned();
    let hash = || "hash".to_owned();
    bank.store.add_operator(sato(), hash(), Actor::Bank, bank.now()).await.expect("added");
    let by = Actor::Operator(sato());
    bank.store.add_operator("suzuki".to_owned(), hash(), by, bank.now()).await.expect("added");
    let new = bank.reissue_of(&admin, Reason::KeyLost);
    let alone = bank.store.open_reissue(new.clone(), Actor::Operator(sato()), bank.now()).await;
    assert_eq!(token(alone), "reissueNotAllowed");
    let id = RequestId::random();
    let (subject, reason) = (admin.subject, Reason::KeyLost);
    let request = NewRequest { id, subject, reason, form: "A-17".to_owned() };
    bank.store.request_reissue(request, sato(), bank.now()).await.expect("requested");
    assert_eq!(bank.store.requests().await.expect("read").len(), 1);
    let same = bank.store.approve_reissue(id, new.clone(), sato(), bank.now()).await;
    assert_eq!(refused(same), Refused::Operator(OperatorRefused::SamePerson));
    let checker = "suzuki".to_owned();
    let row = bank.store.approve_reissue(id, new.clone(), checker.clone(), bank.now()).await;
    assert_eq!(row.expect("approved").subject, admin.subject);
    let twice = bank.store.approve_reissue(id, new, checker, bank.now()).await;
    assert_eq!(refused(twice), Refused::Operator(OperatorRefused::AlreadyApproved));
    let forced = bank.sql().execute("UPDATE reissue_request SET checker = maker", []);
    assert!(forced.is_err(), "the schema refuses it as well");
}
