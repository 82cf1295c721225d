//! When an unattended program renews: chosen once, kept over restarts, asked of the bank no more often than it wants.

use std::sync::Arc;

use koshin_client::Renewal;
use koshin_client::files::Real;
use koshin_client::schedule::{Schedule, Source};
use koshin_protocol::cert_id::CertId;

use super::scene::{Bank, now, renewed, wire};

// [RNI-06] [RNI-07]
#[tokio::test]
async fn the_time_is_chosen_once_in_the_banks_window_and_kept_over_restarts() {
    let bank = Bank::open().await;
    let person = bank.user().await;
    let chosen = person.client().await.appointment().await.unwrap();
    assert_eq!(chosen.cert_id, person.current());
    assert_eq!(chosen.source, Source::Bank);
    assert!(chosen.window.contains(chosen.renew_at), "{chosen:?}");
    assert!(chosen.ask_again > now());
    for _ in 0..5 {
        // Another process, and the bank is not even there.
        let wire = wire();
        wire.lose("directory", usize::MAX);
        let again = person.by(wire.clone()).await.appointment().await.unwrap();
        assert_eq!(again, chosen);
        assert_eq!(wire.sent(), Vec::<String>::new());
    }
}

// [RNI-07]
#[tokio::test]
async fn what_was_chosen_stands_where_the_bank_does_not_answer_and_a_new_certificate_gets_its_own()
{
    let bank = Bank::open().await;
    let person = bank.user().await;
    let chosen = person.client().await.appointment().await.unwrap();
    // The bank's word on it is not fresh any more.
    let mut stale = Schedule::peek(&Real, &person.folder).unwrap();
    let appointment = stale.appointment.as_mut().unwrap();
    appointment.ask_again = appointment.asked;
    stale.put(&person.identity()).unwrap();
    std::fs::remove_file(person.folder.join("renewal-info.json")).unwrap();
    let wire = wire();
    wire.lose("directory", usize::MAX);
    let again = person.by(wire.clone()).await.appointment().await.unwrap();
    assert_eq!(again.renew_at, chosen.renew_at);
    assert!(!wire.sent().is_empty());
    // Asked anew, and answered alike: the time stays.
    let again = person.client().await.appointment().await.unwrap();
    assert_eq!((again.renew_at, again.ask_again > now()), (chosen.renew_at, true));
    let new = renewed(person.client().await.renew(Renewal::default()).await);
    let next = person.client().await.appointment().await.unwrap();
    assert_eq!(next.cert_id, CertId::of(&new.certificate));
    assert!(next.renew_at > chosen.renew_at, "{next:?}");
}

#[tokio::test]
async fn without_the_banks_word_it_is_the_first_half_of_the_certificates_own_window() {
    let bank = Bank::open().await;
    let person = bank.user().await;
    let (wire, own) = (wire(), person.client().await.window().await.unwrap());
    let refusal = Arc::new(serde_json::json!({
        "type": "urn:koshin:error:notRenewable",
        "title": "Not now",
        "status": 410,
        "detail": "Not now.",
        "serverTime": now(),
        "remedy": { "action": "logon" },
    }));
    wire.tamper(move |request, response| {
        let response = response.filter(|_| request.url.as_str().contains("renewal-info"))?;
        response.status = 410;
        response.headers.insert("content-type", "application/problem+json".parse().unwrap());
        response.body = serde_json::to_vec(&*refusal).unwrap();
        None
    });
    let chosen = person.by(wire).await.appointment().await.unwrap();
    assert_eq!(chosen.source, Source::Certificate);
    assert_eq!(chosen.window.start(), own.start());
    let half = own.end().seconds_since(own.start()) / 2;
    assert_eq!(chosen.window.end().seconds_since(own.start()), half);
}
