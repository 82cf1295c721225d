//! A daemon renews each identity at a time that is chosen for it at random, and leaves it alone after a failure.
//!
//! ```text
//! KOSHIN_PIN=... cargo run --example daemon -- IDENTITY-FOLDER...
//! ```

use std::sync::Arc;
use std::time::Duration;

use koshin_client::clock::{Clock, SystemClock};
use koshin_client::consent::Unattended;
use koshin_client::files::Real;
use koshin_client::identity::Identity;
use koshin_client::keystore::FileStore;
use koshin_client::progress::Event;
use koshin_client::schedule::Schedule;
use koshin_client::{Class, Client, Error, Outcome, Renewal};
use koshin_protocol::cert_id::CertId;
use koshin_protocol::pin::Pin;

/// How often it looks whether something is due.
const PAUSE: Duration = Duration::from_hours(1);

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let folders: Vec<String> = std::env::args().skip(1).collect();
    loop {
        for folder in &folders {
            match renew_if_due(folder).await {
                Ok(None) => {}
                Ok(Some(Outcome::Renewed(new))) => {
                    println!("{folder}: renewed, valid until {}", new.certificate.not_after());
                }
                Ok(Some(other)) => println!("{folder}: {other:?}"),
                // Whoever watches the log is told only what somebody has to act on.
                Err(error) => match error.class() {
                    Class::RetryLater => println!("{folder}: {error}; it will be tried again"),
                    Class::Act | Class::Reissue | Class::Fault => eprintln!("{folder}: {error}"),
                },
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn renew_if_due(folder: &str) -> Result<Option<Outcome>, Error> {
    let keys = Arc::new(FileStore::plain());
    // The identity is open, and locked, only as long as it is worked with.
    let identity = Identity::open(Arc::new(Real), keys, folder.as_ref())?;
    let now = SystemClock.now();
    let current = identity.current()?.ok_or(Error::NoPair)?.certificate;
    let of = CertId::of(&current);
    let mut schedule = Schedule::read(&identity)?;
    if schedule.attempts.earliest(Some(&of), now).is_some() {
        return Ok(None);
    }
    let is_unfinished = !identity.resume()?.is_empty();
    let pin = std::env::var("KOSHIN_PIN").ok().map(Pin::new);
    let client = Client::builder(identity)
        .consent(Unattended::new(pin))
        .progress(|event: &Event| println!("{event:?}"))
        .build()
        .await?;
    if !is_unfinished && !client.appointment().await?.is_due(client.bank().now()) {
        return Ok(None);
    }
    schedule = Schedule::read(client.identity())?;
    schedule.attempts.begin(Some(of), now);
    schedule.put(client.identity())?;
    let outcome = client.renew(Renewal::default()).await;
    let left = current.not_after().seconds_since(client.bank().now());
    let left = Duration::from_secs(u64::try_from(left).unwrap_or(0));
    match &outcome {
        Ok(_) => schedule.attempts.succeeded(),
        // In a row of failures the pauses grow; chance is left out here.
        Err(error) => {
            schedule.attempts.failed(error, SystemClock.now(), left, 0);
        }
    }
    schedule.put(client.identity())?;
    outcome.map(Some)
}
