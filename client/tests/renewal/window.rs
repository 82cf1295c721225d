//! Whose account of time and window counts: any that says open, by the bank's clock or this machine's.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use koshin_client::clock::Clock;
use koshin_client::consent::Unattended;
use koshin_client::error::Error;
use koshin_client::progress::Event;
use koshin_client::{Client, Later, Renewal};
use koshin_protocol::pin::Pin;
use koshin_protocol::problem::Token;
use koshin_protocol::time::Time;
use serde_json::json;

use crate::misbehaviour::{changing, sent_to};
use crate::scene::{Bank, PIN, Person, Wire, in_days, now, renewed, wire};

const DAY: i64 = 86_400;

/// This machine's clock, so many seconds ahead; waits are over at once.
#[derive(Clone, Debug, Default)]
struct Ahead {
    seconds: Arc<AtomicI64>,
}

impl Ahead {
    fn by(seconds: i64) -> Self {
        Self { seconds: Arc::new(AtomicI64::new(seconds)) }
    }
}

impl Clock for Ahead {
    fn now(&self) -> Time {
        Time::from_unix(now().unix() + self.seconds.load(Ordering::Relaxed)).unwrap()
    }

    fn sleep(&self, _: Duration) -> Later<'_, ()> {
        Box::pin(tokio::task::yield_now())
    }
}

async fn client(person: &Person, wire: &Wire, clock: &Ahead) -> Client {
    let events = Arc::clone(&person.events);
    Client::builder(person.identity())
        .consent(Unattended::new(Some(Pin::new(PIN.to_owned()))))
        .progress(move |event: &Event| events.lock().unwrap().push(event.clone()))
        .transport(wire.clone())
        .clock(clock.clone())
        .build()
        .await
        .unwrap()
}

async fn user_in(bank: &Bank, days: i64) -> Person {
    let made = bank.customer("user", "c", days).await;
    bank.person("user", Some(&made))
}

// [WIN-04] [WIN-05]
#[tokio::test]
async fn the_certificates_own_window_is_enough() {
    let bank = Bank::open().await;
    let user = user_in(&bank, 20).await;
    // A session without a notice, as if the bank saw no window.
    let wire = changing("logoff", |json| drop(json.as_object_mut().unwrap().remove("notice")));
    renewed(client(&user, &wire, &Ahead::default()).await.renew(Renewal::default()).await);
}

// [WIN-05]
#[tokio::test]
async fn the_notice_alone_is_enough_and_so_is_renewal_info_alone() {
    let bank = Bank::open().await;
    let window = json!({ "start": in_days(-1), "end": in_days(200) });
    let notice = json!({ "expires": in_days(200), "window": window, "deferrals": 0 });
    let by_notice = changing("logoff", move |json| json["notice"] = notice.clone());
    let by_info = changing("enforcedWindow", move |json| json["enforcedWindow"] = window.clone());
    for wire in [by_notice, by_info] {
        let user = user_in(&bank, 200).await;
        let client = client(&user, &wire, &Ahead::default()).await;
        let error = client.renew(Renewal::default()).await.unwrap_err();
        assert_eq!(error.token(), Some(Token::TooEarly), "{error:?}");
        assert_eq!(sent_to(&wire, "new-order"), 1);
    }
    // By no account at all: nothing is sent.
    let (user, wire) = (user_in(&bank, 200).await, wire());
    let error = client(&user, &wire, &Ahead::default()).await.renew(Renewal::default()).await;
    assert!(matches!(error, Err(Error::TooEarly { .. })), "{error:?}");
    assert_eq!(sent_to(&wire, "new-order"), 0);
}

// [WIN-05]
#[tokio::test]
async fn either_clock_is_enough() {
    let bank = Bank::open().await;
    // By this machine's clock the window is open; by the bank's it opens in days.
    let (user, first) = (user_in(&bank, 40).await, wire());
    let client_ahead = client(&user, &first, &Ahead::by(20 * DAY)).await;
    let error = client_ahead.renew(Renewal::default()).await.unwrap_err();
    assert_eq!((error.token(), sent_to(&first, "new-order")), (Some(Token::TooEarly), 1));
    // By this machine's it is not open yet; by the bank's it is.
    let (user, second) = (user_in(&bank, 20).await, wire());
    renewed(client(&user, &second, &Ahead::by(-20 * DAY)).await.renew(Renewal::default()).await);
}

// [TIM-02] [TIM-03]
#[tokio::test]
async fn the_difference_of_the_clocks_is_that_of_this_run_and_told_where_it_is_large() {
    let bank = Bank::open().await;
    let user = user_in(&bank, 200).await;
    let off = Ahead::by(2 * 3600);
    for _ in 0..2 {
        let client = client(&user, &wire(), &off).await;
        let unknown = client.bank().now().seconds_since(now());
        assert!((7199..=7201).contains(&unknown), "nothing of an earlier run: {unknown}");
        client.window().await.unwrap();
        assert!(client.bank().now().seconds_since(now()).abs() <= 2);
    }
    let told = user
        .events
        .lock()
        .unwrap()
        .iter()
        .filter_map(|event| match event {
            Event::ClockDiffers { seconds } => Some(*seconds),
            _ => None,
        })
        .collect::<Vec<_>>();
    assert_eq!(told.len(), 2, "once a run");
    assert!(told.iter().all(|seconds| (7198..=7202).contains(seconds)), "{told:?}");
    user.events.lock().unwrap().clear();
    client(&user, &wire(), &Ahead::by(200)).await.window().await.unwrap();
    assert!(user.events.lock().unwrap().is_empty());
}

// [DIR-05]
#[tokio::test]
async fn a_directory_is_kept_for_a_day_at_most() {
    let bank = Bank::open().await;
    let (user, wire, clock) = (user_in(&bank, 200).await, wire(), Ahead::default());
    let client = client(&user, &wire, &clock).await;
    for (hours, asked) in [(0, 1), (23, 1), (24, 2), (47, 2), (0, 3)] {
        clock.seconds.store(hours * 3600, Ordering::Relaxed);
        client.window().await.unwrap();
        assert_eq!(sent_to(&wire, "directory"), asked, "{hours}");
    }
}
