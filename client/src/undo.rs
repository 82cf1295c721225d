//! Canceling and rolling back, both journaled before anything else happens (SPEC.md 12.9).
//!
//! Until the bank has confirmed, the old pair counts: to cancel, the client switches back to it first and tells the bank then.
//! From then on the new pair counts: to roll back, the bank is told first. Neither is ever done unless the user said so.

use koshin_protocol::cert_id::CertId;
use koshin_protocol::jwk::Thumbprint;
use koshin_protocol::order::{Status, StatusName};
use koshin_protocol::problem::Token;
use koshin_protocol::session::Purpose as LogonPurpose;
use koshin_protocol::time::Time;
use koshin_protocol::url::Url;

use crate::client::{Client, Run};
use crate::error::Error;
use crate::identity::{Identity, IdentityError, OpenGeneration, Pair};
use crate::journal::{Ending, Intent, Journal, Progress, Purpose};
use crate::order::Order;
use crate::progress::Event;
use crate::renew::{Outcome, Persistence, Renewal};
use crate::{flow, trust};

impl Client {
    /// Cancels the renewal that this client began: the old pair is current again at once, and the bank revokes the new
    /// certificate. Where the bank says that it is too late for that, the renewal is completed instead
    /// ([`Outcome::Renewed`]).
    ///
    /// Cancel-safe: the intent is journaled, and the next call of this or [`Self::renew`] finishes it.
    pub async fn cancel(&self) -> Result<Outcome, Error> {
        if !self.on_disk(intend_cancel).await? {
            return Err(Error::Nothing { what: "renewal under way that could be canceled" });
        }
        self.finish_undoing().await
    }

    /// Takes the last renewal back, within the period that the bank allows: the old pair counts again.
    ///
    /// Cancel-safe: the intent is journaled, and the next call of this or [`Self::renew`] finishes it.
    pub async fn rollback(&self) -> Result<Outcome, Error> {
        if !self.on_disk(intend_rollback).await? {
            return Err(Error::Nothing { what: "completed renewal that could be rolled back" });
        }
        self.finish_undoing().await
    }

    /// Until when the last renewal may be taken back; `None` where it may not. The bank is asked by the new key: a logon
    /// with the new certificate would end the right (SPEC.md 7.14).
    pub async fn rollback_until(&self) -> Result<Option<Time>, Error> {
        if self.bank.directory().await?.meta.rollback_within.is_none() {
            return Ok(None);
        }
        let Some(pair) = self.on_disk(renewed_and_current).await? else { return Ok(None) };
        let order = match self.bank.find_order(&pair.signer).await {
            Ok(order) => order,
            Err(Error::Refused(_)) => return Ok(None),
            Err(error) => return Err(error),
        };
        Ok(match &order.document().status {
            Status::Completed { rollback, .. } => rollback.as_ref().map(|right| right.until),
            Status::Processing { .. }
            | Status::Valid { .. }
            | Status::Canceled { .. }
            | Status::Invalid { .. }
            | Status::RolledBack { .. } => None,
        })
    }

    async fn finish_undoing(&self) -> Result<Outcome, Error> {
        let run = Run::new(self);
        let mut persistence = Persistence::default();
        loop {
            let done = match finish(&run).await {
                Ok(Some(outcome)) => Ok(outcome),
                // It was too late: forward is the only way that leaves a certificate.
                Ok(None) => flow::pass(&run, &Renewal::default()).await,
                Err(error) => Err(error),
            };
            match done {
                Ok(outcome) => return Ok(outcome),
                Err(error) => persistence.again(&self.bank, error).await?,
            }
        }
    }
}

/// A journaled cancel or rollback.
struct Undo {
    number: u64,
    journal: Journal,
}

/// Finishes what was journaled to be undone, before anything else is begun (CLI-85). `None`: nothing was, or it is given
/// up (CLI-81, CLI-83) and the renewal goes forward.
pub(crate) async fn finish(run: &Run<'_>) -> Result<Option<Outcome>, Error> {
    let client = run.client;
    let Some(undo) = client.on_disk(journaled).await? else { return Ok(None) };
    let Purpose::Renewal { replaces } = undo.journal.purpose.clone() else {
        give_up(client, undo.number).await?;
        return Ok(None);
    };
    let wanted = replaces.clone();
    let old = client.on_disk(move |identity| identity.pair(&wanted)).await?;
    client.bank.directory().await?;
    let usable = old.filter(|old| old.certificate.not_after() >= client.bank.now());
    let Some(old) = usable else {
        give_up(client, undo.number).await?;
        return Ok(None);
    };
    match undo.journal.intent {
        Intent::RollBack => roll_back(run, undo, &old).await,
        Intent::Cancel | Intent::StartOver | Intent::Complete => cancel(run, undo, &old).await,
    }
}

