//! PINs, reissues and enrollments, revocation, operators, imports, disabling.

use koshin_protocol::state::order::Status;
use koshin_protocol::state::reissue::Reissue;
use koshin_server::store::change::{
    Actor, Import, ImportOutcome, ImportRefused, LogOn, NewRequest, PinCheck, Revoke, Signed,
};
use koshin_server::store::id::{ContractId, Fingerprint, RequestId, SessionId, SubjectId};
use koshin_server::store::row::{Purpose, Reason, Role};
use koshin_server::store::{Failure, OperatorRefused, Refused, Store};

use crate::bank::{
    Bank, DAY, Person, certificate_of, fingerprint, name, refused, thumbprint, token,
};
use crate::invariants;

async fn with_pin(bank: &Bank) -> Person {
    let person = bank.user().await;
    let hash = "first".to_owned();
    bank.store
        .set_pin_hash(person.subject, hash, PinCheck::NotAsked, Actor::Bank, bank.now())
        .await
        .expect("set");
    person
}

fn log_on_with(person: &Person, hash: &str) -> LogOn {
    LogOn {
        fingerprint: person.fingerprint(),
        purpose: Purpose::Renewal,
        environment: "{}".to_owned(),
        session: SessionId::random(),
        pin: PinCheck::Verified { hash: hash.to_owned() },
        idle: koshin_protocol::time::Period::from_seconds(600),
        absolute: koshin_protocol::time::Period::from_seconds(3600),
        rollback_within: None,
    }
}

async fn administrator(bank: &Bank) -> Actor {
    let person = bank.person("Kanri Sha", Role::Administrator).await;
    Actor::Session(bank.session(&person.certificate).await)
}

#[tokio::test]
async fn the_fifth_wrong_pin_locks_and_an_administrator_unlocks() {
    let bank = Bank::new().await;
    let person = with_pin(&bank).await;
    let admin = administrator(&bank).await;
    for left in [4, 3, 2, 1, 0] {
        let attempt = bank.store.begin_pin_attempt(person.subject, bank.now()).await;
        assert_eq!(attempt.expect("counted").left, left);
    }
    let locked = bank.store.begin_pin_attempt(person.subject, bank.now()).await;
    assert_eq!(refused(locked), Refused::PinLocked { role: Role::User });
    bank.store.unlock(person.subject, admin, bank.now()).await.expect("unlocked");
    let attempt = bank.store.begin_pin_attempt(person.subject, bank.now()).await;
    assert_eq!(attempt.expect("counted").left, 4);
}

#[tokio::test]
async fn a_right_pin_starts_the_count_anew_unless_another_was_set_meanwhile() {
    let bank = Bank::new().await;
    let person = with_pin(&bank).await;
    let attempt = bank.store.begin_pin_attempt(person.subject, bank.now()).await.expect("counted");
    let hash = attempt.hash.expect("a PIN");
    bank.store.log_on(log_on_with(&person, &hash), bank.now()).await.expect("logged on");
    let attempt = bank.store.begin_pin_attempt(person.subject, bank.now()).await.expect("counted");
    assert_eq!(attempt.left, 4);
    let second = "second".to_owned();
    bank.store
        .set_pin_hash(person.subject, second, PinCheck::NotAsked, Actor::Bank, bank.now())
        .await
        .expect("set");
    let late = bank.store.log_on(log_on_with(&person, &hash), bank.now()).await;
    assert_eq!(token(late), "pinWrong");
}

#[tokio::test]
async fn a_count_that_was_not_reset_survives_a_restart() {
    let bank = Bank::new().await;
    let person = with_pin(&bank).await;
    for _ in 0..5 {
        bank.store.begin_pin_attempt(person.subject, bank.now()).await.expect("counted");
    }
    bank.store.close();
    let again = Bank::at(bank.folder()).await;
    assert_eq!(
        token(again.store.begin_pin_attempt(person.subject, again.now()).await),
        "pinLocked"
    );
}

