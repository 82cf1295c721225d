//! The CRL: the newest one, made anew when a certificate was revoked or half its life is over (SPEC.md 6.6).

use koshin_protocol::time::Time;

use crate::bank::Bank;
use crate::ca::{Crl, Entry, Reason};
use crate::error::Error;
use crate::policy::Predecessor;
use crate::store::crl::{CrlRow, RevocationRow};

/// The CRL of the bank's issuer, as it is now.
///
/// Cancel-safe: a number that was taken and not used is left out.
pub async fn newest(bank: &Bank) -> Result<Vec<u8>, Error> {
    let now = bank.clock.now();
    let issuer =
        bank.issuer.authority().certificate().subject_key_id().unwrap_or_default().to_vec();
    let store = bank.registry.store();
    let revoked = listed(bank, issuer.clone(), now).await?;
    if let Some(kept) = store.latest_crl(issuer.clone()).await?
        && is_fresh(bank, &kept, &revoked, now)
    {
        return Ok(kept.der);
    }
    let number = store.next_crl_number(issuer.clone()).await?;
    let der = sign(bank, number, &revoked, now).await?;
    let row = CrlRow { number, published: now, der: der.clone() };
    store.publish_crl(issuer, row).await?;
    tracing::info!(number, entries = revoked.len(), "CRL published");
    Ok(der)
}

/// Everything revoked, and the superseded certificates that policy lists (SPEC.md 6.6).
async fn listed(bank: &Bank, issuer: Vec<u8>, now: Time) -> Result<Vec<RevocationRow>, Error> {
    let store = bank.registry.store();
    let mut listed = store.revocations(issuer.clone(), now).await?;
    if bank.policy.predecessor == Predecessor::UntilExpiry {
        return Ok(listed);
    }
    for row in store.superseded(issuer, now).await? {
        if let Some(from) = bank.policy.superseded_listed_from(row.confirmed)
            && from <= now
        {
            let crl_reason = Some(Reason::Superseded.code());
            let serial = row.serial;
            listed.push(RevocationRow { serial, revoked_at: from, crl_reason, not_after: None });
        }
    }
    Ok(listed)
}

/// Nothing was revoked since, and half its life is left.
fn is_fresh(bank: &Bank, kept: &CrlRow, revoked: &[RevocationRow], now: Time) -> bool {
    let unseen = revoked.iter().any(|row| row.revoked_at >= kept.published);
    let age = now.seconds_since(kept.published);
    !unseen && age >= 0 && age * 2 < bank.policy.crl_life.total_seconds()
}

async fn sign(
    bank: &Bank,
    number: u64,
    revoked: &[RevocationRow],
    now: Time,
) -> Result<Vec<u8>, Error> {
    let entries = revoked.iter().map(|row| Entry {
        serial: &row.serial,
        revoked_at: row.revoked_at,
        reason: row.crl_reason.and_then(Reason::from_code),
    });
    let crl = Crl::new(bank.issuer.authority(), number, now, bank.policy.crl_life, entries)
        .map_err(|error| Error::Registry(error.to_string()))?;
    let signed = bank.issuer.sign_crl(&crl).await;
    signed.map_err(|unavailable| Error::Authority { retry_after: unavailable.retry_after })
}