/// Back to the old pair, then the bank is told (CLI-80).
async fn cancel(run: &Run<'_>, undo: Undo, old: &Pair) -> Result<Option<Outcome>, Error> {
    let client = run.client;
    if matches!(undo.journal.progress, Progress::Installed { .. }) {
        let cert_id = CertId::of(&old.certificate);
        let event = Event::Switched { cert_id: cert_id.clone() };
        client.on_disk(move |identity| identity.switch_to(&cert_id)).await?;
        client.report(&event);
    }
    let session = match run.log_on_with(old, LogonPurpose::Renewal).await {
        Ok(session) => session,
        Err(error) if says_too_late(&error) => {
            give_up(client, undo.number).await?;
            return Ok(None);
        }
        Err(error) => return Err(error),
    };
    let key = undo.journal.key;
    let order = match order_url(client, &undo).await? {
        Some(url) => session.read_order(&url).await?,
        None => match &session.document().order {
            Some(url) => session.read_order(url).await?,
            None => return ended(client, undo.number, None, Ending::Canceled).await.map(Some),
        },
    };
    if order.document().key != key {
        // Its own order was never accepted: the open one is somebody else's.
        return ended(client, undo.number, None, Ending::Canceled).await.map(Some);
    }
    let order = match order.document().status.name() {
        StatusName::Processing | StatusName::Valid => match order.cancel().await {
            Ok(order) => order,
            Err(error) if says_too_late(&error) => {
                give_up(client, undo.number).await?;
                return Ok(None);
            }
            Err(error) => return Err(error),
        },
        StatusName::Completed => {
            give_up(client, undo.number).await?;
            return Ok(None);
        }
        StatusName::Canceled | StatusName::Invalid | StatusName::RolledBack => order,
    };
    session.log_off().await.ok();
    over(client, undo.number, &order).await.map(Some)
}

/// The bank is told, then back to the old pair (CLI-82).
async fn roll_back(run: &Run<'_>, undo: Undo, old: &Pair) -> Result<Option<Outcome>, Error> {
    let client = run.client;
    let number = undo.number;
    let session = match run.log_on_with(old, LogonPurpose::Recovery).await {
        Ok(session) => session,
        Err(error) if error.token() == Some(Token::NotSuperseded) => {
            return rolled_back_before(run, &undo, old).await.map(Some);
        }
        Err(error) => return Err(refused(client, number, error).await?),
    };
    let order = match session.roll_back(undo.journal.key).await {
        Ok(order) => order,
        // The renewal that could be taken back is another machine's: this one's does not count any more.
        Err(error) if error.token() == Some(Token::KeyMismatch) => {
            return replaced_since(client, &undo, old, error).await.map(Some);
        }
        Err(error) => return Err(refused(client, number, error).await?),
    };
    trust::receipt(order.document(), &client.anchors)?;
    switch_back(client, old).await?;
    over(client, number, &order).await.map(Some)
}

/// The old certificate is not superseded: an earlier rollback was carried out, and its answer lost.
async fn rolled_back_before(run: &Run<'_>, undo: &Undo, old: &Pair) -> Result<Outcome, Error> {
    let client = run.client;
    let session = run.log_on_with(old, LogonPurpose::Renewal).await?;
    let order = match order_url(client, undo).await? {
        Some(url) => Some(session.read_order(&url).await?),
        None => None,
    };
    switch_back(client, old).await?;
    session.log_off().await.ok();
    match order {
        Some(order) => over(client, undo.number, &order).await,
        None => ended(client, undo.number, None, Ending::RolledBack).await,
    }
}

/// An earlier rollback was carried out, its answer lost, and the old certificate renewed by somebody else since then.
async fn replaced_since(
    client: &Client,
    undo: &Undo,
    old: &Pair,
    refused: Error,
) -> Result<Outcome, Error> {
    let key = undo.journal.key;
    let Some(lone) = client.on_disk(move |identity| identity.reopen(&key)).await? else {
        switch_back(client, old).await?;
        return ended(client, undo.number, None, Ending::RolledBack).await;
    };
    let order = client.bank.find_order(lone.signer()).await?;
    match order.document().status.name() {
        StatusName::Canceled | StatusName::Invalid | StatusName::RolledBack => {
            switch_back(client, old).await?;
            over(client, undo.number, &order).await
        }
        StatusName::Processing | StatusName::Valid | StatusName::Completed => Err(refused),
    }
}

async fn switch_back(client: &Client, old: &Pair) -> Result<(), Error> {
    let cert_id = CertId::of(&old.certificate);
    let event = Event::Switched { cert_id: cert_id.clone() };
    client.on_disk(move |identity| identity.switch_to(&cert_id)).await?;
    client.report(&event);
    Ok(())
}

/// Keeps the proof of the end, and closes the generation.
async fn over<R>(client: &Client, number: u64, order: &Order<R>) -> Result<Outcome, Error> {
    let document = order.document();
    trust::receipt(document, &client.anchors)?;
    let how = flow::ending(document.status.name());
    let receipt =
        trust::receipt_of(&document.status).map(koshin_protocol::embedded_jws::EmbeddedJws::to_vec);
    let url = document.url.clone();
    let outcome = ended(client, number, receipt, how).await?;
    match how {
        Ending::RolledBack => client.report(&Event::RolledBack { order: url }),
        Ending::Canceled | Ending::Refused => client.report(&Event::Canceled { order: url }),
    }
    Ok(outcome)
}

