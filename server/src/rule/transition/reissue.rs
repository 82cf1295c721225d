//! Events of reissues, and what follows from them (SPEC.md 10.4).

use koshin_protocol::state::reissue::{Effect, Event, Reissue as State};
use koshin_protocol::state::{certificate, order, session};

use super::Transition;
use crate::rule::cause::Cause;
use crate::rule::refused::Failure;
use crate::rule::reissue::refused;
use crate::rule::subject::Reissue;
use crate::id::{OrderId, ReissueId};

impl Transition {
    /// A reissue that must be there.
    pub(in crate::rule) fn reissue(&self, id: ReissueId) -> Result<&Reissue, Failure> {
        self.subject
            .reissue(id)
            .ok_or_else(|| Failure::corrupt(format_args!("reissue {id} is missing")))
    }

    /// Gives a reissue an event.
    pub(in crate::rule) fn reissue_event(
        &mut self,
        id: ReissueId,
        event: Event,
    ) -> Result<(), Failure> {
        let before = self.reissue(id)?.clone();
        let stepped = match before.state.step(event) {
            Ok(stepped) => stepped,
            Err(token) => return Err(refused(&self.subject, &before, token.token)),
        };
        if stepped.state != before.state {
            for reissue in self.subject.reissues.iter_mut().filter(|reissue| reissue.id == id) {
                reissue.state = stepped.state;
            }
            self.entry.change("reissue", &id, word(stepped.state));
        }
        for effect in stepped.effects {
            self.reissue_effect(&before, *effect)?;
        }
        Ok(())
    }

    /// Carries out what a reissue asks for.
    pub(in crate::rule) fn reissue_effect(
        &mut self,
        of: &Reissue,
        effect: Effect,
    ) -> Result<(), Failure> {
        match effect {
            Effect::VoidFormerReissues => {
                let former = self.subject.reissues.iter().filter(|former| former.is_open());
                let former: Vec<ReissueId> =
                    former.map(|former| former.id).filter(|id| *id != of.id).collect();
                for reissue in former {
                    self.reissue_event(reissue, Event::Void)?;
                }
            }
            Effect::EndOrdersOfSubject => {
                let orders: Vec<OrderId> =
                    self.subject.orders.iter().map(|order| order.id).collect();
                for order in orders {
                    self.order_event(order, order::Event::SubjectReissued)?;
                }
            }
            Effect::EndSessionsOfSubject => {
                self.end_sessions(session::Reason::SubjectReissued, |_| true);
            }
            Effect::RevokeOtherCertificates => self.revoke_others(of)?,
            Effect::EndOwnOrder => {
                let own = of.order.ok_or_else(|| {
                    Failure::corrupt(format_args!("reissue {} has no order", of.id))
                })?;
                self.order_event(own, order::Event::SubjectReissued)?;
            }
            // Whoever redeems it does it: only there the CSR is at hand.
            Effect::PlaceOrder => {}
        }
        Ok(())
    }

    /// Every certificate but the one that this reissue enrolled, expired or not: a clock may be wrong.
    fn revoke_others(&mut self, of: &Reissue) -> Result<(), Failure> {
        let cause = Cause::Reissued(of.reason);
        let others = self.subject.certificates.iter();
        let others = others.filter(|other| of.order.is_none() || other.order != of.order);
        let others: Vec<u64> = others.map(|other| other.number).collect();
        for number in others {
            self.certificate_event(number, certificate::Event::Revoked, cause)?;
        }
        Ok(())
    }
}

/// The audit's word for a stored state.
pub(in crate::rule) fn word(state: State) -> &'static str {
    match state {
        State::Pending(_) => "pending",
        State::Redeemed(_) => "redeemed",
        State::Completed => "completed",
        State::Failed => "failed",
        State::Canceled => "canceled",
        State::Voided => "voided",
    }
}