#[tokio::test]
async fn only_administrators_unlock_and_only_users_of_their_contract() {
    let bank = Bank::new().await;
    let user = bank.user().await;
    let admin = bank.person("Kanri Sha", Role::Administrator).await;
    let by_admin = Actor::Session(bank.session(&admin.certificate).await);
    let by_user = Actor::Session(bank.session(&user.certificate).await);
    let other = ContractId::random();
    let new = koshin_server::store::change::NewContract { id: other, name: "B".to_owned() };
    bank.store.add_contract(new, Actor::Bank, bank.now()).await.expect("added");
    let foreign = bank.person_of(other, "Gaibu Sha", Role::User).await;
    let unlock = |subject, by| bank.store.unlock(subject, by, bank.now());
    assert_eq!(token(unlock(user.subject, by_user).await), "notAuthorized");
    assert_eq!(token(unlock(admin.subject, by_admin.clone()).await), "notAuthorized");
    assert_eq!(token(unlock(foreign.subject, by_admin.clone()).await), "subjectUnknown");
    assert_eq!(token(unlock(SubjectId::random(), by_admin).await), "subjectUnknown");
}

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
    invariants::check(&bank);
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
    invariants::check(&bank);
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
    invariants::check(&bank);
}

#[tokio::test]
async fn a_code_that_was_voided_canceled_or_expired_is_refused() {
    let bank = Bank::new().await;
    let user = bank.user().await;
    let voided = bank.reissue(&user, Reason::KeyLost).await;
    let canceled = bank.reissue(&user, Reason::KeyLost).await;
    let enroll = |id| bank.store.enroll(bank.enrollment(&user, id, bank.new_key()), bank.now());
    assert_eq!(token(enroll(voided.id).await), "enrollmentCanceled");
    bank.store.cancel_reissue(canceled.id, Actor::Bank, bank.now()).await.expect("canceled");
    assert_eq!(token(enroll(canceled.id).await), "enrollmentCanceled");
    let expired = bank.reissue(&user, Reason::KeyLost).await;
    bank.set(expired.expires.unix() + 1);
    assert_eq!(token(enroll(expired.id).await), "enrollmentExpired");
    assert_eq!(
        token(enroll(koshin_server::store::id::ReissueId::random()).await),
        "enrollmentRefused"
    );
    bank.store.expire(100, bank.now()).await.expect("time passes");
    let row = bank.store.reissue(expired.id).await.expect("read").expect("there");
    assert_eq!(row.state, Reissue::Expired);
    invariants::check(&bank);
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

#[tokio::test]
async fn a_disabled_operator_can_do_nothing_and_its_name_is_not_given_again() {
    let bank = Bank::new().await;
    let user = bank.user().await;
    let name = || "sato".to_owned();
    let add = |name: &str, by| {
        bank.store.add_operator(name.to_owned(), "hash".to_owned(), by, bank.now())
    };
    add("sato", Actor::Bank).await.expect("the first one");
    let second = add("suzuki", Actor::Bank).await;
    assert_eq!(refused(second), Refused::Operator(OperatorRefused::NotTheFirst));
    let last = bank.store.disable_operator(name(), Actor::Bank, bank.now()).await;
    assert_eq!(refused(last), Refused::Operator(OperatorRefused::LastOne));
    add("suzuki", Actor::Operator(name())).await.expect("added by the first");
    assert_eq!(bank.store.operator_credential("sato").await, Ok(Some("hash".to_owned())));
    bank.store.disable_operator(name(), Actor::Bank, bank.now()).await.expect("disabled");
    assert_eq!(bank.store.operator_credential("sato").await, Ok(None));
    let unlock = bank.store.unlock(user.subject, Actor::Operator(name()), bank.now()).await;
    assert_eq!(refused(unlock), Refused::Operator(OperatorRefused::Unknown));
    let by = || Actor::Operator("suzuki".to_owned());
    let again = add("sato", by()).await;
    assert_eq!(refused(again), Refused::Operator(OperatorRefused::NameTaken));
    let last = bank.store.disable_operator("suzuki".to_owned(), by(), bank.now()).await;
    assert_eq!(refused(last), Refused::Operator(OperatorRefused::LastOne));
}

#[tokio::test]
async fn revoking_takes_the_open_order_along_and_successors_on_request_only() {
    let bank = Bank::new().await;
    let first = bank.user().await;
    let (second, _) = bank.renew(&first).await;
    assert_eq!(bank.revoke(&first.certificate).await, [first.cert_id()]);
    assert_eq!(bank.state_of(&second.certificate), "current");
    let session = bank.session(&second.certificate).await;
    let n = bank.new_key();
    let third = bank.place(&second, session, n).await.expect("placed").order;
    let all = Revoke {
        certificate: first.cert_id(),
        reason: Reason::Unspecified,
        include_successors: true,
    };
    let revoked = bank.store.revoke(all.clone(), Actor::Bank, bank.now()).await.expect("revoked");
    assert_eq!(revoked.len(), 3);
    let again = bank.store.revoke(all, Actor::Bank, bank.now()).await.expect("idempotent");
    assert_eq!(again, revoked);
    let third = bank.store.order(third.id).await.expect("read").expect("there");
    assert_eq!(third.state.status(), Status::Invalid);
    assert_eq!(bank.store.session(session, bank.now()).await.expect("read"), None);
    invariants::check(&bank);
}

#[tokio::test]
async fn a_certificate_revokes_itself_only() {
    let bank = Bank::new().await;
    let user = bank.user().await;
    let other = bank.person("Suzuki Ichiro", Role::User).await;
    let revoke = |certificate: &Person, include_successors| {
        let certificate = certificate.cert_id();
        let revoke = Revoke { certificate, reason: Reason::KeyCompromise, include_successors };
        bank.store.revoke(revoke, Actor::Certificate(user.fingerprint()), bank.now())
    };
    assert_eq!(token(revoke(&other, false).await), "notAuthorized");
    assert_eq!(token(revoke(&user, true).await), "notAuthorized");
    assert_eq!(revoke(&user, false).await.expect("revoked"), [user.cert_id()]);
    assert_eq!(token(bank.log_on(&user.certificate).await), "certificateRevoked");
}

#[tokio::test]
async fn a_certificate_that_comes_too_late_is_revoked_and_not_stored() {
    let bank = Bank::new().await;
    let user = bank.user().await;
    let session = bank.session(&user.certificate).await;
    let n = bank.new_key();
    let order = bank.place_slow(&user, session, n).await.expect("placed").order;
    bank.cancel(session, order.id, n).await.expect("canceled");
    let certificate = bank.successor(&user, n);
    let signed = Signed { certificate: certificate.clone() };
    let delivery = bank.store.issued(order.id, signed, bank.now()).await.expect("taken");
    assert!(matches!(delivery, koshin_server::store::change::Delivery::Revoked(_)));
    let known = bank.store.certificate_by_fingerprint(fingerprint(&certificate)).await;
    assert_eq!(known, Ok(None));
    let listed = bank.store.revocations(bank.ca.id(), bank.now()).await.expect("read");
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0].serial, certificate.serial());
    invariants::check(&bank);
}

