//! Revocation, operators, imports, disabling, sessions, the status page.

use koshin_protocol::cert_id::CertId;
use koshin_protocol::certificate::{Attribute, Certificate, Name};
use koshin_protocol::state::order::Status;
use koshin_server::store::change::{
    Actor, Import, ImportOutcome, ImportRefused, NewSubject, Revoke, Signed,
};
use koshin_server::store::id::{ContractId, Fingerprint, SubjectId};
use koshin_server::store::row::{ContractRow, Purpose, Reason, Role};
use koshin_server::store::{Failure, OperatorRefused, Refused, Shown, Store, StoreError};

use crate::bank::{Bank, DAY, Person, START, fingerprint, name, refused, tbs, thumbprint, token};
use crate::invariants;

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

/// `CN=ab+OU=xyz` with the `CN` in `UTF8String` and in `BMPString`, which DER sorts otherwise (SPEC.md 4.7).
fn in_two_encodings() -> [Name; 2] {
    [
        &b"\x30\x19\x31\x17\x30\x09\x06\x03\x55\x04\x03\x0c\x02ab\x30\x0a\x06\x03\x55\x04\x0b\x0c\x03xyz"[..],
        b"\x30\x1b\x31\x19\x30\x0a\x06\x03\x55\x04\x0b\x0c\x03xyz\x30\x0b\x06\x03\x55\x04\x03\x1e\x04\0a\0b",
    ]
    .map(|der| Name::from_der(der).expect("a name"))
}

#[tokio::test]
async fn a_ca_may_encode_the_subjects_name_anew() {
    let bank = Bank::new().await;
    let [recorded, anew] = in_two_encodings();
    let certificate = bank.ca.sign(&recorded, bank.new_key(), (START - DAY, START + DAY));
    let import = import(&bank, &certificate);
    let (subject, name) = (import.subject, recorded);
    bank.store
        .import_certificates(vec![import], false, Actor::Bank, bank.now())
        .await
        .expect("imported");
    let mut person = Person { subject, name, certificate };
    let session = bank.session(&person.certificate).await;
    let n = bank.new_key();
    let order = bank.place_slow(&person, session, n).await.expect("placed").order;
    person.name = anew;
    let certificate = bank.successor(&person, n);
    bank.store.issued(order.id, Signed { certificate }, bank.now()).await.expect("issued");
    let there = bank.store.order(order.id).await.expect("read").expect("there");
    assert!(there.certificate.is_some());
}

fn import(bank: &Bank, certificate: &Certificate) -> Import {
    let (contract, subject) = (bank.contract, SubjectId::random());
    Import { certificate: certificate.clone(), contract, subject, role: Role::User }
}

// [NAM-05]
#[tokio::test]
async fn equal_names_are_one_subject_whatever_their_der() {
    let bank = Bank::new().await;
    let [one, other] = in_two_encodings();
    let first = bank.ca.sign(&one, Bank::fresh_key(), (START - DAY, START + DAY));
    let second = bank.ca.sign(&other, Bank::fresh_key(), (START, START + 2 * DAY));
    let run = |import| bank.store.import_certificates(vec![import], false, Actor::Bank, bank.now());
    let made = import(&bank, &first);
    let subject = made.subject;
    run(made).await.expect("imported");
    let refused_as_current = run(import(&bank, &second)).await.expect("an answer");
    assert_eq!(refused_as_current, [ImportOutcome::Refused(ImportRefused::OtherCurrent)]);
    let (id, contract) = (SubjectId::random(), bank.contract);
    let new = NewSubject { id, contract, name: other, role: Role::User, pin_hash: None };
    let conflict = refused(bank.store.add_subject(new, Actor::Bank, bank.now()).await);
    assert_eq!(conflict, Refused::Operator(OperatorRefused::Conflict));
    bank.wait(DAY + 1);
    let taken_in = run(import(&bank, &second)).await.expect("imported");
    assert_eq!(taken_in, [ImportOutcome::Imported { subject, subject_created: false }]);
    let page = everybody(&bank).await.expect("read").expect("there");
    assert_eq!(page.subjects.len(), 1);
    invariants::check(&bank);
}

