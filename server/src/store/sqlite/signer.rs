//! Whether who asks may ask: sessions, certificates, operators (SPEC.md 5.5, 5.7), decided in the
//! transaction that acts on it.

use koshin_protocol::problem::Token;
use koshin_protocol::state::certificate::Use;
use koshin_protocol::state::session::{Active, Event, Need, Session};
use koshin_protocol::time::Time;
use rusqlite::Connection;

use super::column::one;
use super::read;
use super::touch::Touches;
use crate::audit::Principal;
use crate::store::change::Actor;
use crate::store::id::SessionId;
use crate::store::row::{ActiveSession, Holder, Role, SubjectRow};
use crate::store::{Failure, OperatorRefused, OrderRefused, Refused};

/// Refuses what the certificate's state, its validity or its subject forbids.
pub(super) fn admit(holder: &Holder, purpose: Use, now: Time) -> Result<(), Refused> {
    let certificate = &holder.certificate;
    let admitted = certificate.state.admits(purpose, certificate.validity(now));
    admitted.map_err(|token| refused(holder, token, now))?;
    if holder.subject.disabled { Err(Refused::SubjectDisabled) } else { Ok(()) }
}

/// A token about a certificate, with what belongs to it.
pub(super) fn refused(holder: &Holder, token: Token, now: Time) -> Refused {
    let role = holder.subject.role;
    match token {
        Token::CertificateNotYetValid => {
            Refused::CertificateNotYetValid { not_before: holder.certificate.not_before }
        }
        Token::CertificateExpired => Refused::CertificateExpired { role },
        Token::CertificateRevoked => {
            Refused::CertificateRevoked { role, predecessor: holder.predecessor_at(now) }
        }
        Token::CertificateSuperseded => {
            Refused::CertificateSuperseded { successor: holder.successor.clone() }
        }
        Token::NotSuperseded => Refused::NotSuperseded,
        // Only of a certificate that its order has not brought to an end yet.
        other => match holder.certificate.order {
            Some(order) => Refused::Order(OrderRefused {
                token: other,
                order,
                key: holder.certificate.key,
                successor: Some(holder.certificate.cert_id.clone()),
                predecessor: None,
            }),
            None => Refused::NotAuthorized,
        },
    }
}

/// The same, of a certificate by its row.
pub(super) fn refused_row(connection: &Connection, row: i64, token: Token, now: Time) -> Failure {
    match read::holder_by_row(connection, row) {
        Ok(held) => refused(&held.holder, token, now).into(),
        Err(fault) => fault.into(),
    }
}

/// The session, which must be active, of a certificate that still counts, and of that purpose.
pub(super) fn session(
    connection: &Connection,
    touches: &Touches,
    id: SessionId,
    need: Need,
    now: Time,
) -> Result<(ActiveSession, i64), Failure> {
    let (session, row) = read::session(connection, id, touches)?.ok_or(Refused::SessionEnded)?;
    if is_over(&session, now) {
        return Err(Refused::SessionEnded.into());
    }
    let holder = &session.holder;
    if now > holder.certificate.not_after {
        return Err(refused(holder, Token::CertificateExpired, now).into());
    }
    if holder.subject.disabled {
        return Err(Refused::SubjectDisabled.into());
    }
    let active = active(&session);
    let used = Event::Used { now, idle: active.idle, need };
    if Session::Active(active).step(used).is_err() {
        return Err(Refused::SessionPurpose.into());
    }
    Ok((session, row))
}

/// How far in the future a logon may seem to lie, in seconds: the clocks of several machines differ, and one is set back a
/// little.
const LOGON_AHEAD: i64 = 60;

/// Whether the session is over by time (SES-30, SES-31). One that was opened by a clock that was ahead is over too once it is
/// right, or else it would last until that time came (SES-35).
pub(super) fn is_over(session: &ActiveSession, now: Time) -> bool {
    session.created.seconds_since(now) > LOGON_AHEAD || active(session).over(now)
}

/// The session as its state machine sees it.
fn active(session: &ActiveSession) -> Active {
    let idle = session.last_use.checked_add(session.idle).unwrap_or(session.expires);
    Active { purpose: session.purpose, idle: idle.min(session.expires), absolute: session.expires }
}

/// Who does something to others, checked.
pub(super) struct Deed {
    /// How the audit names them.
    pub(super) principal: Principal,
    /// The administrator's own subject, if it is one.
    administrator: Option<SubjectRow>,
}

const OPERATOR: &str = "SELECT 1 FROM operator WHERE name = ?1 AND disabled IS NULL";

impl Deed {
    /// Refuses sessions of users, unknown certificates, disabled operators.
    pub(super) fn check(
        connection: &Connection,
        touches: &Touches,
        by: &Actor,
        now: Time,
    ) -> Result<Self, Failure> {
        match by {
            Actor::Session(id) => {
                let (session, _) = session(connection, touches, *id, Need::Renewal, now)?;
                let subject = session.holder.subject;
                match subject.role {
                    Role::Administrator => Ok(Self {
                        principal: session.holder.certificate.fingerprint.into(),
                        administrator: Some(subject),
                    }),
                    Role::User => Err(Refused::NotAuthorized.into()),
                }
            }
            Actor::Certificate(fingerprint) => {
                let known = read::holder_by_fingerprint(connection, *fingerprint)?;
                known.ok_or(Refused::CertificateUnknown)?;
                Ok(Self { principal: (*fingerprint).into(), administrator: None })
            }
            Actor::Operator(name) => {
                operator(connection, name)?;
                let principal = Principal::Operator(name.clone());
                Ok(Self { principal, administrator: None })
            }
            Actor::Bank => Ok(Self { principal: Principal::Bank, administrator: None }),
        }
    }

    /// For what only the bank does.
    pub(super) fn check_staff(connection: &Connection, by: &Actor) -> Result<Self, Failure> {
        match by {
            Actor::Session(_) | Actor::Certificate(_) => Err(Refused::NotAuthorized.into()),
            Actor::Operator(name) => {
                operator(connection, name)?;
                let principal = Principal::Operator(name.clone());
                Ok(Self { principal, administrator: None })
            }
            Actor::Bank => Ok(Self { principal: Principal::Bank, administrator: None }),
        }
    }

    /// Refuses an administrator whose user this is not. Operators and the bank may act on everybody.
    pub(super) fn administers(&self, subject: &SubjectRow) -> Result<(), Refused> {
        match &self.administrator {
            None => Ok(()),
            Some(own) if own.contract != subject.contract => Err(Refused::SubjectUnknown),
            Some(_) => match subject.role {
                Role::User => Ok(()),
                Role::Administrator => Err(Refused::NotAuthorized),
            },
        }
    }
}

/// Refuses an operator who is unknown or disabled.
pub(super) fn operator(connection: &Connection, name: &str) -> Result<(), Failure> {
    let enabled: Option<i64> = one(connection, OPERATOR, [name], |row| row.get(0))?;
    enabled.map(drop).ok_or(Refused::Operator(OperatorRefused::Unknown).into())
}

/// The audit's name for a session's holder.
pub(super) fn principal(session: &ActiveSession) -> Principal {
    session.holder.certificate.fingerprint.into()
}
