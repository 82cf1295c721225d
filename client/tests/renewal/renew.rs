//! Renewing, with and without mishaps.

use koshin_client::{Outcome, Renewal};
use koshin_protocol::cert_id::CertId;

use crate::scene::{Bank, wire};

#[tokio::test]
async fn a_renewal_is_four_requests() {
    let bank = Bank::open().await;
    let user = bank.user().await;
    let old = user.current();
    let wire = wire();
    let client = user.by(wire.clone()).await;
    let Outcome::Renewed(renewed) = client.renew(Renewal::default()).await.unwrap() else {
        panic!("not renewed");
    };
    drop(client);
    assert_eq!(renewed.replaced, Some(old));
    assert_eq!(user.current(), CertId::of(&renewed.certificate));
    let sent = wire.sent.lock().unwrap();
    assert_eq!(sent.len(), 4, "{sent:?}");
}
