//! Orders: placing, issuing, canceling, confirming, rolling back (SPEC.md 7.8 to 7.14, 10.1).

use koshin_protocol::cert_id::CertId;
use koshin_protocol::state::certificate::Use;
use koshin_protocol::state::order::{Effect, Event, Order, Predecessor};
use koshin_protocol::state::session::Need;
use koshin_protocol::time::Time;
use rusqlite::{Connection, Row, params};

use super::column::{OrderColumns, Sql, all, execute, one};
use super::read;
use super::revocation::Cause;
use super::signer;
use super::touch::Touches;
use super::transition::{OrderLine, Transition, run};
use crate::audit::{Chain, Principal};
use crate::clock::TOLERANCE;
use crate::store::change::{Confirm, Delivery, PlaceOrder, Placed, Reserve, Signed, Undo};
use crate::store::id::{Fingerprint, OrderId, ReissueId, SubjectId};
use crate::store::row::{OrderRow, Origin, Reserved, Unfinished};
use crate::store::{Failure, Refused, StoreError};

/// An order that is about to be written.
pub(super) struct New<'a> {
    pub(super) id: OrderId,
    pub(super) subject: SubjectId,
    pub(super) replaces: Option<i64>,
    pub(super) reissue: Option<ReissueId>,
    pub(super) key: koshin_protocol::jwk::Thumbprint,
    pub(super) key_store: &'a str,
    pub(super) environment: Option<&'a str>,
    pub(super) csr: &'a [u8],
    pub(super) state: Order,
}

/// Places a renewal order.
pub(super) fn place(
    connection: &Connection,
    touches: &Touches,
    place: &PlaceOrder,
    now: Time,
) -> Result<Placed, Failure> {
    let (session, row) = signer::session(connection, touches, place.session, Need::Renewal, now)?;
    let holder = &session.holder;
    let subject = &holder.subject;
    if let Some(order) = read::order_by_key(connection, place.key)?
        && order.subject == subject.id
        && matches!(&order.origin, Origin::Renewal { replaces, .. } if *replaces == place.replaces)
    {
        return Ok(Placed { order, created: false });
    }
    if holder.certificate.cert_id != place.replaces {
        return Err(Refused::ReplacesMismatch.into());
    }
    if let Some(open) = holder.order {
        return Err(Refused::OrderExists { order: open.id, key: open.key }.into());
    }
    if is_taken(connection, place.key)? {
        return Err(Refused::KeyReused.into());
    }
    if now < place.window_opens {
        return Err(Refused::TooEarly { opens: place.window_opens }.into());
    }
    let validity = holder.certificate.validity(now);
    let placed = Order::renewal(holder.certificate.state, validity)
        .map_err(|token| signer::refused(holder, token, now))?;
    run(connection, now, "orderPlaced", signer::principal(&session), |transition| {
        let new = New {
            id: place.order,
            subject: subject.id,
            replaces: Some(row),
            reissue: None,
            key: place.key,
            key_store: &place.key_store,
            environment: None,
            csr: &place.csr,
            state: placed.state,
        };
        let line = transition.insert_order(&new, place.issued.as_ref())?;
        for effect in placed.effects {
            transition.order_effect(&line, *effect)?;
        }
        let entry = transition.entry(Chain::Contract(subject.contract));
        entry.say("order", place.order.to_string());
        entry.say("subject", subject.id.to_string());
        entry.say("replaces", place.replaces.as_str());
        entry.say("key", place.key.to_string());
        let order = read::order_that_is(connection, place.order)?;
        Ok(Placed { order, created: true })
    })
}

const TAKEN: &str = "SELECT 1 FROM taken_key WHERE thumbprint = ?1";

/// Whether some order or certificate has the key.
fn is_taken(
    connection: &Connection,
    key: koshin_protocol::jwk::Thumbprint,
) -> Result<bool, StoreError> {
    Ok(one(connection, TAKEN, [Sql(key)], |row| row.get::<_, i64>(0))?.is_some())
}

const TAKE_KEY: &str =
    "INSERT INTO taken_key (thumbprint, taken) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
const INSERT_ORDER: &str = "
    INSERT INTO orders (id, subject, replaces, reissue, key, key_store, environment, csr, created,
                        entered, state)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?9, ?10)";