#[tokio::test]
async fn a_certificate_for_another_key_or_name_is_a_fault_and_not_stored() {
    let bank = Bank::new().await;
    let user = bank.user().await;
    let session = bank.session(&user.certificate).await;
    let n = bank.new_key();
    let order = bank.place_slow(&user, session, n).await.expect("placed").order;
    let other_key = bank.successor(&user, bank.new_key());
    let mut stranger = user.clone();
    stranger.name = name("Somebody Else");
    let other_name = bank.successor(&stranger, n);
    for certificate in [other_key, other_name] {
        let answer = bank.store.issued(order.id, Signed { certificate }, bank.now()).await;
        assert!(matches!(answer, Err(Failure::Fault(_))), "{answer:?}");
    }
    let there = bank.store.order(order.id).await.expect("read").expect("there");
    assert_eq!(there, order);
}

#[tokio::test]
async fn what_was_reserved_first_is_what_is_signed() {
    use koshin_server::store::change::Reserve;
    use koshin_server::store::row::Reserved;
    let bank = Bank::new().await;
    let user = bank.user().await;
    let session = bank.session(&user.certificate).await;
    let n = bank.new_key();
    let order = bank.place_slow(&user, session, n).await.expect("placed").order;
    let lease = koshin_protocol::time::Time::from_unix(bank.now().unix() + 60).expect("a time");
    let taken = bank.store.unfinished_orders(10, lease, bank.now()).await.expect("taken");
    assert_eq!(taken.len(), 1);
    assert_eq!(taken[0].subject_name, user.name.der());
    let again = bank.store.unfinished_orders(10, lease, bank.now()).await.expect("none left");
    assert!(again.is_empty(), "somebody works on it");
    let first = bank.successor(&user, n);
    let tbs = |certificate: &koshin_protocol::certificate::Certificate| {
        let der = certificate.der();
        // SEQUENCE, two octets of length each: the outer header has four octets, so has the inner.
        let length = 4 + usize::from(u16::from_be_bytes([der[6], der[7]]));
        der[4..4 + length].to_vec()
    };
    let reserve = |serial: &[u8], tbs: Vec<u8>| {
        let reserved = Reserved { serial: serial.to_vec(), tbs };
        bank.store.reserve_signing(Reserve { order: order.id, reserved }, bank.now())
    };
    let reserved = reserve(first.serial(), tbs(&first)).await.expect("reserved");
    let second = bank.successor(&user, n);
    assert_eq!(reserve(second.serial(), tbs(&second)).await.expect("the first"), reserved);
    let wrong = bank.store.issued(order.id, Signed { certificate: second }, bank.now()).await;
    assert!(matches!(wrong, Err(Failure::Fault(_))), "{wrong:?}");
    let right = Signed { certificate: first.clone() };
    bank.store.issued(order.id, right, bank.now()).await.expect("stored");
    assert_eq!(bank.state_of(&first), "unconfirmed");
}

