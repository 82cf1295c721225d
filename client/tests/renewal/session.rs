//! Logging on and off: what is declared, and what is done after a session ended.

use std::sync::{Arc, Mutex};

use koshin_client::progress::Event;
use koshin_client::{Outcome, Renewal};
use koshin_protocol::base64url;
use koshin_protocol::problem::Token;
use serde_json::Value;

use crate::misbehaviour::{refusal, refusing, sent_to};
use crate::scene::{Answers, Bank, Wire, renewed, wire};

/// What was sent in signed requests to URLs with this end.
pub(crate) fn payloads(wire: &Wire, end: &'static str) -> Arc<Mutex<Vec<Value>>> {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&seen);
    wire.tamper(move |request, response| {
        if response.is_none() && request.url.as_str().ends_with(end) && !request.body.is_empty() {
            let jws = serde_json::from_slice::<Value>(&request.body).unwrap();
            let payload = base64url::decode(jws["payload"].as_str().unwrap()).unwrap();
            let payload = serde_json::from_slice(&payload).unwrap_or(Value::Null);
            sink.lock().unwrap().push(payload);
        }
        None
    });
    seen
}

// [SES-34] [CLI-30]
#[tokio::test]
async fn after_the_end_of_a_session_the_client_logs_on_again_and_looks_for_its_order() {
    let bank = Bank::open().await;
    let user = bank.user().await;
    let wire = refusing("new-order", 1, refusal(Token::SessionEnded, &[]));
    let new = renewed(user.by(wire.clone()).await.renew(Renewal::default()).await);
    assert_eq!((sent_to(&wire, "new-session"), sent_to(&wire, "new-order")), (2, 2));
    assert_eq!((new.generation, user.orders().len()), (2, 1), "the same key, one order");
}

// [ENV-03]
#[tokio::test]
async fn the_environment_is_declared_as_it_is() {
    let bank = Bank::open().await;
    let (user, wire) = (bank.user().await, wire());
    let seen = payloads(&wire, "new-session");
    renewed(user.by(wire).await.renew(Renewal::default()).await);
    let declared = seen.lock().unwrap()[0]["environment"].clone();
    assert_eq!(declared["os"], std::env::consts::OS);
    assert_eq!(declared["software"], env!("CARGO_PKG_NAME"));
    assert_eq!(declared["softwareVersion"], env!("CARGO_PKG_VERSION"));
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    let version = declared["osVersion"].as_str().unwrap();
    assert!(!version.is_empty() && release.starts_with(version), "{version} of {release}");
}

// [SES-16] [NTC-12]
#[tokio::test]
async fn the_user_sees_the_notice_may_defer_and_is_logged_off() {
    let bank = Bank::open().await;
    let (user, wire) = (bank.user().await, wire());
    let expires = user.identity().current().unwrap().unwrap().certificate.not_after();
    let answers = Answers { defer: true, ..Answers::default() };
    let outcome = user.with(wire.clone(), answers).await.renew(Renewal::default()).await.unwrap();
    assert!(matches!(outcome, Outcome::Deferred { deferrals: 1 }), "{outcome:?}");
    let told = user
        .events
        .lock()
        .unwrap()
        .iter()
        .any(|event| matches!(event, Event::Notice { expires: told, .. } if *told == expires));
    assert!(told, "{:?}", user.events);
    assert_eq!((sent_to(&wire, "/logoff"), sent_to(&wire, "new-order")), (1, 0));
    assert!(wire.sent().last().unwrap().ends_with("/logoff"), "{:?}", wire.sent());
}

// [DIR-02]
#[tokio::test]
async fn resources_are_where_the_directory_says_and_nowhere_else() {
    let bank = Bank::open().await;
    let (user, wire) = (bank.user().await, wire());
    wire.tamper(|request, response| {
        let response = response.filter(|_| request.url.as_str().ends_with("directory"))?;
        let mut json = serde_json::from_slice::<Value>(&response.body).unwrap();
        let moved = format!("{}/elsewhere", json["newSession"].as_str().unwrap());
        json["newSession"] = moved.into();
        response.body = serde_json::to_vec(&json).unwrap();
        None
    });
    user.by(wire.clone()).await.renew(Renewal::default()).await.unwrap_err();
    assert_eq!((sent_to(&wire, "/elsewhere"), sent_to(&wire, "new-session")), (1, 0));
}
