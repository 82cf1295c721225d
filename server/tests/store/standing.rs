//! What was closed after a backup is closed again by a restore, and what was opened is named.

use koshin_server::store::Store;
use koshin_server::store::change::{Actor, PinCheck};
use koshin_server::store::row::{PinState, Reason, Role};
use koshin_server::store::sqlite::{NamedContract, NamedSubject, Note, RestoreError};

use crate::backup::OPERATOR;
use crate::bank::{Bank, Person, token};

fn named(person: &Person) -> NamedSubject {
    NamedSubject { subject: person.subject, name: person.name.as_str().to_owned() }
}

async fn bank() -> Bank {
    let bank = Bank::new().await;
    bank.operator(OPERATOR).await;
    bank
}

async fn set_disabled(bank: &Bank, person: &Person, disabled: bool) {
    let done =
        bank.store.set_subject_disabled(person.subject, disabled, Actor::Bank, bank.now()).await;
    done.expect("done");
}

async fn set_pin(bank: &Bank, person: &Person, hash: &str) {
    let (hash, old) = (hash.to_owned(), PinCheck::NotAsked);
    let set = bank.store.set_pin_hash(person.subject, hash, old, Actor::Bank, bank.now()).await;
    set.expect("set");
}

async fn lock(bank: &Bank, person: &Person) {
    for _ in 0..5 {
        bank.store.begin_pin_attempt(person.subject, bank.now()).await.expect("counted");
    }
}

async fn pin_of(bank: &Bank, person: &Person) -> PinState {
    bank.store.subject(person.subject).await.expect("read").expect("there").pin
}

// [DUR-29] [DUR-30]
#[tokio::test]
async fn subjects_disabled_after_the_backup_are_so_again_and_those_enabled_are_named() {
    let bank = bank().await;
    let later = bank.person("Disabled Later", Role::User).await;
    let earlier = bank.person("Enabled Later", Role::User).await;
    let both = bank.person("Disabled Twice", Role::User).await;
    set_disabled(&bank, &earlier, true).await;
    set_disabled(&bank, &both, true).await;
    let backup = bank.backup().await;
    set_disabled(&bank, &later, true).await;
    set_disabled(&bank, &earlier, false).await;
    let heads = bank.export().await;
    let (after, notes) = bank.restored(&backup, &[], Some(&heads)).await;
    let expected = [Note::SubjectDisabled(named(&later)), Note::SubjectEnabled(named(&earlier))];
    assert_eq!(notes, expected);
    for person in [&later, &earlier, &both] {
        assert_eq!(token(after.log_on(&person.certificate).await), "subjectDisabled");
    }
}

// [DUR-29] [DUR-30]
#[tokio::test]
async fn a_contract_disabled_after_the_backup_is_so_again_and_one_enabled_is_named() {
    let bank = bank().await;
    let person = bank.user().await;
    let contract = bank.contract;
    let set =
        |disabled| bank.store.set_contract_disabled(contract, disabled, Actor::Bank, bank.now());
    let backup = bank.backup().await;
    set(true).await.expect("disabled");
    let (after, notes) = bank.restored(&backup, &[], Some(&bank.export().await)).await;
    let named = NamedContract { contract, name: "株式会社テスト".to_owned() };
    assert_eq!(notes, [Note::ContractDisabled(named.clone())]);
    assert_eq!(token(after.log_on(&person.certificate).await), "subjectDisabled");
    std::fs::remove_dir_all(after.folder()).expect("removed");
    std::fs::remove_file(&backup).expect("removed");

    let backup = bank.backup().await;
    set(false).await.expect("enabled");
    let (after, notes) = bank.restored(&backup, &[], Some(&bank.export().await)).await;
    assert_eq!(notes, [Note::ContractEnabled(named)]);
    assert_eq!(token(after.log_on(&person.certificate).await), "subjectDisabled");
}

// [DUR-29] [DUR-30]
#[tokio::test]
async fn pins_locked_after_the_backup_are_so_again_and_those_unlocked_or_set_are_named() {
    let bank = bank().await;
    let locked = bank.person("Locked", Role::User).await;
    let unlocked = bank.person("Unlocked", Role::User).await;
    let set = bank.person("Set", Role::User).await;
    for person in [&locked, &unlocked, &set] {
        set_pin(&bank, person, "of the backup").await;
    }
    lock(&bank, &unlocked).await;
    let backup = bank.backup().await;
    bank.wait(1);
    lock(&bank, &locked).await;
    bank.store.unlock(unlocked.subject, Actor::Bank, bank.now()).await.expect("unlocked");
    set_pin(&bank, &set, "another").await;
    let heads = bank.export().await;
    let (after, notes) = bank.restored(&backup, &[], Some(&heads)).await;
    let expected = [
        Note::PinLocked(named(&locked)),
        Note::PinUnlocked(named(&unlocked)),
        Note::PinSet(named(&set)),
    ];
    assert_eq!(notes, expected);
    assert_eq!(pin_of(&after, &locked).await, PinState::Locked);
    assert_eq!(pin_of(&after, &unlocked).await, PinState::Locked);
    assert_eq!(pin_of(&after, &set).await, PinState::Set);
    bank.wait(36 * crate::bank::DAY);
    let later = bank.export().await;
    assert!(later.standing.pins_set.is_empty(), "an export does not grow for ever");
}

