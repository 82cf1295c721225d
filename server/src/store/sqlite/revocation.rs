//! Revocations, and the CRLs that list them (SPEC.md 6.6, 7.20).

use koshin_protocol::base64url;
use koshin_protocol::cert_id::CertId;
use koshin_protocol::state::certificate;
use koshin_protocol::time::Time;
use rusqlite::{Connection, params};

use super::column::{Sql, Text, all, execute, one};
use super::read;
use super::signer::{self, Deed};
use super::touch::Touches;
use super::transition::{CertificateLine, Transition, run};
use crate::audit::{Chain, Object, Principal};
use crate::store::change::{Actor, Revoke};
use crate::store::id::ContractId;
use crate::store::row::{CrlRow, ImportedRevocation, Reason, RevocationRow, SupersededRow};
use crate::store::{Failure, Refused, StoreError};

/// Why a certificate is revoked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    /// Somebody asked for it.
    Asked(Reason),
    /// The subject got a new one.
    Reissued(Reason),
    /// Its order was canceled, rolled back or became invalid.
    OrderEnded,
    /// It came after its order had ended.
    Late,
}

impl Cause {
    fn text(self) -> &'static str {
        match self {
            Self::Asked(reason) | Self::Reissued(reason) => reason.text(),
            Self::OrderEnded => "orderEnded",
            Self::Late => "late",
        }
    }

    /// `CRLReason`; none for unspecified.
    fn crl_reason(self) -> Option<u8> {
        match self {
            Self::Asked(reason) | Self::Reissued(reason) => match reason {
                Reason::KeyCompromise | Reason::DeviceLost => Some(1),
                Reason::AffiliationChanged => Some(3),
                Reason::CessationOfOperation => Some(5),
                Reason::KeyLost | Reason::Unspecified => None,
            },
            Self::OrderEnded | Self::Late => Some(5),
        }
    }
}

// What a CRL lists already stays as it was listed.
const LIST: &str = "
    INSERT INTO revocation (issuer, serial, revoked, cause, crl_reason, not_after)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO NOTHING";
const LIST_FROM: &str = "
    INSERT INTO listed_from (issuer, serial, number)
    VALUES (?1, ?2, coalesce((SELECT next FROM crl WHERE issuer = ?1), 1)) ON CONFLICT DO NOTHING";

impl Transition<'_> {
    /// Has the CRL list a certificate of the registry.
    pub(super) fn list_revoked(
        &mut self,
        line: &CertificateLine,
        cause: Cause,
    ) -> Result<(), Failure> {
        self.list_serial(line.contract, &line.cert_id, line.not_after, cause)
    }

    /// Has the CRL list a certificate, stored or not.
    pub(super) fn list_serial(
        &mut self,
        contract: ContractId,
        cert_id: &CertId,
        not_after: Time,
        cause: Cause,
    ) -> Result<(), Failure> {
        let (issuer, serial) = (cert_id.authority(), cert_id.serial());
        let listed = execute(
            self.connection,
            LIST,
            params![
                issuer,
                serial,
                Sql(self.now),
                cause.text(),
                cause.crl_reason(),
                Sql(not_after)
            ],
        )?;
        if listed > 0 {
            execute(self.connection, LIST_FROM, params![issuer, serial])?;
            self.changed(contract, Object::Revocation, cert_id, cause.text());
        }
        Ok(())
    }
}

const DESCENDANTS: &str = "
    WITH RECURSIVE line (row) AS (
        SELECT c.id FROM orders AS o JOIN certificate AS c ON c.from_order = o.id
        WHERE o.replaces = ?1
        UNION
        SELECT c.id FROM line
        JOIN orders AS o ON o.replaces = line.row
        JOIN certificate AS c ON c.from_order = o.id
    )
    SELECT row FROM line";

/// Revokes a certificate.
pub(super) fn revoke(
    connection: &Connection,
    touches: &Touches,
    revoke: &Revoke,
    by: &Actor,
    now: Time,
) -> Result<Vec<CertId>, Failure> {
    let deed = Deed::check(connection, touches, by, now)?;
    let Some(target) = read::holder_by_cert_id(connection, &revoke.certificate)? else {
        return Err(match by {
            Actor::Certificate(_) => Refused::NotAuthorized,
            Actor::Session(_) | Actor::Operator(_) | Actor::Bank => Refused::NotFound,
        }
        .into());
    };
    match by {
        Actor::Certificate(fingerprint) => {
            let own = target.holder.certificate.fingerprint == *fingerprint;
            if !own || revoke.include_successors {
                return Err(Refused::NotAuthorized.into());
            }
            signer::admit(&target.holder, certificate::Use::RevokeItself, now)?;
        }
        Actor::Session(_) => {
            deed.administers(&target.holder.subject).map_err(|refused| match refused {
                Refused::SubjectUnknown => Refused::NotFound,
                other => other,
            })?;
        }
        Actor::Operator(_) | Actor::Bank => {}
    }
    let cause = Cause::Asked(revoke.reason);
    run(connection, now, "certificateRevoked", deed.principal, |transition| {
        let mut rows = all(connection, DESCENDANTS, [target.row], |row| row.get(0))?;
        transition.certificate_event(target.row, certificate::Event::Revoked, cause)?;
        if revoke.include_successors {
            for row in &rows {
                transition.certificate_event(*row, certificate::Event::Revoked, cause)?;
            }
        }
        rows.insert(0, target.row);
        let mut revoked = Vec::new();
        for row in rows {
            let line = transition.certificate(row)?;
            if row == target.row || line.state == certificate::Certificate::Revoked {
                revoked.push(line.cert_id);
            }
        }
        Ok(revoked)
    })
}

