//! Enrolling with a ticket, where the certificate or its key is lost (SPEC.md 13).

use koshin_protocol::binding::Binding;
use koshin_protocol::certificate::Name;
use koshin_protocol::enrollment::NewEnrollment;
use koshin_protocol::pin::Pin;
use koshin_protocol::ticket::Ticket;
use koshin_protocol::unverified_csr::UnverifiedCsr;

use crate::client::{Client, Run};
use crate::consent::AskEnrollment;
use crate::error::{Declined, Error};
use crate::flow::{self, Stage};
use crate::identity::{Began, Generation, Identity, IdentityError, OpenGeneration};
use crate::journal::Purpose;
use crate::progress::Event;
use crate::renew::{Outcome, Persistence, Renewal};

impl Client {
    /// Redeems an enrollment ticket (取得用紙): a new key, a new certificate, and every other one of the subject revoked.
    ///
    /// The user is asked whether the ticket's bank and name are right, then for the consents of a renewal.
    ///
    /// Cancel-safe: dropped at any await it leaves a state that the same call takes up, with the same key. The ticket's
    /// code is never written down, so that the same ticket must be given again until the bank has the order.
    pub async fn enroll(&self, ticket: &Ticket) -> Result<Outcome, Error> {
        if ticket.directory != *self.bank.url() {
            let (ticket, configured) = (ticket.directory.clone(), self.bank.url().clone());
            return Err(Error::OtherBank { ticket, configured });
        }
        let ask = AskEnrollment { directory: ticket.directory.clone(), name: ticket.name.clone() };
        if !self.consent.enroll(&ask).await {
            return Err(Error::Declined(Declined::Enroll));
        }
        let run = Run::new(self);
        let mut persistence = Persistence::default();
        loop {
            match pass(&run, ticket).await {
                Ok(outcome) => return Ok(outcome),
                Err(error) => persistence.again(&self.bank, error).await?,
            }
        }
    }
}

/// Goes on from what the journals say of this ticket.
async fn pass(run: &Run<'_>, ticket: &Ticket) -> Result<Outcome, Error> {
    let client = run.client;
    let wish = Renewal::default();
    let purpose = Purpose::Enrollment { reissue: ticket.reissue.to_string() };
    let wanted = purpose.clone();
    let began = match client.on_disk(move |identity| begun(identity, &wanted)).await? {
        Some(Begun::Ordered(stage)) => {
            let order = client.bank.read_order(stage.url(), stage.signer()).await?;
            client.report(&Event::Resuming { generation: stage.number() });
            return flow::complete(client, &wish, stage, order).await;
        }
        Some(Begun::Unsent(began)) => began,
        None => begin(client, ticket, purpose).await?,
    };
    let signer = began.signer().clone();
    let mut prompt = run.prompt().await?;
    let order = loop {
        match client.bank.enroll(&request(client, ticket, &began, run.pin()).await?, &signer).await
        {
            Ok(order) => break order,
            Err(error) => run.another_pin(&mut prompt, error).await?,
        }
    };
    let url = order.document().url.clone();
    let journaled = url.clone();
    let requested = client.on_disk(move |_| began.requested(journaled)).await?;
    client.report(&Event::Ordered { order: url });
    flow::complete(client, &wish, Stage::Requested(requested), order).await
}

async fn request(
    client: &Client,
    ticket: &Ticket,
    began: &Generation<Began>,
    pin: Option<Pin>,
) -> Result<NewEnrollment, Error> {
    let full = client.bank.full("enrollment by code").await?;
    let key = began.signer().public_key();
    let binding = Binding { reissue: &ticket.reissue, url: &full.new_enrollment, key };
    Ok(NewEnrollment {
        reissue: ticket.reissue,
        binding: binding.sign(&ticket.code.key(&ticket.reissue))?,
        csr: UnverifiedCsr::new(began.csr()),
        key_store: client.key_store.clone(),
        environment: client.environment.clone(),
        pin,
    })
}

async fn begin(
    client: &Client,
    ticket: &Ticket,
    purpose: Purpose,
) -> Result<Generation<Began>, Error> {
    // Before anything is made, so that a bank that cannot be asked leaves no key behind.
    client.bank.full("enrollment by code").await?;
    let subject: Name = ticket.name.as_str().parse().map_err(|_| {
        Error::Invalid("the ticket's name cannot stand in a certificate request".to_owned())
    })?;
    let (key_type, now) = (client.key_type, client.bank.own_now());
    let began =
        client.on_disk(move |identity| identity.begin(purpose, &subject, key_type, now)).await?;
    let key_store = client.key_store.to_string();
    client.report(&Event::KeyMade { generation: began.number(), key_store });
    Ok(began)
}

/// How far an enrollment came before.
enum Begun {
    Unsent(Generation<Began>),
    Ordered(Stage),
}

fn begun(identity: &Identity, purpose: &Purpose) -> Result<Option<Begun>, IdentityError> {
    for open in identity.resume()?.into_iter().rev() {
        let begun = match open {
            OpenGeneration::Began(generation) if generation.purpose() == purpose => {
                Begun::Unsent(generation)
            }
            OpenGeneration::Requested(generation) if generation.purpose() == purpose => {
                Begun::Ordered(Stage::Requested(generation))
            }
            OpenGeneration::Received(generation) if generation.purpose() == purpose => {
                Begun::Ordered(Stage::Received(generation))
            }
            OpenGeneration::Installed(generation) if generation.purpose() == purpose => {
                Begun::Ordered(Stage::Installed(generation))
            }
            OpenGeneration::Began(_)
            | OpenGeneration::Requested(_)
            | OpenGeneration::Received(_)
            | OpenGeneration::Installed(_)
            | OpenGeneration::LoneKey(_)
            | OpenGeneration::LostKey(_)
            | OpenGeneration::RollingBack(_) => continue,
        };
        return Ok(Some(begun));
    }
    Ok(None)
}