async fn ended(
    client: &Client,
    number: u64,
    receipt: Option<Vec<u8>>,
    how: Ending,
) -> Result<Outcome, Error> {
    client.on_disk(move |identity| identity.end(number, receipt.as_deref(), how)).await?;
    client.report(&Event::Ended { generation: number });
    Ok(match how {
        Ending::RolledBack => Outcome::RolledBack,
        Ending::Canceled | Ending::Refused => Outcome::Canceled,
    })
}

/// A rollback that the bank will never carry out is given up; what else went wrong leaves it for the next time.
async fn refused(client: &Client, number: u64, error: Error) -> Result<Error, Error> {
    let never = matches!(
        error.token(),
        Some(
            Token::RollbackEnded
                | Token::RollbackDisabled
                | Token::CertificateSuperseded
                | Token::CertificateRevoked
                | Token::CertificateExpired
                | Token::CertificateUnknown
        )
    );
    if never {
        give_up(client, number).await?;
    }
    Ok(error)
}

async fn give_up(client: &Client, number: u64) -> Result<(), Error> {
    client.on_disk(move |identity| identity.intend(number, Intent::Complete)).await
}

/// The order that a journal names, if it came that far.
async fn order_url(client: &Client, undo: &Undo) -> Result<Option<Url>, Error> {
    match undo.journal.progress.clone() {
        Progress::Requested { order }
        | Progress::Received { order }
        | Progress::Installed { order } => Ok(Some(order)),
        Progress::Confirmed { order } => Ok(order),
        Progress::Began => by_key(client, undo.journal.key).await,
        Progress::Ended { .. } => Ok(None),
    }
}

/// Whether a request whose answer was lost made an order.
async fn by_key(client: &Client, key: Thumbprint) -> Result<Option<Url>, Error> {
    let Some(lone) = client.on_disk(move |identity| identity.reopen(&key)).await? else {
        return Ok(None);
    };
    match client.bank.find_order(lone.signer()).await {
        Ok(order) => Ok(Some(order.document().url.clone())),
        Err(error) if error.token() == Some(Token::OrderUnknown) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Answers that mean: the new pair is the one to go on with (CLI-81, CLI-83).
fn says_too_late(error: &Error) -> bool {
    matches!(
        error.token(),
        Some(
            Token::OrderCompleted
                | Token::PredecessorExpired
                | Token::CertificateSuperseded
                | Token::CertificateExpired
                | Token::CertificateRevoked
                | Token::CertificateUnknown
        )
    )
}

/// Journals that the renewal under way is to be canceled; `false` if there is none.
fn intend_cancel(identity: &Identity) -> Result<bool, IdentityError> {
    for open in identity.resume()?.into_iter().rev() {
        let is_renewal = open.journal().is_some_and(|journal| {
            matches!(journal.purpose, Purpose::Renewal { .. }) && journal.intent != Intent::RollBack
        });
        if is_renewal && let Some(number) = numbered(&open) {
            identity.intend(number, Intent::Cancel)?;
            return Ok(true);
        }
    }
    Ok(false)
}

/// Journals that the last renewal is to be rolled back; `false` if there is none that was completed.
fn intend_rollback(identity: &Identity) -> Result<bool, IdentityError> {
    if journaled(identity)?.is_some_and(|undo| undo.journal.intent == Intent::RollBack) {
        return Ok(true);
    }
    let Some(renewed) = identity.renewed()? else { return Ok(false) };
    renewed.intend(Intent::RollBack)?;
    Ok(true)
}

/// The current pair, if it came of the last renewal.
fn renewed_and_current(identity: &Identity) -> Result<Option<Pair>, IdentityError> {
    let Some(renewed) = identity.renewed()? else { return Ok(None) };
    Ok(identity.current()?.filter(|current| current.generation == renewed.number()))
}

/// The oldest generation with a journaled cancel or rollback.
fn journaled(identity: &Identity) -> Result<Option<Undo>, IdentityError> {
    for open in identity.resume()? {
        let Some(journal) = open.journal().cloned() else { continue };
        let is_undo = match journal.intent {
            Intent::Complete => false,
            Intent::Cancel | Intent::RollBack | Intent::StartOver => true,
        };
        if is_undo && let Some(number) = numbered(&open) {
            return Ok(Some(Undo { number, journal }));
        }
    }
    Ok(None)
}

fn numbered(open: &OpenGeneration) -> Option<u64> {
    match open {
        OpenGeneration::LoneKey(_) => None,
        OpenGeneration::LostKey(lost) => Some(lost.number()),
        OpenGeneration::Began(generation) => Some(generation.number()),
        OpenGeneration::Requested(generation) => Some(generation.number()),
        OpenGeneration::Received(generation) => Some(generation.number()),
        OpenGeneration::Installed(generation) => Some(generation.number()),
        OpenGeneration::RollingBack(generation) => Some(generation.number()),
    }
}
