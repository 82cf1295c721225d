//! A restore never takes the last certificate that the bank knows of its holder.

use koshin_server::store::Store;
use koshin_server::store::change::{
    Actor, Import, ImportOutcome, ImportRefused, Reserve, Revoke, Signed, Undo,
};
use koshin_server::store::row::{Purpose, Reason, Reserved, Role};
use koshin_server::store::sqlite::{NamedCertificate, NamedSubject, Note};

use crate::backup::OPERATOR;
use crate::bank::{Bank, DAY, Person, certificate_of, tbs, token};

fn named(person: &Person) -> NamedCertificate {
    let subject = NamedSubject { subject: person.subject, name: person.name.as_str().to_owned() };
    NamedCertificate { certificate: person.cert_id(), subject }
}

async fn bank() -> (Bank, Person) {
    let bank = Bank::new().await;
    bank.operator(OPERATOR).await;
    let person = bank.user().await;
    (bank, person)
}

/// The whole renewal ends the right to roll back, so that the CRL lists the predecessor.
async fn renew_for_good(bank: &Bank, person: &Person) -> Person {
    let (new, _) = bank.renew(person).await;
    bank.session(&new.certificate).await;
    new
}

// [DUR-23] [DUR-24] [DUR-29]
#[tokio::test]
async fn a_certificate_superseded_by_unknown_ones_stays_current_off_the_list_and_renews() {
    let (bank, person) = bank().await;
    let known = renew_for_good(&bank, &person).await;
    let backup = bank.backup().await;
    let second = renew_for_good(&bank, &known).await;
    let third = renew_for_good(&bank, &second).await;
    let (crl, heads) = (bank.newest_crl().await, bank.export().await);
    for heads in [Some(&heads), None] {
        let (after, notes) = bank.restored(&backup, std::slice::from_ref(&crl), heads).await;
        assert_eq!(notes, [Note::LeftCurrent(named(&known))]);
        assert_eq!(after.state_of(&known.certificate), "current");
        assert_eq!(after.state_of(&person.certificate), "superseded");
        assert!(after.lists(&person.certificate).await && after.lists(&second.certificate).await);
        assert!(!after.lists(&known.certificate).await);
        assert_eq!(after.store.latest_crl(after.ca.id()).await, Ok(None), "it is made anew");
        assert!(after.newest_crl().await.number() > crl.number());
        assert_eq!(token(after.log_on(&third.certificate).await), "certificateUnknown");
        let renewed = renew_for_good(&after, &known).await;
        assert_eq!(after.state_of(&renewed.certificate), "current");
        assert!(after.lists(&known.certificate).await, "superseded again");
        std::fs::remove_dir_all(after.folder()).expect("removed");
    }
}

// [DUR-25]
#[tokio::test]
async fn an_order_that_was_open_in_the_backup_and_confirmed_after_it_is_completed() {
    let (bank, person) = bank().await;
    let session = bank.session(&person.certificate).await;
    let n = bank.new_key();
    let order = bank.place(&person, session, n).await.expect("placed").order;
    let backup = bank.backup().await;
    let new = Person { certificate: certificate_of(&order), ..person.clone() };
    bank.confirm(order.id, &new.certificate).await.expect("confirmed");
    bank.session(&new.certificate).await;
    let crl = bank.newest_crl().await;
    bank.wait(5);
    let (after, notes) = bank.restored(&backup, &[crl], Some(&bank.export().await)).await;
    assert_eq!(notes, [Note::Confirmed(named(&new))]);
    assert_eq!(after.state_of(&new.certificate), "current");
    assert!(after.lists(&person.certificate).await);
    let rollback = after.log_on_for(&person.certificate, Purpose::Recovery).await;
    assert_eq!(token(rollback), "rollbackDisabled", "the CRL lists it, so the right had ended");
}

