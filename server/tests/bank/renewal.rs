//! A whole renewal (SPEC.md 3).

use koshin_protocol::directory::Directory;
use koshin_protocol::order::{Order, StatusName};
use koshin_server::route::Route;

use crate::bank::Bank;
use crate::deeds::pair_of;
use crate::person::Key;

// [DIR-01] [SES-01] [ORD-01] [CFM-01] [CFM-04]
#[tokio::test]
async fn a_whole_renewal_takes_four_requests() {
    let bank = Bank::new().await;
    let user = bank.user().await;
    let directory: Directory = bank.get(&bank.url(&Route::Directory)).await.object(200);
    assert_eq!(directory.new_session, bank.url(&Route::NewSession));
    let logon = bank.log_on(&user.pair).await;
    let key = Key::new();
    let answer = bank.order_with(&logon, &key).await;
    let order: Order = answer.object(201);
    assert_eq!(answer.location(), order.url);
    assert_eq!(order.status.name(), StatusName::Valid);
    let new = pair_of(&order, &key);
    let completed = bank.confirm(&order, &new).await;
    assert_eq!(completed.status.name(), StatusName::Completed);
    assert_eq!(bank.state_of(&user.pair), "superseded");
    assert_eq!(bank.state_of(&new), "current");
    assert!(!bank.is_active(&logon).await);
    bank.log_on(&new).await;
}
