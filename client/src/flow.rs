//! The renewal, top to bottom.
//!
//! ```text
//!                       what is durable before                 the bank
//! 1  directory                                                 GET directory
//! 2  log on                                                    newSession, by the old pair
//! 3  order              key, request, journal                  newOrder, by the session
//! 4  receive            order's URL                            read order, by the new key, while it is processing
//! 5  install            certificate and chain, then `current`
//! 6  confirm                                                   confirm, by the new pair
//! ```
//!
//! `pass` goes through it once, from whatever the journals say. It decides nothing by what it remembers: after a request
//! without an answer the next pass begins with a look at the bank (SPEC.md 12.4). Dropped at any await, it leaves what
//! the next pass takes up.

mod own;
mod place;

use std::sync::Arc;

use koshin_protocol::cert_id::CertId;
use koshin_protocol::certificate::{Certificate, Name};
use koshin_protocol::order::{Issued, Status};
use koshin_protocol::time::Time;

use self::own::{Found, Open};
pub(crate) use self::own::{Stage, ending};
use self::place::Placed;
use crate::client::{Client, Run};
use crate::error::{Asked, Declined, Error, NoAnswer};
use crate::identity::{Expected, Generation, Identity, Installed, Received, Requested};
use crate::journal::{Ending, Purpose};
use crate::order::{ByKey, Order};
use crate::progress::Event;
use crate::renew::{Outcome, Renewal, Renewed};
use crate::{logon, trust, undo};

/// Goes on from what the journals say, to a confirmed certificate.
pub(crate) async fn pass(run: &Run<'_>, wish: &Renewal) -> Result<Outcome, Error> {
    let client = run.client;
    client.bank.directory().await?;
    if let Some(outcome) = undo::finish(run).await? {
        return Ok(outcome);
    }
    let mut leftovers = match own::take_up(client).await? {
        Found::Order(stage, order) => return complete(client, wish, *stage, order).await,
        Found::Leftovers(leftovers) => leftovers,
    };
    if leftovers.are_none() {
        place::worth_a_logon(client).await?;
    }
    let session = match logon::log_on(run).await {
        Ok(session) => session,
        Err(refused) => match own::by_any_key(client, &refused).await? {
            Some((stage, order)) => return complete(client, wish, stage, order).await,
            None => return Err(refused),
        },
    };
    leftovers.close_what_is_over(client).await?;
    let open = match &session.document().order {
        Some(url) => Some(session.read_order(url).await?),
        None => None,
    };
    if let Some(order) = open {
        match leftovers.own(client, order).await? {
            Open::Ours(stage, order) => return complete(client, wish, stage, order).await,
            Open::Foreign(order) => place::without(client, wish, order, &mut leftovers).await?,
        }
    }
    match place::order(run, wish, session, leftovers).await? {
        Placed::Ordered(stage, order) => complete(client, wish, *stage, order).await,
        Placed::Deferred(deferrals) => Ok(Outcome::Deferred { deferrals }),
    }
}

/// From an order that the bank has to the pair that counts.
pub(crate) async fn complete(
    client: &Client,
    wish: &Renewal,
    stage: Stage,
    mut order: Order<ByKey>,
) -> Result<Outcome, Error> {
    order.issued().await?;
    let issued = match &order.document().status {
        Status::Valid { issued, .. } | Status::Completed { issued, .. } => issued.clone(),
        Status::Processing { .. } => {
            return Err(Error::StillProcessing { order: order.document().url.clone() });
        }
        Status::Canceled { .. } | Status::Invalid { .. } | Status::RolledBack { .. } => {
            return Err(own::over(client, stage, &order).await?);
        }
    };
    let generation = match stage {
        Stage::Requested(requested) => {
            let received = receive(client, requested, &issued).await?;
            install(client, received).await?
        }
        Stage::Received(received) => install(client, received).await?,
        Stage::Installed(installed) => again_current(client, installed).await?,
    };
    if !trust::is_named(&generation.chain()[0], &issued.cert_id) {
        return Err(Error::OtherOrder);
    }
    confirm(client, wish, generation, order).await
}

/// Checks the new certificate against everything that the client knows by itself, and stores it (CLI-60 to CLI-64).
async fn receive(
    client: &Client,
    requested: Generation<Requested>,
    issued: &Issued,
) -> Result<Generation<Received>, Error> {
    let chain = trust::certificates(&issued.chain).ok_or(Error::NoAnswer {
        asked: Asked::Signed(koshin_protocol::operation::Operation::Read),
        cause: NoAnswer::Certificate,
        retry_after: None,
    })?;
    let leaf = chain[0].clone();
    if !trust::is_named(&leaf, &issued.cert_id) {
        return Err(Error::OtherOrder);
    }
    let want = Want::of(client, &requested).await?;
    want.lasts_longer(&leaf)?;
    let generation =
        client.identity.run(move |_| requested.received(chain, want.expected())).await?;
    client.report(&Event::Received { cert_id: CertId::of(&leaf), not_after: leaf.not_after() });
    Ok(generation)
}

