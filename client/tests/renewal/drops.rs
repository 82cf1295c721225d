//! Futures that are dropped: at every await, the state can be resumed.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use koshin_client::{Client, Error, Outcome, Renewal};

use crate::scene::{Bank, renewed};

/// Polls a future that many times at most; `None` if it was not ready by then, and is dropped.
struct Dropped<F> {
    future: Pin<Box<F>>,
    polls: usize,
}

impl<F: Future> Future for Dropped<F> {
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if self.polls == 0 {
            return Poll::Ready(None);
        }
        self.polls -= 1;
        match self.future.as_mut().poll(context) {
            Poll::Ready(value) => Poll::Ready(Some(value)),
            Poll::Pending if self.polls == 0 => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    }
}

fn drop_after<F: Future>(polls: usize, future: F) -> Dropped<F> {
    Dropped { future: Box::pin(future), polls }
}

async fn renew(client: &Client) -> Result<Outcome, Error> {
    client.renew(Renewal::default()).await
}

#[tokio::test]
async fn a_renewal_dropped_at_any_await_is_taken_up_by_the_same_client() {
    let bank = Bank::open().await;
    for polls in 1.. {
        let user = bank.user().await;
        let old = user.current();
        let client = user.client().await;
        let dropped = drop_after(polls, renew(&client)).await;
        let current = client.identity().run(|identity| identity.current().unwrap()).await;
        assert!(current.is_some(), "a pair at every instant");
        let whole = dropped.is_some();
        match (dropped, renew(&client).await) {
            // Dropped after the last write, or not at all: there is nothing left to do.
            (_, Err(Error::TooEarly { .. })) => {}
            (_, again) => drop(renewed(again)),
        }
        drop(client);
        assert_ne!(user.current(), old, "dropped at poll {polls}");
        assert_eq!(user.orders().len(), 1, "dropped at poll {polls}");
        assert!(user.identity().resume().unwrap().is_empty(), "dropped at poll {polls}");
        if whole {
            assert!(polls > 10, "it was dropped at {polls} polls only");
            return;
        }
    }
}

#[tokio::test]
async fn a_cancel_dropped_at_any_await_is_finished_by_the_next_call() {
    let bank = Bank::open().await;
    for polls in 1.. {
        let user = bank.user().await;
        let old = user.current();
        user.begin().await;
        let client = user.client().await;
        let dropped = drop_after(polls, client.cancel()).await;
        let whole = dropped.is_some();
        match client.cancel().await {
            Ok(Outcome::Canceled) | Err(Error::Nothing { .. }) => {}
            other => panic!("{other:?}"),
        }
        drop(client);
        assert_eq!(user.current(), old);
        renewed(user.client().await.renew(Renewal::default()).await);
        if whole {
            return;
        }
    }
}

#[tokio::test]
async fn a_rollback_dropped_at_any_await_is_finished_by_the_next_call() {
    let bank = Bank::open().await;
    for polls in 1.. {
        let user = bank.user().await;
        let old = user.current();
        let client = user.client().await;
        renewed(renew(&client).await);
        let dropped = drop_after(polls, client.rollback()).await;
        let whole = dropped.is_some();
        match client.rollback().await {
            Ok(Outcome::RolledBack) | Err(Error::Nothing { .. }) => {}
            other => panic!("{other:?}"),
        }
        drop(client);
        assert_eq!(user.current(), old, "dropped at poll {polls}");
        if whole {
            return;
        }
    }
}