const INSERT_CERTIFICATE: &str = "
    INSERT INTO certificate (cert_id, issuer, serial, fingerprint, key, subject, from_order,
                             not_before, not_after, state, stored, der)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, 'unconfirmed', ?10, ?11)";
const NAME: &str = "SELECT name FROM subject WHERE id = ?1";

impl Transition<'_> {
    /// Takes a key for ever. `false` if it is taken.
    pub(super) fn take_key(
        &self,
        key: koshin_protocol::jwk::Thumbprint,
    ) -> Result<bool, StoreError> {
        Ok(execute(self.connection, TAKE_KEY, params![Sql(key), Sql(self.now)])? == 1)
    }

    /// Writes a new order, with its certificate where the CA gave it already: then nobody ever sees it in `processing`.
    pub(super) fn insert_order(
        &mut self,
        new: &New<'_>,
        issued: Option<&Signed>,
    ) -> Result<OrderLine, Failure> {
        if !self.take_key(new.key)? {
            return Err(Refused::KeyReused.into());
        }
        let state = match issued {
            Some(_) => {
                let stepped = new.state.step(Event::Issued);
                stepped
                    .map_err(|_| StoreError::Corrupt(format!("order {} takes none", new.id)))?
                    .state
            }
            None => new.state,
        };
        let columns = OrderColumns::of(&state);
        execute(
            self.connection,
            INSERT_ORDER,
            params![
                new.id,
                new.subject,
                new.replaces,
                new.reissue,
                Sql(new.key),
                new.key_store,
                new.environment,
                new.csr,
                Sql(self.now),
                columns.state
            ],
        )?;
        let line = self.order(new.id)?;
        self.changed(line.contract, "order", &new.id, columns.state);
        if let Some(signed) = issued {
            self.check_signed(&line, signed, None)?;
            self.insert_certificate(&line, signed)?;
        }
        Ok(line)
    }

    /// Hands in a certificate: the order's machine says what becomes of it.
    pub(super) fn deliver(&mut self, line: &OrderLine, signed: &Signed) -> Result<(), Failure> {
        let certificate = &signed.certificate;
        let effects = line.state.step(Event::Issued).map_or(&[][..], |stepped| stepped.effects);
        if effects.contains(&Effect::DiscardSecondCertificate) {
            return Ok(());
        }
        self.check_signed(line, signed, self.reserved(line.id)?)?;
        if effects.contains(&Effect::RevokeLateCertificate) {
            let cert_id = CertId::of(certificate);
            self.list_serial(&cert_id, certificate.not_after(), Cause::Late)?;
            let entry = self.entry(Chain::Contract(line.contract));
            entry.say("lateCertificate", cert_id.as_str());
            return Ok(());
        }
        self.insert_certificate(line, signed)?;
        self.order_event(line.id, Event::Issued)?;
        Ok(())
    }

    fn insert_certificate(&mut self, line: &OrderLine, signed: &Signed) -> Result<(), StoreError> {
        let certificate = &signed.certificate;
        let cert_id = CertId::of(certificate);
        execute(
            self.connection,
            INSERT_CERTIFICATE,
            params![
                Sql(&cert_id),
                cert_id.authority(),
                cert_id.serial(),
                Fingerprint::from_bytes(certificate.fingerprint()),
                Sql(line.key),
                line.subject,
                line.id,
                Sql(certificate.not_before()),
                Sql(certificate.not_after()),
                Sql(self.now),
                certificate.der()
            ],
        )?;
        self.changed(line.contract, "certificate", &cert_id, "unconfirmed");
        Ok(())
    }

    /// What the CA gives must be what was ordered, and nothing but what was reserved.
    fn check_signed(
        &self,
        line: &OrderLine,
        signed: &Signed,
        reserved: Option<Reserved>,
    ) -> Result<(), StoreError> {
        let certificate = &signed.certificate;
        let name = one(self.connection, NAME, [line.subject], |row| row.get::<_, String>(0))?;
        let fault = if certificate.key().thumbprint() != line.key {
            "is for another key than the order's"
        } else if name.as_deref() != Some(certificate.subject().as_str()) {
            "is for another name than the subject's"
        } else if let Some(reserved) = reserved
            && !contains_tbs(certificate.der(), &reserved.tbs)
        {
            "does not have the bytes that were to be signed"
        } else {
            return Ok(());
        };
        Err(StoreError::Corrupt(format!("the certificate for order {} {fault}", line.id)))
    }

    fn reserved(&self, id: OrderId) -> Result<Option<Reserved>, StoreError> {
        one(self.connection, RESERVED, [id], reserved).map(Option::flatten)
    }
}

