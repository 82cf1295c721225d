//! Orders that are this client's own: their keys are here (SPEC.md 12.6).

use koshin_protocol::jwk::Thumbprint;
use koshin_protocol::operation::Operation;
use koshin_protocol::order::{Kind, StatusName};
use koshin_protocol::problem::Token;

use super::end;
use crate::client::Client;
use crate::error::{Asked, Error};
use crate::identity::{
    Began, Generation, Installed, LoneKey, LostKey, OpenGeneration, Received, Requested,
};
use crate::journal::{Ending, Purpose};
use crate::order::{ByKey, BySession, Order};
use crate::progress::Event;
use crate::trust;

/// A generation that has an order.
pub(crate) enum Stage {
    /// Its certificate is not here.
    Requested(Generation<Requested>),
    /// It is stored.
    Received(Generation<Received>),
    /// It is the current one.
    Installed(Generation<Installed>),
}

/// What the journals lead to.
pub(crate) enum Found {
    /// An order to go on with.
    Order(Box<Stage>, Order<ByKey>),
    /// None, but what is left of earlier attempts.
    Leftovers(Leftovers),
}

/// What is left of earlier attempts.
#[derive(Default)]
pub(crate) struct Leftovers {
    /// Ready to be ordered, or ordered without an answer.
    pub(super) began: Vec<Generation<Began>>,
    /// Keys without a journal.
    pub(super) lone: Vec<LoneKey>,
    /// Journals without a key.
    pub(super) lost: Vec<LostKey>,
    /// The bank says that it has no such order: it was restored from a backup, or somebody lies.
    forgotten: Vec<Stage>,
    /// Installed, and ended by the bank with a receipt: closed once another pair was accepted.
    over: Vec<(Stage, Ending)>,
}

/// An open order that the session tells of.
pub(super) enum Open {
    /// Its key is here.
    Ours(Stage, Order<ByKey>),
    /// It is not.
    Foreign(Order<BySession>),
}

impl Stage {
    fn key(&self) -> Thumbprint {
        self.signer().public_key().thumbprint()
    }

    pub(crate) fn signer(&self) -> &std::sync::Arc<dyn koshin_protocol::sign::Signer> {
        match self {
            Self::Requested(generation) => generation.signer(),
            Self::Received(generation) => generation.signer(),
            Self::Installed(generation) => generation.signer(),
        }
    }

    pub(crate) fn url(&self) -> &koshin_protocol::url::Url {
        match self {
            Self::Requested(generation) => generation.order(),
            Self::Received(generation) => generation.order(),
            Self::Installed(generation) => generation.order(),
        }
    }

    pub(crate) fn number(&self) -> u64 {
        match self {
            Self::Requested(generation) => generation.number(),
            Self::Received(generation) => generation.number(),
            Self::Installed(generation) => generation.number(),
        }
    }

    pub(crate) async fn end(self, client: &Client, how: Ending) -> Result<(), Error> {
        match self {
            Self::Requested(generation) => end(client, generation, how).await,
            Self::Received(generation) => end(client, generation, how).await,
            Self::Installed(generation) => end(client, generation, how).await,
        }
    }

    /// Keeps the receipt of an order in a final state.
    pub(crate) async fn keep_receipt<R>(
        self,
        client: &Client,
        order: &Order<R>,
    ) -> Result<Self, Error> {
        let Some(receipt) = trust::receipt_of(&order.document().status) else { return Ok(self) };
        let receipt = receipt.to_vec();
        client
            .on_disk(move |_| {
                match &self {
                    Self::Requested(generation) => generation.keep_receipt(&receipt),
                    Self::Received(generation) => generation.keep_receipt(&receipt),
                    Self::Installed(generation) => generation.keep_receipt(&receipt),
                }?;
                Ok(self)
            })
            .await
    }
}

