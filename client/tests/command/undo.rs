//! `defer`, `cancel`, `resume`, `rollback` and `revoke`.

use crate::bank::Bank;

#[test]
fn a_deferral_is_recorded_and_offered_again_at_the_next_logon() {
    let bank = Bank::open();
    let user = bank.user();
    let ran = user.with_pin(&["defer", "--json"]).done();
    assert_eq!(ran.last()["outcome"], "deferred");
    assert_eq!(ran.last()["deferrals"], 1);
    let text = user.with_pin(&["defer"]).done();
    assert!(text.out.contains("so far: 2"), "{text:?}");
    let events = user.with_pin(&["renew", "--yes", "--json"]).done().events();
    let notice = events.iter().find(|event| event["event"] == "notice").unwrap();
    assert_eq!(notice["deferrals"], 2);
    // The new certificate has nothing to defer.
    user.with_pin(&["defer"]).failed(11, "there is no renewal to defer");
}

#[test]
fn what_was_begun_is_shown_and_then_resumed_or_canceled() {
    let bank = Bank::open();
    let user = bank.user();
    user.with_pin(&["cancel"]).failed(11, "there is no renewal under way");
    user.begins(&bank);
    let status = user.run(&["status"]).done();
    assert!(status.out.contains("a renewal is under way"), "{status:?}");
    assert!(status.out.contains("Next: koshin resume"), "{status:?}");
    let canceled = user.with_pin(&["cancel", "--json"]).done();
    assert_eq!(canceled.last()["outcome"], "canceled");
    user.begins(&bank);
    let ran = user.with_pin(&["resume", "--yes", "--json"]).done();
    assert_eq!(ran.last()["outcome"], "renewed");
    assert!(ran.events().iter().any(|event| event["event"] == "resuming"), "{ran:?}");
}

#[test]
fn a_renewal_is_taken_back_only_when_that_was_said() {
    let bank = Bank::open();
    let user = bank.user();
    user.with_pin(&["rollback", "--yes"]).failed(11, "there is no completed renewal");
    let renewed = user.with_pin(&["renew", "--yes", "--json"]).done().last();
    user.with_pin(&["rollback"]).failed(2, "--yes");
    let ran = user.with_pin(&["rollback", "--yes", "--json"]).done();
    assert_eq!(ran.last()["outcome"], "rolledBack");
    let listed = user.run(&["list", "--json"]).done().last();
    let certificates = &listed["identities"][0]["certificates"];
    assert_eq!(certificates[0]["certID"], renewed["replaces"]);
}

// [CLI-86]
#[test]
fn a_look_does_not_end_the_right_to_take_a_renewal_back() {
    let bank = Bank::open();
    let user = bank.user();
    let renewed = user.with_pin(&["renew", "--yes"]).done();
    assert!(renewed.out.contains("before you log on with the new certificate"), "{renewed:?}");
    let early = user.with_pin(&["renew", "--yes", "--json"]);
    assert_eq!(early.code, 10, "{early:?}");
    assert!(early.last()["notBefore"].is_string(), "{early:?}");
    user.with_pin(&["status", "--contract"]).failed(2, "ends that right");
    user.run(&["agent", "--once"]).done();
    user.run(&["doctor"]).done();
    user.with_pin(&["rollback", "--yes"]).done();
}

#[test]
fn a_rollback_that_comes_too_late_is_answered_with_the_certificate_that_is_here() {
    let bank = Bank::open();
    let user = bank.user();
    let renewed = user.with_pin(&["renew", "--yes", "--json"]).done().last();
    let contract = user.with_pin(&["status", "--contract", "--yes"]).done();
    assert!(contract.out.contains("Contract "), "{contract:?}");
    let late = user.with_pin(&["rollback", "--yes", "--json"]);
    assert_eq!((late.code, &late.last()["problem"]["token"]), (11, &"rollbackEnded".into()));
    assert_eq!(late.last()["next"], "koshin status");
    let listed = user.run(&["list", "--json"]).done().last();
    assert_eq!(listed["identities"][0]["certificates"][0]["certID"], renewed["certID"]);
    user.with_pin(&["status", "--contract"]).done();
}

#[test]
fn a_certificate_is_revoked_by_its_owner_and_then_only_a_reissue_helps() {
    let bank = Bank::open();
    let user = bank.user();
    user.run(&["revoke"]).failed(2, "--yes");
    let ran = user.run(&["revoke", "--yes", "--reason", "keyCompromise", "--json"]).done();
    assert_eq!(ran.last()["revoked"].as_array().unwrap().len(), 1);
    let refused = user.with_pin(&["renew", "--yes", "--json"]);
    assert_eq!(
        (refused.code, &refused.last()["problem"]["token"]),
        (12, &"certificateRevoked".into())
    );
}
