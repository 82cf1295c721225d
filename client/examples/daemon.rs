//! A daemon looks at its identities once in a while, and renews what is in its window.
//!
//! ```text
//! KOSHIN_PIN=... cargo run --example daemon -- IDENTITY-FOLDER...
//! ```

use std::sync::Arc;
use std::time::Duration;

use koshin_client::consent::Unattended;
use koshin_client::files::Real;
use koshin_client::identity::Identity;
use koshin_client::keystore::FileStore;
use koshin_client::progress::Event;
use koshin_client::{Class, Client, Error, Outcome, Renewal};
use koshin_protocol::pin::Pin;

/// After a failure a certificate is left alone for at least an hour (SPEC.md CLI-44).
const PAUSE: Duration = Duration::from_hours(6);

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let folders: Vec<String> = std::env::args().skip(1).collect();
    loop {
        for folder in &folders {
            match renew(folder).await {
                Ok(Outcome::Renewed(new)) => {
                    println!("{folder}: renewed, valid until {}", new.certificate.not_after());
                }
                Ok(other) => println!("{folder}: {other:?}"),
                Err(Error::TooEarly { opens }) => {
                    println!("{folder}: nothing to do before {opens}");
                }
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

async fn renew(folder: &str) -> Result<Outcome, Error> {
    let keys = Arc::new(FileStore::plain());
    // The identity is open, and locked, only as long as it is worked with.
    let identity = Identity::open(Arc::new(Real), keys, folder.as_ref())?;
    let pin = std::env::var("KOSHIN_PIN").ok().map(Pin::new);
    let client = Client::builder(identity)
        .consent(Unattended::new(pin))
        .patience(Duration::from_hours(1))
        .progress(|event: &Event| println!("{event:?}"))
        .build()
        .await?;
    client.renew(Renewal::default()).await
}
