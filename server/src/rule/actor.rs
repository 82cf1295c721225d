//! Whether who asks may ask: certificates, sessions, administrators, operators (SPEC.md 5.5, 5.7).

use koshin_protocol::problem::Token;
use koshin_protocol::state::certificate::{Use, Validity};
use koshin_protocol::state::session::{Event, Need, Session as Machine};
use koshin_protocol::time::Time;

use super::refused::{Failure, OrderRefused, Refused};
use super::subject::{Certificate, Session, Subject};
use super::{Known, view};
use crate::audit::Principal;
use crate::id::{ContractId, SessionId};
use crate::rule::row::Role;

/// Refuses what a certificate's state, its validity or its subject forbids.
pub(super) fn admit(
    known: &Known,
    certificate: &Certificate,
    purpose: Use,
    now: Time,
) -> Result<(), Refused> {
    let admitted = certificate.state.admits(purpose, certificate.validity(now));
    admitted.map_err(|token| refused(&known.subject, certificate, token, now))?;
    known.enabled()
}

/// A token about a certificate, with what belongs to it.
pub(super) fn refused(
    subject: &Subject,
    certificate: &Certificate,
    token: Token,
    now: Time,
) -> Refused {
    let role = subject.role;
    match token {
        Token::CertificateNotYetValid => {
            Refused::CertificateNotYetValid { not_before: certificate.not_before }
        }
        Token::CertificateExpired => Refused::CertificateExpired { role },
        Token::CertificateRevoked => {
            let undone = view::undone(subject, certificate);
            let predecessor = undone.filter(|(_, end)| now <= *end).map(|(id, _)| id);
            Refused::CertificateRevoked { role, predecessor }
        }
        Token::CertificateSuperseded => {
            let successor = view::descendant(subject, certificate);
            Refused::CertificateSuperseded { successor }
        }
        Token::NotSuperseded => Refused::NotSuperseded,
        // Only of a certificate that its order has not brought to an end yet.
        other => match certificate.order {
            Some(order) => Refused::Order(OrderRefused {
                token: other,
                order,
                key: certificate.key,
                successor: Some(certificate.id.clone()),
                predecessor: None,
            }),
            None => Refused::NotAuthorized,
        },
    }
}

/// The session and its certificate: the session is active, the certificate within its validity, the subject enabled, and
/// the session for this.
pub(super) fn session(
    known: &Known,
    id: SessionId,
    need: Need,
    now: Time,
) -> Result<(&Session, &Certificate), Failure> {
    let session = known.subject.session(id).ok_or(Refused::SessionEnded)?;
    let active = session.active();
    let step = |need| Machine::Active(active).step(Event::Used { now, idle: active.idle, need });
    if step(Need::Either).is_err() {
        return Err(Refused::SessionEnded.into());
    }
    let certificate = known.certificate(session.certificate)?;
    if certificate.validity(now) == Validity::Over {
        return Err(refused(&known.subject, certificate, Token::CertificateExpired, now).into()); // AUT-08
    }
    known.enabled()?;
    if step(need).is_err() {
        return Err(Refused::SessionPurpose.into());
    }
    Ok((session, certificate))
}

/// Who does something to a subject, found to be who they say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Authority {
    /// A session of an administrator of this contract.
    Administrator {
        /// Whose users it administers.
        contract: ContractId,
        /// How the audit names it.
        principal: Principal,
    },
    /// An operator who is enabled.
    Operator(String),
    /// The bank itself.
    Bank,
}

impl Authority {
    /// The administrator of a session.
    pub fn administrator(known: &Known, id: SessionId, now: Time) -> Result<Self, Failure> {
        let (_, certificate) = session(known, id, Need::Renewal, now)?;
        match known.subject.role {
            Role::Administrator => Ok(Self::Administrator {
                contract: known.subject.contract,
                principal: certificate.fingerprint.into(),
            }),
            Role::User => Err(Refused::NotAuthorized.into()),
        }
    }

    /// How the audit names it.
    pub fn principal(&self) -> Principal {
        match self {
            Self::Administrator { principal, .. } => principal.clone(),
            Self::Operator(name) => Principal::Operator(name.clone()),
            Self::Bank => Principal::Bank,
        }
    }

    /// Refuses an administrator whose user this is not. Operators and the bank may act on everybody.
    pub(super) fn administers(&self, subject: &Subject) -> Result<(), Refused> {
        match self {
            Self::Operator(_) | Self::Bank => Ok(()),
            Self::Administrator { contract, .. } if *contract != subject.contract => {
                Err(Refused::SubjectUnknown)
            }
            Self::Administrator { .. } => match subject.role {
                Role::User => Ok(()),
                Role::Administrator => Err(Refused::NotAuthorized),
            },
        }
    }

    /// Refuses whom only the bank's staff may do.
    pub(super) fn is_staff(&self) -> Result<(), Refused> {
        match self {
            Self::Operator(_) | Self::Bank => Ok(()),
            Self::Administrator { .. } => Err(Refused::NotAuthorized),
        }
    }
}
