//! The status page of a contract: some subjects at a time, and of each as much as fits a page, whatever lies behind.

use koshin_protocol::cert_id::CertId;
use koshin_protocol::contract::MAX_CERTIFICATES;
use koshin_protocol::time::Time;
use rusqlite::{Connection, Row, params};

use super::column::{Sql, all, one, reissue_state};
use super::read::{self, certificate, certificate_row, subject, subject_row, subjects};
use crate::store::id::{ContractId, SubjectId};
use crate::store::row::{CertificateEntry, ContractRow, SubjectEntry, SubjectRow};
use crate::store::{Shown, StoreError};

const NAME: &str = "SELECT name FROM contract WHERE id = ?1";
const FIRST: &str = subjects!("WHERE s.contract = ?1 ORDER BY s.name LIMIT ?2");
const FOLLOWING: &str =
    subjects!("WHERE s.contract = ?1 AND s.name > ?3 ORDER BY s.name LIMIT ?2");

/// A page. To be read in one transaction.
pub(super) fn page(
    connection: &Connection,
    id: ContractId,
    shown: Shown,
    now: Time,
) -> Result<Option<ContractRow>, StoreError> {
    let Some(name) = one(connection, NAME, [id], |row| row.get(0))? else { return Ok(None) };
    let Some((subjects, next)) = shown_of(connection, id, shown)? else { return Ok(None) };
    let subjects = subjects.into_iter().map(|subject| subject_entry(connection, subject, now));
    Ok(Some(ContractRow { id, name, subjects: subjects.collect::<Result<_, _>>()?, next }))
}

/// The subjects of a page, and the last of them where more follow.
fn shown_of(
    connection: &Connection,
    id: ContractId,
    shown: Shown,
) -> Result<Option<(Vec<SubjectRow>, Option<SubjectId>)>, StoreError> {
    let own = |subject| {
        let found = read::subject(connection, subject)?;
        Ok::<_, StoreError>(found.filter(|subject| subject.contract == id))
    };
    let (after, most) = match shown {
        Shown::One(subject) => return Ok(own(subject)?.map(|subject| (vec![subject], None))),
        Shown::Some { after, most } => (after, most),
    };
    // One more than the page has: whether there is one tells whether another page follows.
    let limit = most.saturating_add(1);
    let mut found = match after {
        None => all(connection, FIRST, params![id, limit], subject_row)?,
        Some(after) => {
            let Some(after) = own(after)? else { return Ok(None) };
            all(connection, FOLLOWING, params![id, limit, after.name], subject_row)?
        }
    };
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    let follows = found.len() > most;
    found.truncate(most);
    let next = found.last().filter(|_| follows).map(|last| last.id);
    Ok(Some((found, next)))
}

/// Each part is read by an index and no further than the limit: a subject may have had any number of certificates.
const CERTIFICATES: &str = concat!(
    "SELECT ",
    certificate!(),
    ", (SELECT n.cert_id FROM orders AS o JOIN certificate AS n ON n.from_order = o.id
        WHERE o.replaces = c.id AND o.state = 'completed') AS successor
     FROM certificate AS c
     WHERE c.id IN (
         SELECT id FROM (
             SELECT id, state, not_before, not_after FROM certificate
             WHERE subject = ?1 AND state = 'current'
             UNION
             SELECT id, state, not_before, not_after FROM certificate
             WHERE subject = ?1 AND state = 'unconfirmed'
             UNION
             SELECT * FROM (
                 SELECT id, state, not_before, not_after FROM certificate
                 WHERE subject = ?1 AND not_after >= ?2
                 ORDER BY not_before DESC, id DESC LIMIT ?3)
             UNION
             SELECT * FROM (
                 SELECT id, state, not_before, not_after FROM certificate
                 WHERE subject = ?1
                 ORDER BY not_before DESC, id DESC LIMIT ?3))
         ORDER BY not_after < ?2, state NOT IN ('current', 'unconfirmed'), not_before DESC, id DESC
         LIMIT ?3)
     ORDER BY c.not_before DESC, c.id DESC"
);
const OPEN_ORDER: &str =
    "SELECT id FROM orders WHERE subject = ?1 AND state IN ('processing', 'valid')";
const OPEN_REISSUE: &str = "
    SELECT id, reason, expires, state FROM reissue
    WHERE subject = ?1 AND state IN ('pending', 'redeemed')";

/// What a page says of a subject: [`MAX_CERTIFICATES`] at most, as CTR-03 chooses; those past their `notAfter` where there
/// is room.
fn subject_entry(
    connection: &Connection,
    subject: SubjectRow,
    now: Time,
) -> Result<SubjectEntry, StoreError> {
    let entry = |row: &Row<'_>| {
        Ok(CertificateEntry {
            certificate: certificate_row(row)?,
            successor: row.get::<_, Option<Sql<CertId>>>("successor")?.map(|id| id.0),
        })
    };
    let listed = params![subject.id, Sql(now), MAX_CERTIFICATES];
    Ok(SubjectEntry {
        certificates: all(connection, CERTIFICATES, listed, entry)?,
        order: one(connection, OPEN_ORDER, [subject.id], |row| row.get(0))?,
        reissue: one(connection, OPEN_REISSUE, [subject.id], |row| {
            Ok((row.get("id")?, reissue_state(row)?))
        })?,
        subject,
    })
}
