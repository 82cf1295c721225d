//! What is so: by the bank's books, and by what the client left in its folder.

use std::collections::BTreeSet;
use std::fs;

use koshin_client::keystore::PrivateKey;
use koshin_client::pem;
use koshin_protocol::cert_id::CertId;
use koshin_protocol::certificate::Certificate;
use koshin_protocol::jwk::PublicKey;
use koshin_protocol::sign::Signer;
use koshin_protocol::state::certificate::Certificate as State;
use koshin_server::store::Shown;
use koshin_server::store::row::{CertificateRow, OrderRow};
use serde_json::Value;

use super::process::{Ended, within};
use super::seen::Seen;
use super::stage::Stage;
use crate::case::{Outcome, Stop, ensure};

/// The pair that a client says is current.
pub(crate) struct Held {
    /// Its certificate.
    pub(crate) certificate: Certificate,
    /// Its key's public half.
    pub(crate) key: PublicKey,
}

impl Stage {
    /// The different keys that were ordered, in newOrder and newEnrollment.
    pub(crate) fn ordered_keys(&self) -> BTreeSet<String> {
        self.seen().iter().filter_map(Seen::ordered_key).collect()
    }

    /// Fails unless at most one key was ordered.
    pub(crate) fn one_key(&self) -> Outcome {
        let keys = self.ordered_keys();
        ensure(keys.len() <= 1, "one key for one order", format_args!("{} keys", keys.len()))
    }

    /// The order of the key that was ordered last.
    pub(crate) async fn order(&self) -> Outcome<OrderRow> {
        let keys =
            self.seen().into_iter().rev().find_map(|seen| Some(seen.csr()?.key().thumbprint()));
        let Some(key) = keys else {
            return Err(Stop::fail("a newOrder or newEnrollment", "none"));
        };
        let order = self.inner().store.order_by_key(key).await.map_err(Stop::blocked)?;
        order.ok_or_else(|| Stop::fail("the bank has the order", "it has none"))
    }

    /// Fails unless the one order has this status.
    pub(crate) async fn order_is(&self, status: &str) -> Outcome {
        let found = self.order().await?.state.status();
        ensure(found.as_str() == status, format_args!("the order ends as {status}"), found.as_str())
    }

    /// The customer's current certificate by the bank's books.
    pub(crate) async fn current(&self) -> Outcome<CertificateRow> {
        let bank = self.inner();
        let subject = bank.store.subject(self.customer.subject).await.map_err(Stop::blocked)?;
        let subject = subject.ok_or_else(|| Stop::blocked("the subject is gone"))?;
        let shown = Shown::One(subject.id);
        let contract = bank.store.contract(subject.contract, shown, self.bank.now()).await;
        let contract = contract.map_err(Stop::blocked)?;
        let entries = contract.into_iter().flat_map(|contract| contract.subjects);
        let mut certificates = entries.flat_map(|entry| entry.certificates);
        let current = certificates.find(|entry| entry.certificate.state == State::Current);
        current
            .map(|entry| entry.certificate)
            .ok_or_else(|| Stop::fail("a current certificate in the bank's books", "none"))
    }

    /// The pair that the client says is current; `None` if it says nothing.
    pub(crate) fn held(&self) -> Outcome<Option<Held>> {
        let Ok(text) = fs::read(self.state().join("result.json")) else { return Ok(None) };
        let result: Value = serde_json::from_slice(&text)
            .map_err(|error| Stop::fail("result.json is JSON", error))?;
        let file = |name: &str| {
            let path = result.get(name).and_then(Value::as_str);
            let path = path
                .ok_or_else(|| Stop::fail(format_args!("result.json names the {name}"), &result))?;
            fs::read(within(&self.state(), path))
                .map_err(|error| Stop::fail(format_args!("the {name} at {path}"), error))
        };
        let der = first(&file("certificate")?)?;
        let certificate = Certificate::from_der(&der)
            .map_err(|error| Stop::fail("a certificate in PEM", error))?;
        let key = PrivateKey::from_pkcs8_der(&first(&file("key")?)?)
            .map_err(|error| Stop::fail("a private key, PKCS #8 in PEM", error))?;
        Ok(Some(Held { certificate, key: key.public_key().clone() }))
    }