// [DUR-29] [DUR-30]
#[tokio::test]
async fn a_code_that_was_given_up_after_the_backup_does_not_work_again_and_an_open_one_does() {
    let bank = bank().await;
    let gone = bank.person("Gone", Role::User).await;
    let open = bank.person("Open", Role::User).await;
    let canceled = bank.reissue(&gone, Reason::KeyLost).await;
    let kept = bank.reissue(&open, Reason::KeyLost).await;
    let backup = bank.backup().await;
    bank.store.cancel_reissue(canceled.id, Actor::Bank, bank.now()).await.expect("canceled");
    let n = bank.new_key();
    let redeemed = bank.store.enroll(bank.enrollment(&open, kept.id, n), bank.now()).await;
    redeemed.expect("redeemed, not confirmed");
    let heads = bank.export().await;
    let (after, notes) = bank.restored(&backup, &[], Some(&heads)).await;
    let ended = Note::ReissueEnded { reissue: canceled.id, subject: named(&gone) };
    assert_eq!(notes, [ended]);
    let stolen = after.enrollment(&gone, canceled.id, bank.new_key());
    assert_eq!(token(after.store.enroll(stolen, after.now()).await), "enrollmentCanceled");
    let again = after.enrollment(&open, kept.id, n);
    after.store.enroll(again, after.now()).await.expect("its client goes on with its key");
}

// [STA-09] [DUR-30]
#[tokio::test]
async fn heads_that_were_exported_by_a_wrong_clock_end_no_code_and_forget_none_that_ended() {
    let bank = bank().await;
    let (gone, open) = (bank.person("Gone", Role::User).await, bank.user().await);
    let canceled = bank.reissue(&gone, Reason::KeyLost).await;
    let kept = bank.reissue(&open, Reason::KeyLost).await;
    let backup = bank.backup().await;
    bank.store.cancel_reissue(canceled.id, Actor::Bank, bank.now()).await.expect("canceled");
    let ahead = 730 * crate::bank::DAY;
    bank.wait(ahead);
    let heads = bank.export().await;
    // The bank that restores has the wrong clock, too.
    let (after, notes) = bank.restored(&backup, &[], Some(&heads)).await;
    let ended = Note::ReissueEnded { reissue: canceled.id, subject: named(&gone) };
    assert_eq!(notes, [ended]);
    after.wait(-ahead);
    let stolen = after.enrollment(&gone, canceled.id, bank.new_key());
    assert_eq!(token(after.store.enroll(stolen, after.now()).await), "enrollmentCanceled");
    let enroll = after.enrollment(&open, kept.id, bank.new_key());
    after.store.enroll(enroll, after.now()).await.expect("as before");
}

// [DUR-29] [DUR-30]
#[tokio::test]
async fn operators_disabled_after_the_backup_are_so_again_and_accept_no_loss() {
    let bank = bank().await;
    bank.operator("tanaka").await;
    let backup = bank.backup().await;
    let disable = |name: &str| {
        let by = Actor::Operator(OPERATOR.to_owned());
        bank.store.disable_operator(name.to_owned(), by, bank.now())
    };
    disable("tanaka").await.expect("disabled");
    let heads = bank.export().await;
    let refused = bank.try_restore(&backup, &[], Some(&heads), Some("tanaka"));
    assert_eq!(refused, Err(RestoreError::AcceptorDisabled("tanaka".to_owned())));
    let (after, notes) = bank.restored(&backup, &[], Some(&heads)).await;
    assert_eq!(notes, [Note::OperatorDisabled { operator: "tanaka".to_owned() }]);
    assert_eq!(after.store.operator_credential("tanaka").await, Ok(None));
    std::fs::remove_dir_all(after.folder()).expect("removed");

    // Of the backup's operators nobody is left but who accepts: a bank without any is of no use.
    bank.operator("suzuki").await;
    disable(OPERATOR).await.expect("disabled");
    let (after, notes) = bank.restored(&backup, &[], Some(&bank.export().await)).await;
    let expected = [
        Note::OperatorDisabled { operator: "tanaka".to_owned() },
        Note::OperatorLeft { operator: OPERATOR.to_owned() },
    ];
    assert_eq!(notes, expected);
    assert!(after.store.operator_credential(OPERATOR).await.expect("read").is_some());
}

#[tokio::test]
async fn heads_that_are_older_than_the_backup_close_nothing() {
    let bank = bank().await;
    let person = bank.user().await;
    set_pin(&bank, &person, "first").await;
    lock(&bank, &person).await;
    set_disabled(&bank, &person, true).await;
    let heads = bank.export().await;
    set_disabled(&bank, &person, false).await;
    bank.store.unlock(person.subject, Actor::Bank, bank.now()).await.expect("unlocked");
    let reissue = bank.reissue(&person, Reason::KeyLost).await;
    let backup = bank.backup().await;
    let (after, notes) = bank.restored(&backup, &[], Some(&heads)).await;
    assert_eq!(notes, []);
    after.log_on(&person.certificate).await.expect("as in the backup");
    assert_eq!(pin_of(&after, &person).await, PinState::Set);
    let there = after.store.reissue(reissue.id).await.expect("read").expect("there");
    assert!(matches!(there.state, koshin_protocol::state::reissue::Reissue::Pending(_)));
}