/// Reads the orders of the journals by their keys, the newest first; the first one that goes on is it (CLI-50, CLI-55).
pub(crate) async fn take_up(client: &Client) -> Result<Found, Error> {
    let mut leftovers = Leftovers::default();
    let open = client.on_disk(crate::identity::Identity::resume).await?;
    for generation in open.into_iter().rev() {
        let stage = match generation {
            OpenGeneration::Began(began) => {
                leftovers.began.push(began);
                continue;
            }
            OpenGeneration::LoneKey(lone) => {
                leftovers.lone.push(lone);
                continue;
            }
            OpenGeneration::LostKey(lost) => {
                leftovers.lost.push(lost);
                continue;
            }
            // What was journaled to be undone was undone, or is given up: the new pair stays.
            OpenGeneration::RollingBack(_) => continue,
            OpenGeneration::Requested(generation) => Stage::Requested(generation),
            OpenGeneration::Received(generation) => Stage::Received(generation),
            OpenGeneration::Installed(generation) => Stage::Installed(generation),
        };
        let Some(order) = look(client, &stage).await? else {
            leftovers.forgotten.push(stage);
            continue;
        };
        if !trust::is_over(order.document(), &client.anchors)? {
            client.report(&Event::Resuming { generation: stage.number() });
            return Ok(Found::Order(Box::new(stage), order));
        }
        let stage = stage.keep_receipt(client, &order).await?;
        match stage {
            Stage::Installed(_) => {
                leftovers.over.push((stage, ending(order.document().status.name())));
            }
            Stage::Requested(_) | Stage::Received(_) => {
                stage.end(client, ending(order.document().status.name())).await?;
            }
        }
    }
    Ok(Found::Leftovers(leftovers))
}

/// The order of a journal, by its URL or else by its key; `None` if the bank has none.
async fn look(client: &Client, stage: &Stage) -> Result<Option<Order<ByKey>>, Error> {
    let signer = stage.signer();
    match client.bank.read_order(stage.url(), signer).await {
        Ok(order) => return Ok(Some(order)),
        Err(error) if error.token() == Some(Token::NotFound) => {}
        Err(error) => return Err(error),
    }
    match client.bank.find_order(signer).await {
        Ok(order) => Ok(Some(order)),
        Err(error) if error.token() == Some(Token::OrderUnknown) => Ok(None),
        Err(error) => Err(error),
    }
}

/// When no pair can log on for what it is: the order of any key whose certificate is not here (CLI-51, CLI-55).
pub(super) async fn by_any_key(
    client: &Client,
    refused: &Error,
) -> Result<Option<(Stage, Order<ByKey>)>, Error> {
    match refused {
        Error::Refused(refusal) if refusal.asked == Asked::Signed(Operation::NewSession) => {}
        Error::RenewedElsewhere { .. } | Error::NoPair => {}
        _ => return Ok(None),
    }
    for lone in client.on_disk(crate::identity::Identity::unmatched).await? {
        let order = match client.bank.find_order(lone.signer()).await {
            Ok(order) => order,
            Err(error) if error.token() == Some(Token::OrderUnknown) => continue,
            Err(error) => return Err(error),
        };
        match order.document().status.name() {
            StatusName::Processing | StatusName::Valid | StatusName::Completed => {
                return Ok(Some((adopt(client, lone, &order).await?, order)));
            }
            StatusName::Canceled | StatusName::Invalid | StatusName::RolledBack => {}
        }
    }
    Ok(None)
}

/// Journals anew that a key has an order.
pub(crate) async fn adopt<R>(
    client: &Client,
    lone: LoneKey,
    order: &Order<R>,
) -> Result<Stage, Error> {
    let document = order.document();
    let purpose = match &document.kind {
        Kind::Renewal { replaces } => Purpose::Renewal { replaces: replaces.clone() },
        // Which reissue it was is not told; nothing depends on it once there is an order.
        Kind::Enrollment => Purpose::Enrollment { reissue: String::new() },
    };
    let (url, now) = (document.url.clone(), client.bank.own_now());
    let (number, adopted) = (lone.number(), lone);
    let generation = client
        .on_disk(move |identity| {
            let subject = match adopted.subject()? {
                Some(subject) => Some(subject),
                None => identity.pairs()?.first().map(|pair| pair.certificate.subject().clone()),
            };
            let Some(subject) = subject else { return Ok(None) };
            adopted.adopted(purpose, &subject, now)?.requested(url).map(Some)
        })
        .await?;
    client.report(&Event::Resuming { generation: number });
    Ok(Stage::Requested(generation.ok_or(Error::NoPair)?))
}