// [DUR-25] [DUR-23]
#[tokio::test]
async fn an_unconfirmed_successor_that_is_listed_as_superseded_was_confirmed_and_stays_current() {
    let (bank, person) = bank().await;
    let session = bank.session(&person.certificate).await;
    let n = bank.new_key();
    let order = bank.place(&person, session, n).await.expect("placed").order;
    let backup = bank.backup().await;
    let new = Person { certificate: certificate_of(&order), ..person.clone() };
    bank.confirm(order.id, &new.certificate).await.expect("confirmed");
    renew_for_good(&bank, &new).await;
    let crl = bank.newest_crl().await;
    let (after, notes) = bank.restored(&backup, &[crl], Some(&bank.export().await)).await;
    assert!(notes.contains(&Note::LeftCurrent(named(&new))), "{notes:?}");
    assert_eq!(after.state_of(&new.certificate), "current");
    assert_eq!(after.state_of(&person.certificate), "superseded");
}

// [DUR-23]
#[tokio::test]
async fn where_the_open_order_was_canceled_and_another_confirmed_the_predecessor_stays_current() {
    let (bank, person) = bank().await;
    let session = bank.session(&person.certificate).await;
    let n = bank.new_key();
    let order = bank.place(&person, session, n).await.expect("placed").order;
    let backup = bank.backup().await;
    bank.cancel(session, order.id, n).await.expect("canceled");
    renew_for_good(&bank, &person).await;
    let crl = bank.newest_crl().await;
    let (after, notes) = bank.restored(&backup, &[crl], Some(&bank.export().await)).await;
    assert!(notes.contains(&Note::LeftCurrent(named(&person))), "{notes:?}");
    assert_eq!(after.state_of(&person.certificate), "current");
    assert_eq!(after.state_of(&certificate_of(&order)), "revoked");
}

#[tokio::test]
async fn what_the_backup_has_as_superseded_keeps_no_right_that_had_ended() {
    let (bank, person) = bank().await;
    let (new, order) = bank.renew(&person).await;
    let backup = bank.backup().await;
    bank.session(&new.certificate).await;
    let crl = bank.newest_crl().await;
    assert!(bank.lists(&person.certificate).await);
    let (after, notes) = bank.restored(&backup, &[crl], Some(&bank.export().await)).await;
    assert_eq!(notes, []);
    assert_eq!(after.state_of(&new.certificate), "current");
    let order = after.store.order(order).await.expect("read").expect("there");
    let refused = after.log_on_for(&person.certificate, Purpose::Recovery).await;
    assert_eq!(token(refused), "rollbackEnded", "{:?}", order.state);
}

// [DUR-26]
#[tokio::test]
async fn what_was_rolled_back_after_the_backup_is_current_again() {
    let (bank, person) = bank().await;
    let (new, order) = bank.renew(&person).await;
    let n = bank.store.order(order).await.expect("read").expect("there").key;
    let backup = bank.backup().await;
    let recovery = bank.log_on_for(&person.certificate, Purpose::Recovery).await;
    let session = recovery.expect("logged on").session.id;
    let undo = Undo { session, order, key: n };
    bank.store.roll_back(undo, bank.now()).await.expect("rolled back");
    renew_for_good(&bank, &person).await;
    let (crl, heads) = (bank.newest_crl().await, bank.export().await);
    // The right has run out by the clock since.
    bank.wait(9 * DAY);
    let (after, notes) = bank.restored(&backup, &[crl], Some(&heads)).await;
    let expected = [Note::RolledBack(named(&person)), Note::LeftCurrent(named(&person))];
    assert_eq!(notes, expected);
    assert_eq!(after.state_of(&person.certificate), "current");
    assert_eq!(after.state_of(&new.certificate), "revoked");
}

async fn revoke(bank: &Bank, person: &Person) {
    let revoke = Revoke {
        certificate: person.cert_id(),
        reason: Reason::KeyCompromise,
        include_successors: false,
    };
    bank.store.revoke(revoke, Actor::Bank, bank.now()).await.expect("revoked");
}