/// Whether the signed part of a certificate is exactly these bytes: it follows the outer header,
/// which is at most six octets long.
fn contains_tbs(der: &[u8], tbs: &[u8]) -> bool {
    (2..=6).any(|header| der.get(header..).is_some_and(|body| body.starts_with(tbs)))
}

const RESERVED: &str =
    "SELECT reserved_serial, reserved_tbs, state AS order_state FROM orders WHERE id = ?1";
const RESERVE: &str = "UPDATE orders SET reserved_serial = ?2, reserved_tbs = ?3 WHERE id = ?1";
// While the clock was ahead, such a lease was taken.
const END_LEASES: &str = "UPDATE orders SET lease = 0 WHERE state = 'processing' AND lease > ?1";
const LEASE: &str = "UPDATE orders SET lease = ?2 WHERE id = ?1";
const FAILURE: &str = "UPDATE orders SET failure = ?2 WHERE id = ?1";

fn reserved(row: &Row<'_>) -> rusqlite::Result<Option<Reserved>> {
    let serial: Option<Vec<u8>> = row.get("reserved_serial")?;
    let tbs: Option<Vec<u8>> = row.get("reserved_tbs")?;
    Ok(serial.zip(tbs).map(|(serial, tbs)| Reserved { serial, tbs }))
}

/// Takes orders to issue, under a lease. One that ends later than a lease of now can is none.
pub(super) fn take_unfinished(
    connection: &Connection,
    limit: u32,
    lease: Time,
    now: Time,
) -> Result<Vec<Unfinished>, Failure> {
    execute(connection, END_LEASES, [lease.unix() + TOLERANCE])?;
    let unfinished = all(connection, read::ORDERS_TO_ISSUE, params![Sql(now), limit], |row| {
        Ok(Unfinished {
            order: read::order_row(row)?,
            subject_name: row.get("name_der")?,
            reserved: reserved(row)?,
        })
    })?;
    for order in &unfinished {
        execute(connection, LEASE, params![order.order.id, Sql(lease)])?;
    }
    Ok(unfinished)
}

/// Reserves a serial and the bytes to be signed; what was reserved first stays.
pub(super) fn reserve(
    connection: &Connection,
    reserve: &Reserve,
    now: Time,
) -> Result<Reserved, Failure> {
    run(connection, now, "signingReserved", Principal::Bank, |transition| {
        let line = transition.find_order(reserve.order)?.ok_or(Refused::NotFound)?;
        match line.state {
            Order::Processing(_) => {}
            Order::Valid(_)
            | Order::Completed(_)
            | Order::Canceled
            | Order::Invalid(_)
            | Order::RolledBack => return Err(Refused::NotFound.into()),
        }
        if let Some(first) = transition.reserved(line.id)? {
            return Ok(first);
        }
        let Reserved { serial, tbs } = &reserve.reserved;
        execute(connection, RESERVE, params![line.id, serial, tbs])?;
        let entry = transition.entry(Chain::Contract(line.contract));
        entry.say("order", line.id.to_string());
        entry.say("serial", koshin_protocol::base64url::encode(serial));
        Ok(reserve.reserved.clone())
    })
}

/// Takes in a CA's certificate.
pub(super) fn issued(
    connection: &Connection,
    id: OrderId,
    signed: &Signed,
    now: Time,
) -> Result<Delivery, Failure> {
    run(connection, now, "certificateIssued", Principal::Bank, |transition| {
        let before = transition.find_order(id)?.ok_or(Refused::NotFound)?;
        transition.deliver(&before, signed)?;
        let order = read::order_that_is(connection, id)?;
        let effects = before.state.step(Event::Issued).map_or(&[][..], |stepped| stepped.effects);
        Ok(if effects.contains(&Effect::DiscardSecondCertificate) {
            Delivery::Discarded(order)
        } else if effects.contains(&Effect::RevokeLateCertificate) {
            Delivery::Revoked(order)
        } else {
            Delivery::Stored(order)
        })
    })
}