const LISTED: &str = "
    SELECT r.serial, r.revoked, r.crl_reason, r.not_after, coalesce(f.number, 0)
    FROM revocation AS r
    LEFT JOIN listed_from AS f ON f.issuer = r.issuer AND f.serial = r.serial
    WHERE r.issuer = ?1 AND (r.not_after IS NULL OR r.not_after >= ?2)";

/// What an issuer's CRL lists.
pub(super) fn listed(
    connection: &Connection,
    issuer: &[u8],
    unexpired_at: Time,
) -> Result<Vec<RevocationRow>, StoreError> {
    all(connection, LISTED, params![issuer, Sql(unexpired_at)], |row| {
        Ok(RevocationRow {
            serial: row.get(0)?,
            revoked_at: row.get::<_, Sql<Time>>(1)?.0,
            crl_reason: row.get(2)?,
            not_after: row.get::<_, Option<Sql<Time>>>(3)?.map(|time| time.0),
            listed_from: row.get::<_, i64>(4)?.unsigned_abs(),
        })
    })
}

const IMPORTED: &str = "
    SELECT c.cert_id, listed.revoked, listed.crl_reason FROM revocation AS listed
    CROSS JOIN certificate AS c ON c.issuer = listed.issuer AND c.serial = listed.serial
    WHERE c.from_order IS NULL AND listed.not_after >= ?1";

/// What was revoked of the certificates that were imported.
pub(super) fn imported(
    connection: &Connection,
    unexpired_at: Time,
) -> Result<Vec<ImportedRevocation>, StoreError> {
    all(connection, IMPORTED, [Sql(unexpired_at)], |row| {
        Ok(ImportedRevocation {
            cert_id: row.get::<_, Sql<CertId>>(0)?.0,
            revoked_at: row.get::<_, Sql<Time>>(1)?.0,
            crl_reason: row.get(2)?,
        })
    })
}

const SUPERSEDED: &str = "
    SELECT c.serial, o.entered FROM certificate AS c
    JOIN orders AS o ON o.replaces = c.id AND o.state = 'completed'
    WHERE c.issuer = ?1 AND c.state = 'superseded' AND c.not_after >= ?2
      AND (o.rollback <> 'until' OR o.rollback_until < ?2)";

/// An issuer's certificates that are superseded for good.
pub(super) fn superseded(
    connection: &Connection,
    issuer: &[u8],
    now: Time,
) -> Result<Vec<SupersededRow>, StoreError> {
    all(connection, SUPERSEDED, params![issuer, Sql(now)], |row| {
        Ok(SupersededRow { serial: row.get(0)?, confirmed: row.get::<_, Sql<Time>>(1)?.0 })
    })
}

const NEXT_NUMBER: &str = "
    INSERT INTO crl (issuer, next) VALUES (?1, 2)
    ON CONFLICT (issuer) DO UPDATE SET next = next + 1 RETURNING next - 1";
const PUBLISH: &str = "
    UPDATE crl SET number = ?2, published = ?3, der = ?4
    WHERE issuer = ?1 AND (number IS NULL OR number < ?2)";
const LATEST: &str = "
    SELECT number, published, der FROM crl
    WHERE issuer = ?1 AND number IS NOT NULL AND length(der) > 0";

/// Takes the next CRL number of an issuer.
pub(super) fn next_number(connection: &Connection, issuer: &[u8]) -> Result<u64, Failure> {
    let number: Option<i64> = one(connection, NEXT_NUMBER, [issuer], |row| row.get(0))?;
    let number = number.ok_or_else(|| StoreError::Corrupt("no CRL number came".to_owned()))?;
    Ok(number.unsigned_abs())
}

/// Keeps a CRL, unless a newer one is kept.
pub(super) fn publish(connection: &Connection, issuer: &[u8], crl: &CrlRow) -> Result<(), Failure> {
    let number = i64::try_from(crl.number)
        .map_err(|_| StoreError::Corrupt("the CRL's number was not given by this store".into()))?;
    let values = params![issuer, number, Sql(crl.published), crl.der];
    run(connection, crl.published, "crlPublished", Principal::Bank, |transition| {
        if execute(connection, PUBLISH, values)? > 0 {
            let issuer = base64url::encode(issuer);
            transition.entry(Chain::Bank).change(Object::Crl, &issuer, "published");
        }
        Ok(())
    })
}

/// The CRL to hand out.
pub(super) fn latest(connection: &Connection, issuer: &[u8]) -> Result<Option<CrlRow>, StoreError> {
    one(connection, LATEST, [issuer], |row| {
        Ok(CrlRow {
            number: row.get::<_, i64>(0)?.unsigned_abs(),
            published: row.get::<_, Sql<Time>>(1)?.0,
            der: row.get(2)?,
        })
    })
}
