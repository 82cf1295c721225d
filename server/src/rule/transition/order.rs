//! Events of orders, and what follows from them (SPEC.md 10.1).

use koshin_protocol::problem::Token;
use koshin_protocol::state::order::{Completed, Effect, Event, Order as State, RollbackRight};
use koshin_protocol::state::{certificate, reissue, session};

use super::Transition;
use crate::rule::cause::Cause;
use crate::rule::refused::{Failure, OrderRefused, Refused};
use crate::rule::subject::{Order, Origin};
use crate::id::{OrderId, ReissueId};

impl Transition {
    /// An order that must be there.
    pub(in crate::rule) fn order(&self, id: OrderId) -> Result<&Order, Failure> {
        self.subject
            .order(id)
            .ok_or_else(|| Failure::corrupt(format_args!("order {id} is missing")))
    }

    /// Gives an order an event; the answer is the state after it.
    pub(in crate::rule) fn order_event(
        &mut self,
        id: OrderId,
        event: Event,
    ) -> Result<State, Failure> {
        let before = self.order(id)?.clone();
        let stepped = match before.state.step(event) {
            Ok(stepped) => stepped,
            Err(refused) => return Err(self.order_refused(&before, refused.token).into()),
        };
        if stepped.state != before.state {
            self.set_order(id, stepped.state);
            self.entry.change("order", &id, stepped.state.status().as_str());
        }
        for effect in stepped.effects {
            self.order_effect(&before, *effect)?;
        }
        self.note_right(&before, stepped.state)?;
        Ok(stepped.state)
    }

    fn set_order(&mut self, id: OrderId, state: State) {
        let now = self.now;
        for order in self.subject.orders.iter_mut().filter(|order| order.id == id) {
            if order.state.status() != state.status() {
                order.entered = now;
            }
            order.state = state;
            if !matches!(state, State::Processing(_)) {
                order.issuing = None;
            }
        }
    }

    /// What a CRL may list depends on the right to roll back: it is written down whenever that changes (CRL-07).
    fn note_right(&mut self, before: &Order, state: State) -> Result<(), Failure> {
        let Origin::Renewal(replaced) = before.origin else { return Ok(()) };
        let State::Completed(Completed { rollback }) = state else { return Ok(()) };
        if state == before.state {
            return Ok(());
        }
        let since = match before.state {
            State::Completed(_) => before.entered,
            _ => self.now,
        };
        let until = match rollback {
            RollbackRight::Until(until) => Some(until),
            RollbackRight::Ended | RollbackRight::Disabled => None,
        };
        if let Some(certificate) = self.subject.certificate(replaced).cloned()
            && certificate.state == certificate::Certificate::Superseded
        {
            self.superseded(&certificate, Some((since, until)));
        }
        Ok(())
    }

    /// Carries out what an order asks for.
    pub(in crate::rule) fn order_effect(
        &mut self,
        of: &Order,
        effect: Effect,
    ) -> Result<(), Failure> {
        match effect {
            Effect::TellPredecessorsOrder => {
                let own = self.certificate(predecessor(of)?)?.order;
                // One that ended long ago stands in a chapter, and nothing of it can change.
                if let Some(own) = own.filter(|own| self.subject.order(*own).is_some()) {
                    self.order_event(own, Event::SuccessorOrdered)?;
                }
            }
            Effect::EndSessionsOfPredecessor => {
                let certificate = predecessor(of)?;
                let reason = session::Reason::OrderCompleted;
                self.end_sessions(reason, |session| session.certificate == certificate);
            }
            Effect::SupersedePredecessor => {
                let event = certificate::Event::Superseded;
                self.certificate_event(predecessor(of)?, event, Cause::OrderEnded)?;
            }
            Effect::ConfirmSuccessor => {
                let event = certificate::Event::Confirmed;
                self.certificate_event(self.successor(of)?, event, Cause::OrderEnded)?;
            }
            Effect::EndSessionsOfSuccessor => {
                let certificate = self.successor(of)?;
                let reason = session::Reason::RolledBack;
                self.end_sessions(reason, |session| session.certificate == certificate);
            }
            Effect::RevokeSuccessor => {
                let event = certificate::Event::Revoked;
                self.certificate_event(self.successor(of)?, event, Cause::OrderEnded)?;
            }
            Effect::RestorePredecessor => {
                let event = certificate::Event::Restored;
                self.certificate_event(predecessor(of)?, event, Cause::OrderEnded)?;
            }
            Effect::CompleteReissue => {
                self.reissue_event(reissue_of(of)?, reissue::Event::OrderCompleted)?;
            }
            Effect::FailReissue => {
                self.reissue_event(reissue_of(of)?, reissue::Event::OrderInvalid)?;
            }
            // Whoever hands in the certificate does it: only there the certificate is at hand.
            Effect::RevokeLateCertificate | Effect::DiscardSecondCertificate => {}
        }
        Ok(())
    }

    fn successor(&self, of: &Order) -> Result<u64, Failure> {
        self.order(of.id)?
            .certificate
            .ok_or_else(|| Failure::corrupt(format_args!("order {} has no certificate", of.id)))
    }

    /// The refusal of an order's machine, with the certificates to go on with.
    pub(in crate::rule) fn order_refused(&self, order: &Order, token: Token) -> Refused {
        let name = |number| self.subject.certificate(number).map(|found| found.id.clone());
        Refused::Order(OrderRefused {
            token,
            order: order.id,
            key: order.key,
            successor: order.certificate.and_then(name),
            predecessor: match order.origin {
                Origin::Renewal(number) => name(number),
                Origin::Enrollment(_) => None,
            },
        })
    }
}

fn predecessor(order: &Order) -> Result<u64, Failure> {
    match order.origin {
        Origin::Renewal(number) => Ok(number),
        Origin::Enrollment(_) => {
            Err(Failure::corrupt(format_args!("order {} replaces nothing", order.id)))
        }
    }
}

fn reissue_of(order: &Order) -> Result<ReissueId, Failure> {
    match order.origin {
        Origin::Enrollment(reissue) => Ok(reissue),
        Origin::Renewal(_) => {
            Err(Failure::corrupt(format_args!("order {} has no reissue", order.id)))
        }
    }
}