/// The order ended without its certificate: closes the generation, and says how it ended.
pub(super) async fn over(
    client: &Client,
    stage: Stage,
    order: &Order<ByKey>,
) -> Result<Error, Error> {
    let document = order.document();
    trust::receipt(document, &client.anchors)?;
    let status = document.status.name();
    let problem = match &document.status {
        koshin_protocol::order::Status::Invalid { error, .. } => Some(error.clone()),
        _ => None,
    };
    let stage = stage.keep_receipt(client, order).await?;
    match stage {
        // Only a logon shows which pair counts; the next pass closes it after that.
        Stage::Installed(_) => {}
        Stage::Requested(_) | Stage::Received(_) => stage.end(client, ending(status)).await?,
    }
    Ok(Error::OrderEnded { status, problem })
}

pub(crate) fn ending(status: StatusName) -> Ending {
    match status {
        StatusName::Canceled => Ending::Canceled,
        StatusName::RolledBack => Ending::RolledBack,
        StatusName::Processing
        | StatusName::Valid
        | StatusName::Completed
        | StatusName::Invalid => Ending::Refused,
    }
}

impl Leftovers {
    /// Whether nothing is left of earlier attempts.
    pub(super) fn are_none(&self) -> bool {
        let Self { began, lone, lost, forgotten, over } = self;
        began.is_empty()
            && lone.is_empty()
            && lost.is_empty()
            && forgotten.is_empty()
            && over.is_empty()
    }

    /// Closes what the bank has ended, now that the pair that counts is the current one.
    pub(super) async fn close_what_is_over(&mut self, client: &Client) -> Result<(), Error> {
        for (stage, how) in std::mem::take(&mut self.over) {
            stage.end(client, how).await?;
        }
        Ok(())
    }

    /// Closes everything else: another key has the order.
    pub(super) async fn close(self, client: &Client) -> Result<(), Error> {
        for began in self.began {
            // An enrollment is another matter: its order may still be asked for.
            if matches!(began.purpose(), Purpose::Renewal { .. }) {
                end(client, began, Ending::Refused).await?;
            }
        }
        for lost in self.lost {
            client.on_disk(move |_| lost.ended(Ending::Refused)).await?;
        }
        for stage in self.forgotten {
            stage.end(client, Ending::Refused).await?;
        }
        Ok(())
    }

    /// Whether the open order is ours, and the generation to go on with.
    pub(super) async fn own(
        &mut self,
        client: &Client,
        order: Order<BySession>,
    ) -> Result<Open, Error> {
        let key = order.document().key;
        if let Some(at) = self.forgotten.iter().position(|stage| stage.key() == key) {
            let stage = self.forgotten.remove(at);
            let order = order.by_key(stage.signer())?;
            return Ok(Open::Ours(stage, order));
        }
        let of_key = |began: &Generation<Began>| began.signer().public_key().thumbprint() == key;
        if let Some(at) = self.began.iter().position(of_key) {
            let began = self.began.remove(at);
            let (signer, url) = (began.signer().clone(), order.document().url.clone());
            client.report(&Event::Resuming { generation: began.number() });
            let requested = client.on_disk(move |_| began.requested(url)).await?;
            return Ok(Open::Ours(Stage::Requested(requested), order.by_key(&signer)?));
        }
        let found = client.on_disk(move |identity| identity.reopen(&key)).await?;
        let Some(lone) = found else { return Ok(Open::Foreign(order)) };
        self.lone.retain(|other| other.number() != lone.number());
        let signer = lone.signer().clone();
        let stage = adopt(client, lone, &order).await?;
        Ok(Open::Ours(stage, order.by_key(&signer)?))
    }
}
