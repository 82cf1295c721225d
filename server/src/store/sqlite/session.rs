//! Logging on and off, and putting a renewal off (SPEC.md 7.4 to 7.6, 9).

use koshin_protocol::state::certificate::{Certificate, Use};
use koshin_protocol::state::order::{self, Offer};
use koshin_protocol::state::session::{Need, Reason};
use koshin_protocol::time::{Period, Time};
use rusqlite::{Connection, params};

use super::column::{Sql, Text, execute, one};
use super::digest;
use super::read::{self, Held};
use super::signer;
use super::touch::Touches;
use super::transition::{OrderLine, Transition, run};
use crate::audit::{Chain, Object};
use crate::store::change::{LogOn, LoggedOn, PinCheck};
use crate::store::id::{ContractId, OrderId, SessionId};
use crate::store::row::{ActiveSession, Purpose, SubjectRow};
use crate::store::{Failure, PIN_ATTEMPTS, Refused};

const ACTIVE: &str = "SELECT id FROM session WHERE certificate = ?1 AND ended IS NULL";
const INSERT: &str = "
    INSERT INTO session (id, certificate, subject, purpose, environment, created, last_use, idle,
                         expires)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6, ?7, ?8)";

/// Logs on.
pub(super) fn log_on(
    connection: &Connection,
    log_on: &LogOn,
    now: Time,
) -> Result<LoggedOn, Failure> {
    let held = read::holder_by_fingerprint(connection, log_on.fingerprint)?
        .ok_or(Refused::CertificateUnknown)?;
    let Held { row, holder } = &held;
    let contract = holder.subject.contract;
    let by = log_on.fingerprint.into();
    run(connection, now, "loggedOn", by, |transition| {
        match log_on.purpose {
            Purpose::Renewal => signer::admit(holder, Use::Logon, now)?,
            Purpose::Recovery => {
                signer::admit(holder, Use::RecoveryLogon, now)?;
                may_roll_back(transition, &held, log_on.rollback_within)?;
            }
        }
        transition.pin_verified(&holder.subject, &log_on.pin)?;
        transition.end_former(contract, *row)?;
        let confirmed = match log_on.purpose {
            Purpose::Renewal => transition.first_use(&held, log_on.rollback_within)?,
            Purpose::Recovery => None,
        };
        let expires = now.checked_add(log_on.absolute).unwrap_or(holder.certificate.not_after);
        execute(
            connection,
            INSERT,
            params![
                log_on.session,
                row,
                holder.subject.id,
                Sql(log_on.purpose),
                log_on.environment,
                Sql(now),
                Sql(log_on.idle),
                Sql(expires)
            ],
        )?;
        transition.changed(contract, Object::Session, &log_on.session, digest::ACTIVE);
        let entry = transition.entry(Chain::Contract(contract));
        entry.say("purpose", log_on.purpose.text());
        entry.say("environment", log_on.environment.as_str());
        let holder = match confirmed {
            Some(_) => read::holder_by_row(connection, *row)?.holder,
            None => holder.clone(),
        };
        let session = ActiveSession {
            id: log_on.session,
            purpose: log_on.purpose,
            created: now,
            last_use: now,
            idle: log_on.idle,
            expires,
            holder,
        };
        Ok(LoggedOn { session, confirmed })
    })
}

const COMPLETED_ORDER: &str = "SELECT id FROM orders WHERE replaces = ?1 AND state = 'completed'";

/// Refuses a recovery logon that could not roll back (SES-05, SES-06).
fn may_roll_back(
    transition: &Transition<'_>,
    held: &Held,
    within: Option<Period>,
) -> Result<(), Failure> {
    use koshin_protocol::problem::Token;
    use koshin_protocol::state::order::{Completed, Order, RollbackRight};
    let order = one(transition.connection, COMPLETED_ORDER, [held.row], |row| row.get(0))?;
    let Some(order) = order else {
        // An import superseded it: there is no order to roll back.
        let token = Token::CertificateSuperseded;
        return Err(signer::refused(&held.holder, token, transition.now).into());
    };
    let line = transition.order(order)?;
    let token = match (line.state, within) {
        (_, None) => Token::RollbackDisabled,
        (Order::Completed(Completed { rollback: RollbackRight::Until(until) }), Some(_))
            if transition.now <= until =>
        {
            return Ok(());
        }
        (Order::Completed(Completed { rollback: RollbackRight::Disabled }), Some(_)) => {
            Token::RollbackDisabled
        }
        (
            Order::Completed(_)
            | Order::Processing(_)
            | Order::Valid(_)
            | Order::Canceled
            | Order::Invalid(_)
            | Order::RolledBack,
            Some(_),
        ) => Token::RollbackEnded,
    };
    Err(transition.order_refused(&line, token)?)
}

