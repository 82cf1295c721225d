//! The CRL: the newest one, made anew when a certificate was revoked or half its life is over (SPEC.md 6.6).

use koshin_protocol::time::Time;

use crate::bank::Bank;
use crate::ca::{Crl, Entry, Reason};
use crate::error::Error;
use crate::policy::Predecessor;
use crate::store::row::{CrlRow, RevocationRow};

/// The CRL of the bank's issuer, as it is now.
///
/// Cancel-safe: a number that was taken and not used is left out.
pub async fn newest(bank: &Bank) -> Result<Vec<u8>, Error> {
    let now = bank.clock.now();
    let issuer =
        bank.issuer.authority().certificate().subject_key_id().unwrap_or_default().to_vec();
    let listed = Listed::of(bank, issuer.clone(), now).await?;
    if let Some(kept) = bank.store.latest_crl(issuer.clone()).await?
        && listed.is_fresh(bank, &kept, now)
    {
        return Ok(kept.der);
    }
    let number = bank.store.next_crl_number(issuer.clone(), now).await?;
    // Read after the number was taken: whatever counts on being listed by it is there.
    let listed = Listed::of(bank, issuer.clone(), now).await?;
    let der = listed.sign(bank, number, now).await?;
    let row = CrlRow { number, published: now, der: der.clone() };
    bank.store.publish_crl(issuer, row).await?;
    tracing::info!(number, entries = listed.len(), "CRL published");
    Ok(der)
}

/// What a CRL lists (SPEC.md 6.6).
struct Listed {
    revoked: Vec<RevocationRow>,
    superseded: Vec<Superseded>,
}

/// A superseded certificate that policy lists.
struct Superseded {
    serial: Vec<u8>,
    from: Time,
}

impl Listed {
    async fn of(bank: &Bank, issuer: Vec<u8>, now: Time) -> Result<Self, Error> {
        let revoked = bank.store.revocations(issuer.clone(), now).await?;
        let mut superseded = Vec::new();
        if bank.policy.predecessor != Predecessor::UntilExpiry {
            for row in bank.store.superseded(issuer, now).await? {
                if let Some(from) = bank.policy.superseded_listed_from(row.confirmed)
                    && from <= now
                {
                    superseded.push(Superseded { serial: row.serial, from });
                }
            }
        }
        Ok(Self { revoked, superseded })
    }

    fn len(&self) -> usize {
        self.revoked.len() + self.superseded.len()
    }

    /// It lists all of this, and half its life is left. One from the future was made by a clock that was ahead: it may
    /// list too much, or too little.
    fn is_fresh(&self, bank: &Bank, kept: &CrlRow, now: Time) -> bool {
        let complete = self.revoked.iter().all(|row| row.listed_from <= kept.number)
            && self.superseded.iter().all(|row| row.from < kept.published);
        let age = now.seconds_since(kept.published);
        complete && age >= 0 && age * 2 < bank.policy.crl_life.total_seconds()
    }

    async fn sign(&self, bank: &Bank, number: u64, now: Time) -> Result<Vec<u8>, Error> {
        let revoked = self.revoked.iter().map(|row| Entry {
            serial: &row.serial,
            // A clock that was ahead may have revoked it.
            revoked_at: row.revoked_at.min(now),
            reason: row.crl_reason.and_then(Reason::from_code),
        });
        let superseded = self.superseded.iter().map(|row| Entry {
            serial: &row.serial,
            revoked_at: row.from,
            reason: Some(Reason::Superseded),
        });
        let entries = revoked.chain(superseded);
        let crl = Crl::new(bank.issuer.authority(), number, now, bank.policy.crl_life, entries)
            .map_err(|error| Error::Registry(error.to_string()))?;
        let signed = bank.issuer.sign_crl(&crl).await;
        signed.map_err(|unavailable| Error::Authority { retry_after: unavailable.retry_after })
    }
}