/// Takes in a CA's final refusal.
pub(super) fn issue_failed(
    connection: &Connection,
    id: OrderId,
    reason: &str,
    now: Time,
) -> Result<OrderRow, Failure> {
    run(connection, now, "issueFailed", Principal::Bank, |transition| {
        let line = transition.find_order(id)?.ok_or(Refused::NotFound)?;
        let state = transition.order_event(id, Event::IssueFailed)?;
        if state != line.state {
            execute(connection, FAILURE, params![id, reason])?;
            transition.entry(Chain::Contract(line.contract)).say("reason", reason);
        }
        Ok(read::order_that_is(connection, id)?)
    })
}

/// Cancels an open order.
pub(super) fn cancel(
    connection: &Connection,
    touches: &Touches,
    undo: Undo,
    now: Time,
) -> Result<OrderRow, Failure> {
    let (session, _) = signer::session(connection, touches, undo.session, Need::Renewal, now)?;
    run(connection, now, "orderCanceled", signer::principal(&session), |transition| {
        let line = transition.find_order(undo.order)?.ok_or(Refused::NotFound)?;
        if line.subject != session.holder.subject.id {
            return Err(Refused::NotFound.into());
        }
        key_fits(&line, undo)?;
        let predecessor = Predecessor::at(now, line.replaces_not_after);
        transition.event_of(&line, Event::Cancel { predecessor })?;
        Ok(read::order_that_is(connection, line.id)?)
    })
}

/// Rolls a completed order back.
pub(super) fn roll_back(
    connection: &Connection,
    touches: &Touches,
    undo: Undo,
    now: Time,
) -> Result<OrderRow, Failure> {
    let (session, row) = signer::session(connection, touches, undo.session, Need::Recovery, now)?;
    run(connection, now, "orderRolledBack", signer::principal(&session), |transition| {
        let line = transition.find_order(undo.order)?.ok_or(Refused::NotFound)?;
        if line.replaces != Some(row) {
            return Err(Refused::NotFound.into());
        }
        key_fits(&line, undo)?;
        transition.event_of(&line, Event::Rollback { now })?;
        Ok(read::order_that_is(connection, line.id)?)
    })
}

fn key_fits(line: &OrderLine, undo: Undo) -> Result<(), Refused> {
    if line.key == undo.key {
        Ok(())
    } else {
        Err(Refused::KeyMismatch { order: line.id, key: line.key })
    }
}

/// Completes an order by its new key.
pub(super) fn confirm(
    connection: &Connection,
    confirm: Confirm,
    now: Time,
) -> Result<OrderRow, Failure> {
    let held = read::holder_by_fingerprint(connection, confirm.fingerprint)?
        .ok_or(Refused::CertificateUnknown)?;
    let holder = &held.holder;
    run(connection, now, "orderConfirmed", confirm.fingerprint.into(), |transition| {
        let line = transition.find_order(confirm.order)?;
        let own = line.filter(|line| line.certificate == Some(held.row));
        let Some(line) = own else { return Err(foreign_confirm(transition, confirm, holder, now)) };
        let offer = transition.offer(&line, confirm.rollback_within);
        let event = Event::Confirm { finality: confirm.finality, offer };
        if let Err(refused) = line.state.step(event) {
            return Err(transition.order_refused(&line, refused.token)?);
        }
        signer::admit(holder, Use::Confirm, now)?;
        transition.event_of(&line, event)?;
        Ok(read::order_that_is(connection, line.id)?)
    })
}

/// Why a certificate cannot confirm an order that is not its own (SPEC.md 7.13).
fn foreign_confirm(
    transition: &Transition<'_>,
    confirm: Confirm,
    holder: &crate::store::row::Holder,
    now: Time,
) -> Failure {
    if let Err(refused) = signer::admit(holder, Use::Confirm, now) {
        return refused.into();
    }
    let line = match transition.find_order(confirm.order) {
        Ok(Some(line)) if line.subject == holder.subject.id => line,
        Ok(_) => return Refused::NotFound.into(),
        Err(fault) => return fault.into(),
    };
    match line.state {
        Order::Processing(_) => transition
            .order_refused(&line, koshin_protocol::problem::Token::OrderProcessing)
            .unwrap_or_else(Failure::from),
        Order::Valid(_)
        | Order::Completed(_)
        | Order::Canceled
        | Order::Invalid(_)
        | Order::RolledBack => Refused::KeyMismatch { order: line.id, key: line.key }.into(),
    }
}