const RIGHT: &str = "SELECT 1 FROM orders WHERE id = ?1 AND rollback = 'until'";

impl Transition<'_> {
    /// Ends the session that the certificate has.
    fn end_former(&mut self, contract: ContractId, row: i64) -> Result<(), Failure> {
        let former: Option<SessionId> = one(self.connection, ACTIVE, [row], |row| row.get(0))?;
        match former {
            Some(former) => self.end_session(contract, former, Reason::NewLogon),
            None => Ok(()),
        }
    }

    /// The first logon with a certificate confirms its order; the next ends the right to roll back.
    fn first_use(
        &mut self,
        held: &Held,
        rollback_within: Option<Period>,
    ) -> Result<Option<OrderId>, Failure> {
        let Some(order) = held.holder.certificate.order else { return Ok(None) };
        match held.holder.certificate.state {
            Certificate::Unconfirmed => {
                let line = self.order(order)?;
                let offer = self.offer(&line, rollback_within);
                self.event_of(&line, order::Event::FirstUse { offer })?;
                Ok(Some(order))
            }
            Certificate::Current => {
                let right: Option<i64> = one(self.connection, RIGHT, [order], |row| row.get(0))?;
                if right.is_some() {
                    let offer = Offer::Disabled;
                    self.order_event(order, order::Event::FirstUse { offer })?;
                }
                Ok(None)
            }
            Certificate::Superseded | Certificate::Revoked => Ok(None),
        }
    }

    /// What policy grants to an order that completes now.
    pub(super) fn offer(&self, order: &OrderLine, within: Option<Period>) -> Offer {
        Offer::at(self.now, within, order.replaces_not_after)
    }
}

const PIN: &str = "SELECT pin_hash, pin_attempts FROM subject WHERE id = ?1";
const RESET: &str = "UPDATE subject SET pin_attempts = 0 WHERE id = ?1 AND pin_attempts <> 0";

impl Transition<'_> {
    /// Accepts that the PIN was verified, unless another was set meanwhile.
    pub(super) fn pin_verified(
        &mut self,
        subject: &SubjectRow,
        pin: &PinCheck,
    ) -> Result<(), Failure> {
        let PinCheck::Verified { hash } = pin else { return Ok(()) };
        let now = one(self.connection, PIN, [subject.id], |row| {
            Ok((row.get::<_, Option<String>>(0)?, row.get::<_, u32>(1)?))
        })?;
        let (set, attempts) = now.ok_or(Refused::SubjectUnknown)?;
        if set.as_ref() != Some(hash) {
            return Err(Refused::PinWrong { left: PIN_ATTEMPTS.saturating_sub(attempts) }.into());
        }
        if execute(self.connection, RESET, [subject.id])? > 0 {
            self.changed(subject.contract, Object::Subject, &subject.id, "pinVerified");
        }
        Ok(())
    }
}

/// Logs off.
pub(super) fn log_off(
    connection: &Connection,
    touches: &Touches,
    id: SessionId,
    now: Time,
) -> Result<(), Failure> {
    let (session, _) = signer::session(connection, touches, id, Need::Either, now)?;
    run(connection, now, "loggedOff", signer::principal(&session), |transition| {
        transition.end_session(session.holder.subject.contract, id, Reason::Logoff)
    })
}

const MARK_DEFERRED: &str = "UPDATE session SET deferred = 1 WHERE id = ?1 AND deferred = 0";
const DEFER: &str =
    "UPDATE certificate SET deferrals = deferrals + 1, deferred_at = ?2 WHERE id = ?1";

/// Records that the renewal is put off.
pub(super) fn defer(
    connection: &Connection,
    touches: &Touches,
    id: SessionId,
    now: Time,
) -> Result<ActiveSession, Failure> {
    let (session, row) = signer::session(connection, touches, id, Need::Renewal, now)?;
    if let Some(open) = session.holder.order {
        return Err(Refused::DeferralRefused { order: Some(open.id) }.into());
    }
    // A further deferral in the same session is answered and not counted (NTC-21).
    if execute(connection, MARK_DEFERRED, [id])? == 0 {
        return Ok(session);
    }
    run(connection, now, "renewalDeferred", signer::principal(&session), |transition| {
        execute(connection, DEFER, params![row, Sql(now)])?;
        let contract = session.holder.subject.contract;
        let certificate = &session.holder.certificate;
        let (cert_id, state) = (&certificate.cert_id, certificate.state.text());
        transition.changed(contract, Object::Certificate, cert_id, state);
        transition.entry(Chain::Contract(contract)).say("certificate", cert_id.as_str());
        let (session, _) = signer::session(connection, touches, id, Need::Renewal, now)?;
        Ok(session)
    })
}