/// Switches to the new pair, with the user's second consent, after reading back and checking what is stored.
async fn install(
    client: &Client,
    received: Generation<Received>,
) -> Result<Generation<Installed>, Error> {
    let leaf = received.chain()[0].clone();
    if !client.consent.install(&leaf).await {
        return Err(Error::Declined(Declined::Install));
    }
    let want = Want::of(client, &received).await?;
    want.lasts_longer(&leaf)?;
    let generation = client.identity.run(move |_| received.installed(want.expected())).await?;
    client.report(&Event::Installed { cert_id: CertId::of(&leaf) });
    Ok(generation)
}

/// A cancel that came too late had switched back to the old pair: forward again.
async fn again_current(
    client: &Client,
    installed: Generation<Installed>,
) -> Result<Generation<Installed>, Error> {
    let (number, cert_id) = (installed.number(), CertId::of(&installed.chain()[0]));
    let event = Event::Switched { cert_id: cert_id.clone() };
    let switched = client.on_disk(move |identity| {
        if identity.current()?.is_some_and(|current| current.generation == number) {
            return Ok(false);
        }
        identity.switch_to(&cert_id).map(|_| true)
    });
    if switched.await? {
        client.report(&event);
    }
    Ok(installed)
}

/// Tells the bank, unless it knows, and believes that it is done by the receipt only (CLI-65, CLI-97, RCP-04).
async fn confirm(
    client: &Client,
    wish: &Renewal,
    installed: Generation<Installed>,
    mut order: Order<ByKey>,
) -> Result<Outcome, Error> {
    let certificate = installed.chain()[0].clone();
    match &order.document().status {
        Status::Completed { .. } if !wish.is_final => {}
        _ => order.confirm(&certificate, wish.is_final).await?,
    }
    let document = order.document();
    let receipt = trust::receipt(document, &client.anchors)?;
    let (Some(_), Status::Completed { rollback, receipt, .. }) = (receipt, &document.status) else {
        return Err(Error::OtherOrder);
    };
    let (number, purpose) = (installed.number(), installed.purpose().clone());
    let receipt = receipt.to_vec();
    let time = earlier(client.bank.now(), client.bank.own_now());
    client
        .on_disk(move |identity| {
            installed.keep_receipt(&receipt)?;
            installed.confirmed()?;
            // What cannot be removed now is removed another time.
            identity.prune(time).ok();
            Ok(())
        })
        .await?;
    let rollback_until = rollback.as_ref().map(|right| right.until);
    let (url, cert_id) = (document.url.clone(), CertId::of(&certificate));
    client.report(&Event::Confirmed { order: url, cert_id, rollback_until });
    let replaced = match purpose {
        Purpose::Renewal { replaces } => Some(replaces),
        Purpose::Enrollment { .. } | Purpose::Import => None,
    };
    Ok(Outcome::Renewed(Box::new(Renewed {
        certificate,
        generation: number,
        replaced,
        rollback_until,
    })))
}

/// What a new certificate must fit, owned, so that it can be checked where blocking is allowed.
struct Want {
    anchors: Arc<[Certificate]>,
    now: Time,
    subject: Name,
    predecessor: Option<Certificate>,
}

impl Want {
    async fn of<S: Send + 'static>(
        client: &Client,
        generation: &Generation<S>,
    ) -> Result<Self, Error> {
        let purpose = generation.purpose().clone();
        let number = generation.number();
        let (predecessor, subject) = client
            .on_disk(move |identity| {
                let predecessor = predecessor(identity, &purpose)?;
                let subject = match &predecessor {
                    Some(certificate) => Some(certificate.subject().clone()),
                    None => identity.requested_subject(number)?,
                };
                Ok((predecessor, subject))
            })
            .await?;
        let subject = subject.ok_or(Error::NoPair)?;
        let (anchors, now) = (Arc::clone(&client.anchors), client.bank.now());
        Ok(Self { anchors, now, subject, predecessor })
    }

    fn expected(&self) -> Expected<'_> {
        Expected { anchors: &self.anchors, now: self.now, subject: &self.subject }
    }

    fn lasts_longer(&self, new: &Certificate) -> Result<(), Error> {
        self.predecessor.as_ref().map_or(Ok(()), |old| trust::lasts_longer(new, old))
    }
}

fn predecessor(
    identity: &Identity,
    purpose: &Purpose,
) -> Result<Option<Certificate>, crate::identity::IdentityError> {
    match purpose {
        Purpose::Renewal { replaces } => Ok(identity.pair(replaces)?.map(|pair| pair.certificate)),
        Purpose::Enrollment { .. } | Purpose::Import => Ok(None),
    }
}

pub(crate) fn earlier(one: Time, other: Time) -> Time {
    one.min(other)
}

/// Closes a generation for good, and says so; its key stays.
pub(crate) async fn end<S: Send + 'static>(
    client: &Client,
    generation: Generation<S>,
    how: Ending,
) -> Result<(), Error> {
    let number = generation.number();
    client.on_disk(move |_| generation.ended(how)).await?;
    client.report(&Event::Ended { generation: number });
    Ok(())
}