    /// Fails unless the client holds a pair, and both halves belong together.
    pub(crate) fn held_pair(&self) -> Outcome<Certificate> {
        let held = self.held()?.ok_or_else(|| Stop::fail("result.json", "none"))?;
        ensure(
            held.certificate.key() == &held.key,
            "the key of result.json is the certificate's",
            "another key",
        )?;
        Ok(held.certificate)
    }

    /// Fails unless the client holds the pair that is current by the bank's books, and it is not the old one.
    pub(crate) async fn holds_the_new_pair(&self) -> Outcome {
        let held = self.held_pair()?;
        let current = self.current().await?;
        ensure(
            held.der() == &*current.der && held != self.customer.certificate,
            format_args!("result.json names the new current certificate {}", current.cert_id),
            CertId::of(&held),
        )
    }

    /// Fails if the client holds another pair than the old one. One that wrote no `result.json` has what it was given.
    pub(crate) fn holds_the_old_pair(&self) -> Outcome {
        let Some(held) = self.held()? else { return Ok(()) };
        ensure(
            held.certificate == self.customer.certificate && held.certificate.key() == &held.key,
            "the client still holds the old pair",
            CertId::of(&held.certificate),
        )
    }

    /// Fails unless the renewal came to its good end: one key, one order, completed, and its pair held.
    pub(crate) async fn renewed(&self, ended: &Ended) -> Outcome {
        self.one_key()?;
        self.renewed_anyhow(ended).await
    }

    /// The same, with however many keys.
    pub(crate) async fn renewed_anyhow(&self, ended: &Ended) -> Outcome {
        exits(ended, &[0])?;
        self.order_is("completed").await?;
        self.holds_the_new_pair().await
    }

    /// Fails if a request of that operation came after the mark.
    pub(crate) fn none_since(&self, mark: usize, operation: &str) -> Outcome {
        let count = self.since(mark).iter().filter(|seen| seen.is(operation)).count();
        ensure(count == 0, format_args!("no {operation}"), format_args!("{count}"))
    }

    /// Fails if any signed request came after the mark.
    pub(crate) fn nothing_signed_since(&self, mark: usize) -> Outcome {
        let signed = self.since(mark).into_iter().find(Seen::is_signed);
        match signed {
            None => Ok(()),
            Some(seen) => Err(Stop::fail("no signed request", seen.operation)),
        }
    }
}

/// The bank does as it should again, and so does the client, if it has not renewed already: with the key that it had.
pub(crate) async fn recovers(stage: &Stage) -> Outcome {
    stage.behave();
    if stage.order_is("completed").await.is_ok() && stage.holds_the_new_pair().await.is_ok() {
        return stage.one_key();
    }
    let ended = stage.renew().await?;
    stage.renewed(&ended).await
}

/// The same, where the client may have begun anew.
pub(crate) async fn recovers_anyhow(stage: &Stage) -> Outcome {
    stage.behave();
    if stage.order_is("completed").await.is_ok() && stage.holds_the_new_pair().await.is_ok() {
        return Ok(());
    }
    let ended = stage.renew().await?;
    stage.renewed_anyhow(&ended).await
}

/// Fails unless the client ended with one of these exit codes.
pub(crate) fn exits(ended: &Ended, codes: &[i32]) -> Outcome {
    let wanted = codes.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or ");
    let shown = ended.shown.trim();
    ensure(
        ended.code.is_some_and(|code| codes.contains(&code)),
        format_args!("exit code {wanted}"),
        format_args!("{}; it wrote: {}", ended.how(), tail(shown)),
    )
}

/// Fails if the client said that all is done, or did not end by itself.
pub(crate) fn does_not_succeed(ended: &Ended) -> Outcome {
    ensure(
        !ended.hung && ended.code.is_some_and(|code| code != 0),
        "an exit code other than 0",
        format_args!("{}; it wrote: {}", ended.how(), tail(ended.shown.trim())),
    )
}

fn tail(text: &str) -> &str {
    let from = text.len().saturating_sub(600);
    &text[text.ceil_char_boundary(from)..]
}

fn first(content: &[u8]) -> Outcome<Vec<u8>> {
    let sections = pem::sections(content).map_err(|error| Stop::fail("a file in PEM", error))?;
    let first = sections.into_iter().next();
    Ok(first.ok_or_else(|| Stop::fail("a file in PEM", "none"))?.der.to_vec())
}