#[tokio::test]
async fn a_key_is_taken_once_over_all_orders_and_certificates() {
    let bank = Bank::new().await;
    let user = bank.user().await;
    let other = bank.person("Suzuki Ichiro", Role::User).await;
    let session = bank.session(&user.certificate).await;
    let n = bank.new_key();
    let order = bank.place(&user, session, n).await.expect("placed").order;
    bank.cancel(session, order.id, n).await.expect("canceled");
    let others = bank.session(&other.certificate).await;
    assert_eq!(refused(bank.place(&other, others, n).await), Refused::KeyReused);
    let mut own = bank.order(&user, session, n, false);
    own.key = user.certificate.key().thumbprint();
    assert_eq!(refused(bank.store.place_order(own, bank.now()).await), Refused::KeyReused);
    assert_eq!(
        bank.store.order_by_key(thumbprint(n)).await.expect("read").map(|o| o.id),
        Some(order.id)
    );
}

#[tokio::test]
async fn an_import_is_repeatable_and_refuses_what_would_break_the_registry() {
    let bank = Bank::new().await;
    let user = bank.user().await;
    let start = bank.now().unix();
    let import = |certificate: &koshin_protocol::certificate::Certificate, role| Import {
        certificate: certificate.clone(),
        contract: bank.contract,
        subject: SubjectId::random(),
        role,
    };
    let second = bank.ca.sign(&user.name, Bank::fresh_key(), (start, start + DAY));
    let other = name("Suzuki Ichiro");
    let same_key = bank.ca.sign(&other, bank.new_key(), (start, start + DAY));
    let expired = bank.ca.sign(&other, Bank::fresh_key(), (start - DAY, start - 1));
    let list = vec![
        import(&user.certificate, Role::User),
        import(&second, Role::User),
        import(&second, Role::Administrator),
        import(&expired, Role::User),
        import(&same_key, Role::User),
        import(&same_key, Role::User),
    ];
    let refused = ImportOutcome::Refused;
    let created = list[4].subject;
    let expected = [
        ImportOutcome::Unchanged { subject: user.subject },
        refused(ImportRefused::OtherCurrent),
        refused(ImportRefused::OtherRole),
        refused(ImportRefused::Expired),
        ImportOutcome::Imported { subject: created, subject_created: true },
        ImportOutcome::Unchanged { subject: created },
    ];
    let run = |dry| bank.store.import_certificates(list.clone(), dry, Actor::Bank, bank.now());
    assert_eq!(run(true).await.expect("a dry run"), expected);
    let known = bank.store.certificate_by_fingerprint(fingerprint(&same_key)).await;
    assert_eq!(known, Ok(None), "a dry run changes nothing");
    assert_eq!(run(false).await.expect("imported"), expected);
    invariants::check(&bank);
}

#[tokio::test]
async fn a_disabled_subject_or_contract_is_refused_until_it_is_enabled() {
    let bank = Bank::new().await;
    let user = bank.user().await;
    let session = bank.session(&user.certificate).await;
    let n = bank.new_key();
    let subject =
        |disabled| bank.store.set_subject_disabled(user.subject, disabled, Actor::Bank, bank.now());
    subject(true).await.expect("disabled");
    assert_eq!(token(bank.log_on(&user.certificate).await), "subjectDisabled");
    assert_eq!(token(bank.place(&user, session, n).await), "subjectDisabled");
    subject(false).await.expect("enabled");
    let contract = |disabled| {
        bank.store.set_contract_disabled(bank.contract, disabled, Actor::Bank, bank.now())
    };
    contract(true).await.expect("disabled");
    assert_eq!(token(bank.log_on(&user.certificate).await), "subjectDisabled");
    contract(false).await.expect("enabled");
    bank.place(&user, session, n).await.expect("placed");
}