// [DUR-27]
#[tokio::test]
async fn the_predecessor_of_an_unknown_successor_that_was_revoked_does_not_come_back() {
    let (bank, person) = bank().await;
    let backup = bank.backup().await;
    let (new, _) = bank.renew(&person).await;
    revoke(&bank, &new).await;
    bank.wait(1);
    let (crl, heads) = (bank.newest_crl().await, bank.export().await);
    assert_eq!(heads.standing.stopped, [person.cert_id()]);
    let (after, notes) = bank.restored(&backup, std::slice::from_ref(&crl), Some(&heads)).await;
    assert_eq!(notes, [Note::Stopped(named(&person))]);
    assert_eq!(token(after.log_on(&person.certificate).await), "certificateRevoked");
    assert!(after.lists(&person.certificate).await && after.lists(&new.certificate).await);
    // And not by a second restore, from what the first one made.
    let (second, again) = (after.newest_crl().await, after.export().await);
    std::fs::remove_dir_all(after.folder()).expect("removed");
    let (after, _) = bank.restored(&backup, &[second], Some(&again)).await;
    assert_eq!(token(after.log_on(&person.certificate).await), "certificateRevoked");
    std::fs::remove_dir_all(after.folder()).expect("removed");

    // Without heads nobody knows whose it was: the customer is served, and the operator is told.
    let (after, notes) = bank.restored(&backup, &[crl], None).await;
    let unknown = Note::RevokedUnknown { certificate: new.cert_id() };
    assert_eq!(notes, [unknown, Note::LeftCurrent(named(&person))]);
    assert_eq!(after.state_of(&person.certificate), "current");
}

// [DUR-20]
#[tokio::test]
async fn a_revocation_stands_though_it_takes_the_last_and_the_report_says_so() {
    let (bank, person) = bank().await;
    let backup = bank.backup().await;
    renew_for_good(&bank, &person).await;
    revoke(&bank, &person).await;
    let crl = bank.newest_crl().await;
    let (after, notes) = bank.restored(&backup, &[crl], Some(&bank.export().await)).await;
    assert_eq!(notes, [Note::RevokedAgain { revoked: named(&person), last: true }]);
    assert_eq!(after.state_of(&person.certificate), "revoked");
}

// [DUR-14] [DUR-20]
#[tokio::test]
async fn a_certificate_that_was_revoked_is_not_issued_again_from_its_reserved_octets() {
    for confirmed in [false, true] {
        let (bank, person) = bank().await;
        let session = bank.session(&person.certificate).await;
        let n = bank.new_key();
        let order = bank.place_slow(&person, session, n).await.expect("placed").order;
        let certificate = bank.successor(&person, n);
        let reserved = Reserved { serial: certificate.serial().to_vec(), tbs: tbs(&certificate) };
        let reserve = Reserve { order: order.id, reserved };
        bank.store.reserve_signing(reserve, bank.now()).await.expect("reserved");
        let backup = bank.backup().await;
        let signed = || Signed { certificate: certificate.clone() };
        bank.store.issued(order.id, signed(), bank.now()).await.expect("issued");
        if confirmed {
            let new = Person { certificate: certificate.clone(), ..person.clone() };
            bank.confirm(order.id, &certificate).await.expect("confirmed");
            renew_for_good(&bank, &new).await;
        } else {
            bank.cancel(session, order.id, n).await.expect("canceled");
        }
        let crl = bank.newest_crl().await;
        let (after, _) = bank.restored(&backup, &[crl], Some(&bank.export().await)).await;
        let delivered = after.store.issued(order.id, signed(), after.now()).await;
        assert!(delivered.is_ok(), "{delivered:?}");
        if confirmed {
            after.confirm(order.id, &certificate).await.expect("the newest that the bank knows");
            assert_eq!(after.state_of(&certificate), "current");
        } else {
            assert_eq!(token(after.log_on(&certificate).await), "certificateUnknown");
            assert!(after.lists(&certificate).await);
        }
        assert!(after.log_on(&person.certificate).await.is_ok() != confirmed);
    }
}

#[tokio::test]
async fn a_certificate_that_only_the_crl_knows_is_not_imported() {
    let (bank, _) = bank().await;
    let backup = bank.backup().await;
    let new = bank.person("Yamada Taro", Role::User).await;
    revoke(&bank, &new).await;
    let crl = bank.newest_crl().await;
    let (after, _) = bank.restored(&backup, &[crl], Some(&bank.export().await)).await;
    let import = Import {
        certificate: new.certificate,
        contract: bank.contract,
        subject: new.subject,
        role: Role::User,
    };
    let outcomes = after.store.import_certificates(vec![import], false, Actor::Bank, after.now());
    let refused = ImportOutcome::Refused(ImportRefused::Listed);
    assert_eq!(outcomes.await.expect("answered"), [refused]);
}
