//! Events of certificates, and what follows from them (SPEC.md 10.2).

use koshin_protocol::cert_id::CertId;
use koshin_protocol::state::certificate::{Certificate as State, Effect, Event};
use koshin_protocol::state::{order, session};
use koshin_protocol::time::Time;

use super::{CertificateRow, Name, RevocationRow, SupersededRow, Transition};
use crate::rule::command::Signed;
use crate::rule::cause::Cause;
use crate::rule::refused::Failure;
use crate::rule::subject::{Certificate, Order, Origin};
use crate::rule::{actor, subject};
use crate::id::{Fingerprint, OrderId};

impl Transition {
    /// A certificate that must be there.
    pub(in crate::rule) fn certificate(&self, number: u64) -> Result<&Certificate, Failure> {
        self.subject
            .certificate(number)
            .ok_or_else(|| Failure::corrupt(format_args!("certificate {number} is missing")))
    }

    /// Gives a certificate an event. `cause` says why, if it is revoked by it.
    pub(in crate::rule) fn certificate_event(
        &mut self,
        number: u64,
        event: Event,
        cause: Cause,
    ) -> Result<(), Failure> {
        let before = self.certificate(number)?.clone();
        let stepped = match before.state.step(event) {
            Ok(stepped) => stepped,
            Err(refused) => return Err(actor::refused(&self.subject, &before, refused.token, self.now).into()),
        };
        if stepped.state != before.state {
            self.set_certificate(number, stepped.state);
            self.entry.change("certificate", &before.id, stepped.state.as_str());
            match stepped.state {
                State::Revoked => self.list_revoked(&before.id, before.not_after, cause),
                State::Superseded | State::Current | State::Unconfirmed => {}
            }
            if before.state == State::Superseded {
                self.superseded(&before, None);
            }
        }
        for effect in stepped.effects {
            self.certificate_effect(&before, *effect)?;
        }
        Ok(())
    }

    fn set_certificate(&mut self, number: u64, state: State) {
        for certificate in &mut self.subject.certificates {
            if certificate.number == number {
                certificate.state = state;
            }
        }
    }

    fn certificate_effect(&mut self, of: &Certificate, effect: Effect) -> Result<(), Failure> {
        let number = of.number;
        match effect {
            Effect::EndSessionsAsSuperseded => {
                self.end_sessions(session::Reason::OrderCompleted, |s| s.certificate == number);
                Ok(())
            }
            Effect::EndSessionsAsRevoked => {
                self.end_sessions(session::Reason::CertificateRevoked, |s| s.certificate == number);
                Ok(())
            }
            Effect::TellReplacingOrderRevoked => self.tell_replacing(number),
            Effect::TellOwnOrderRevoked => match of.order {
                Some(own) if self.subject.order(own).is_some() => {
                    self.order_event(own, order::Event::SuccessorRevoked).map(drop)
                }
                // An imported one, or its order ended long ago and stands in a chapter.
                Some(_) | None => Ok(()),
            },
        }
    }

    /// Orders that have ended need not be told: for them the event changes nothing.
    fn tell_replacing(&mut self, certificate: u64) -> Result<(), Failure> {
        let of_it = |order: &&Order| order.origin == Origin::Renewal(certificate);
        let orders: Vec<OrderId> =
            self.subject.orders.iter().filter(of_it).map(|order| order.id).collect();
        for order in orders {
            self.order_event(order, order::Event::PredecessorRevoked)?;
        }
        Ok(())
    }

    /// Has the CRL list a certificate, of the registry or not (CRL-03).
    pub(in crate::rule) fn list_revoked(&mut self, id: &CertId, not_after: Time, cause: Cause) {
        let certificate = id.clone();
        self.rows.revocations.push(RevocationRow {
            certificate,
            revoked: self.now,
            cause,
            not_after,
        });
    }

    /// Writes down what a CRL may list as superseded: since when, or no longer (CRL-07).
    pub(in crate::rule) fn superseded(&mut self, of: &Certificate, since: Option<(Time, Option<Time>)>) {
        self.rows.superseded.push(SupersededRow {
            certificate: of.id.clone(),
            not_after: of.not_after,
            since: since.map(|(since, _)| since),
            restorable: since.and_then(|(_, until)| until),
        });
    }

    /// Takes in the certificate of an order, unconfirmed.
    pub(in crate::rule) fn store_certificate(
        &mut self,
        order: OrderId,
        signed: &Signed,
        number: u64,
        csr: Vec<u8>,
    ) -> Result<(), Failure> {
        let Some(place) = self.subject.orders.iter_mut().find(|placed| placed.id == order) else {
            return Err(Failure::corrupt(format_args!("order {order} is missing")));
        };
        place.certificate = Some(number);
        place.issuing = None;
        let replaces = match place.origin {
            Origin::Renewal(replaces) => Some(replaces),
            Origin::Enrollment(_) => None,
        };
        let (key, key_store) = (place.key, Some(place.key_store.clone()));
        let certificate = &signed.certificate;
        let id = CertId::of(certificate);
        self.entry.change("certificate", &id, State::Unconfirmed.as_str());
        self.add_certificate(
            subject::Certificate {
                number,
                id,
                fingerprint: Fingerprint::from_bytes(certificate.fingerprint()),
                key,
                order: Some(order),
                replaces,
                key_store,
                not_before: certificate.not_before(),
                not_after: certificate.not_after(),
                state: State::Unconfirmed,
                deferrals: 0,
                deferred_at: None,
            },
            certificate.der(),
            Some(csr),
        );
        Ok(())
    }

    /// Adds a certificate to the registry.
    pub(in crate::rule) fn add_certificate(
        &mut self,
        certificate: Certificate,
        der: &[u8],
        csr: Option<Vec<u8>>,
    ) {
        self.rows.names.push(Name::Fingerprint(certificate.fingerprint));
        self.rows.names.push(Name::CertId(certificate.id.clone()));
        self.rows.certificates.push(CertificateRow {
            number: certificate.number,
            der: der.into(),
            csr,
        });
        self.subject.certificates.push(certificate);
    }
}