#[tokio::test]
async fn a_certificate_whose_subject_is_no_name_is_not_taken_in() {
    let bank = Bank::new().await;
    let long = Name::new(&[(Attribute::CommonName, &"x".repeat(Name::MAX_TEXT - 3))]);
    let empty = Name::new(&[]).expect("a name");
    let longer = Name::new(&[(Attribute::CommonName, &"x".repeat(Name::MAX_TEXT - 2))]);
    for (name, nameless) in
        [(long.expect("a name"), false), (empty, true), (longer.expect("a name"), true)]
    {
        let certificate = bank.ca.sign(&name, Bank::fresh_key(), (START, START + DAY));
        let import = import(&bank, &certificate);
        let outcome = bank.store.import_certificates(vec![import], false, Actor::Bank, bank.now());
        let outcome = outcome.await.expect("an answer");
        let refused = outcome == [ImportOutcome::Refused(ImportRefused::Nameless)];
        assert_eq!(refused, nameless, "{outcome:?}");
    }
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
    let import = |certificate: &Certificate, role| Import { role, ..import(&bank, certificate) };
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

// [STA-05] [SES-07]
#[tokio::test]
async fn an_import_after_the_expiry_supersedes_and_is_what_the_old_holder_is_told() {
    let bank = Bank::new().await;
    let first = bank.user().await;
    let (second, order) = bank.renew(&first).await;
    bank.wait(400 * DAY);
    let now = bank.now().unix();
    let third = bank.ca.sign(&first.name, Bank::fresh_key(), (now, now + DAY));
    let import = Import {
        certificate: third.clone(),
        contract: bank.contract,
        subject: first.subject,
        role: Role::User,
    };
    let imported = bank.store.import_certificates(vec![import], false, Actor::Bank, bank.now());
    let subject = first.subject;
    let expected = ImportOutcome::Imported { subject, subject_created: false };
    assert_eq!(imported.await.expect("imported"), [expected]);
    assert_eq!((bank.state_of(&second.certificate), bank.state_of(&third)), superseded_current());
    let told = Refused::CertificateSuperseded { successor: Some(CertId::of(&third)) };
    for old in [&first, &second] {
        assert_eq!(refused(bank.log_on(&old.certificate).await), told);
    }
    // Had the clock been wrong: the right to roll back the second one has ended, and nothing takes
    // the third one's place.
    bank.wait(-400 * DAY);
    let recovery = bank.log_on_for(&first.certificate, Purpose::Recovery).await;
    assert_eq!(token(recovery), "rollbackEnded");
    let recovery = bank.log_on_for(&second.certificate, Purpose::Recovery).await;
    assert_eq!(refused(recovery), told, "no order of it to roll back");
    let order = bank.store.order(order).await.expect("read").expect("there");
    assert_eq!(order.state.status(), Status::Completed);
    invariants::check(&bank);
}

fn superseded_current() -> (String, String) {
    ("superseded".to_owned(), "current".to_owned())
}

// [DUR-11]
#[tokio::test]
async fn an_import_is_refused_while_the_renewal_of_the_expired_one_is_open() {
    let bank = Bank::new().await;
    let user = bank.user().await;
    let session = bank.session(&user.certificate).await;
    let n = bank.new_key();
    let order = bank.place(&user, session, n).await.expect("placed").order;
    bank.wait(30 * DAY);
    let now = bank.now().unix();
    let other = bank.ca.sign(&user.name, Bank::fresh_key(), (now, now + DAY));
    let import = || {
        let (certificate, contract) = (other.clone(), bank.contract);
        let import = Import { certificate, contract, subject: user.subject, role: Role::User };
        bank.store.import_certificates(vec![import], false, Actor::Bank, bank.now())
    };
    let refused = ImportOutcome::Refused(ImportRefused::OrderOpen);
    assert_eq!(import().await.expect("answered"), [refused]);
    bank.revoke(&user.certificate).await;
    let order = bank.store.order(order.id).await.expect("read").expect("there");
    assert_eq!(order.state.status(), Status::Invalid);
    let (subject, subject_created) = (user.subject, false);
    let imported = ImportOutcome::Imported { subject, subject_created };
    assert_eq!(import().await.expect("imported"), [imported]);
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
    assert_eq!(bank.store.tidy_up(100, bank.now()).await, Ok(0), "touches are written");
    bank.wait(1);
    assert!(!alive().await);
    bank.wait(-1);
    assert!(alive().await, "its end is a comparison");
    bank.wait(DAY);
    assert_eq!(bank.store.tidy_up(100, bank.now()).await, Ok(0), "not yet forgotten");
    bank.wait(1);
    assert_eq!(bank.store.tidy_up(100, bank.now()).await, Ok(1));
    bank.set(start);
    assert!(!alive().await, "forgotten");
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

const EVERYBODY: Shown = Shown::Some { after: None, most: 1000 };

async fn everybody(bank: &Bank) -> Result<Option<ContractRow>, StoreError> {
    bank.store.contract(bank.contract, EVERYBODY, bank.now()).await
}

#[tokio::test]
async fn the_status_page_shows_a_contract_or_one_subject() {
    let bank = Bank::new().await;
    let user = bank.user().await;
    let (renewed, _) = bank.renew(&user).await;
    bank.person("Suzuki Ichiro", Role::User).await;
    let all = everybody(&bank).await.expect("read").expect("there");
    assert_eq!(all.subjects.len(), 2);
    let own = bank.store.contract(bank.contract, Shown::One(user.subject), bank.now()).await.expect("read");
    let own = own.expect("there");
    assert_eq!(own.subjects.len(), 1);
    let certificates = &own.subjects[0].certificates;
    assert_eq!(certificates.len(), 2);
    assert_eq!(certificates[0].certificate.cert_id, renewed.cert_id(), "newest first");
    assert_eq!(certificates[1].successor, Some(renewed.cert_id()));
    let foreign = bank.store.contract(ContractId::random(), EVERYBODY, bank.now()).await;
    assert_eq!(foreign, Ok(None));
    let stranger = Shown::Some { after: Some(SubjectId::random()), most: 1 };
    assert_eq!(bank.store.contract(bank.contract, stranger, bank.now()).await, Ok(None));
}

// [CTR-06]
#[tokio::test]
async fn pages_show_everybody_once_whoever_is_added_meanwhile() {
    let bank = Bank::new().await;
    let mut there = Vec::new();
    for n in 0..7 {
        there.push(bank.person(&format!("Tanaka {n}"), Role::User).await.subject);
    }
    for most in [1, 2, 3, 7, 8] {
        let (mut seen, mut after, mut added) = (Vec::new(), None, 0);
        loop {
            let shown = Shown::Some { after, most };
            let page = bank.store.contract(bank.contract, shown, bank.now()).await;
            let page = page.expect("read").expect("there");
            assert!((1..=most as usize).contains(&page.subjects.len()));
            seen.extend(page.subjects.iter().map(|entry| entry.subject.id));
            // Before, between and behind the others.
            for name in [format!("A {most} {added}"), format!("Tanaka {added} {most}")] {
                bank.person(&name, Role::User).await;
            }
            added += 1;
            let Some(last) = page.next else { break };
            after = Some(last);
        }
        let once = |subject| seen.iter().filter(|one| *one == subject).count() == 1;
        assert!(there.iter().all(once), "pages of {most}");
    }
}

// [CTR-03]
#[tokio::test]
async fn of_many_certificates_the_newest_twenty_are_listed_and_always_the_current_one() {
    let bank = Bank::new().await;
    let user = bank.user().await;
    let mut canceled = Vec::new();
    for _ in 0..25 {
        bank.wait(60);
        let session = bank.session(&user.certificate).await;
        let n = bank.new_key();
        let placed = bank.place(&user, session, n).await.expect("placed");
        canceled.push(placed.order.certificate.expect("issued").cert_id);
        bank.cancel(session, placed.order.id, n).await.expect("canceled");
    }
    let page = everybody(&bank).await.expect("read").expect("there");
    let listed = page.subjects[0].certificates.iter().map(|one| one.certificate.cert_id.clone());
    let listed: Vec<_> = listed.collect();
    canceled.reverse();
    let expected: Vec<_> = canceled.into_iter().take(19).chain([user.cert_id()]).collect();
    assert_eq!(listed, expected);
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