#[tokio::test]
async fn a_session_ends_unused_and_at_its_absolute_time() {
    let bank = Bank::new().await;
    let user = bank.user().await;
    let start = bank.now().unix();
    let session = bank.session(&user.certificate).await;
    let alive = || async { bank.store.session(session, bank.now()).await.expect("read").is_some() };
    bank.wait(600);
    assert!(alive().await);
    bank.wait(1);
    assert!(!alive().await);
    for step in 1..=6 {
        bank.store.touch_session(session, crate::bank::at(start + 600 * step - 1));
    }
    bank.set(start + 3600);
    assert!(alive().await, "touched: the idle time began anew");
    bank.store.expire(100, bank.now()).await.expect("touches are written");
    bank.wait(1);
    assert!(!alive().await);
    bank.store.expire(100, bank.now()).await.expect("ended");
    let ended: String = bank
        .sql()
        .query_row("SELECT ended FROM session WHERE id = ?1", [session.as_bytes()], |row| {
            row.get(0)
        })
        .expect("a row");
    assert_eq!(ended, "absolute");
}

#[tokio::test]
async fn an_unknown_certificate_and_a_foreign_order_tell_nothing() {
    let bank = Bank::new().await;
    let user = bank.user().await;
    let other = bank.person("Suzuki Ichiro", Role::User).await;
    let session = bank.session(&user.certificate).await;
    let others = bank.session(&other.certificate).await;
    let n = bank.new_key();
    let order = bank.place(&user, session, n).await.expect("placed").order;
    assert_eq!(refused(bank.cancel(others, order.id, n).await), Refused::NotFound);
    assert_eq!(refused(bank.confirm(order.id, &other.certificate).await), Refused::NotFound);
    let absent = koshin_server::store::id::OrderId::random();
    assert_eq!(refused(bank.cancel(others, absent, n).await), Refused::NotFound);
    assert_eq!(
        refused(bank.confirm(order.id, &user.certificate).await),
        Refused::KeyMismatch { order: order.id, key: thumbprint(n) }
    );
    let unknown = Fingerprint::from_bytes([9; 32]);
    assert_eq!(bank.store.certificate_by_fingerprint(unknown).await, Ok(None));
}

#[tokio::test]
async fn the_status_page_shows_a_contract_or_one_subject() {
    let bank = Bank::new().await;
    let user = bank.user().await;
    let (renewed, _) = bank.renew(&user).await;
    bank.person("Suzuki Ichiro", Role::User).await;
    let all = bank.store.contract(bank.contract, None).await.expect("read").expect("there");
    assert_eq!(all.subjects.len(), 2);
    let own = bank.store.contract(bank.contract, Some(user.subject)).await.expect("read");
    let own = own.expect("there");
    assert_eq!(own.subjects.len(), 1);
    let certificates = &own.subjects[0].certificates;
    assert_eq!(certificates.len(), 2);
    assert_eq!(certificates[0].certificate.cert_id, renewed.cert_id(), "newest first");
    assert_eq!(certificates[1].successor, Some(renewed.cert_id()));
    let foreign = bank.store.contract(ContractId::random(), None).await;
    assert_eq!(foreign, Ok(None));
}

#[tokio::test]
async fn a_deferral_is_counted_and_refused_while_an_order_is_open() {
    let bank = Bank::new().await;
    let user = bank.user().await;
    let session = bank.session(&user.certificate).await;
    let after = bank.store.defer(session, bank.now()).await.expect("deferred");
    assert_eq!(after.holder.certificate.deferrals, 1);
    let again = bank.store.defer(session, bank.now()).await.expect("the same session");
    assert_eq!(again.holder.certificate.deferrals, 1, "counted once a session");
    let next = bank.session(&user.certificate).await;
    let after = bank.store.defer(next, bank.now()).await.expect("deferred");
    assert_eq!(after.holder.certificate.deferrals, 2);
    assert_eq!(after.holder.certificate.deferred_at, Some(bank.now()));
    let placed = bank.place(&user, next, bank.new_key()).await.expect("placed");
    let order = Some(placed.order.id);
    assert_eq!(
        refused(bank.store.defer(next, bank.now()).await),
        Refused::DeferralRefused { order }
    );
}
