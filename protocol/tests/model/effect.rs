//! How the bank applies a step's effects to its other rows, in the same transaction.

use koshin_protocol::problem::Token;
use koshin_protocol::state::order::{Order, Status};
use koshin_protocol::state::{certificate, order, reissue, session};

use crate::bank::{Bank, PAIRS, Pair};
use crate::mistake::Mistake;
use crate::scenario::Scenario;

impl Bank {
    fn end_sessions(&mut self, with: Pair, reason: session::Reason) {
        if let Some(logon) = &mut self.sessions[with] {
            match logon.session.step(session::Event::End(reason)) {
                // An ended session is as good as none: nothing looks at the reason here.
                Ok(_) => self.sessions[with] = None,
                Err(_) => self.effect_refused = true,
            }
        }
    }

    pub(crate) fn step_order(
        &mut self,
        ways: &Scenario,
        key: Pair,
        event: order::Event,
    ) -> Result<(), Token> {
        let row = self.orders[key].as_mut().ok_or(Token::NotFound)?;
        let stepped = row.order.step(event).map_err(|refused| refused.token)?;
        row.order = stepped.state;
        self.apply(ways, key, stepped.effects);
        Ok(())
    }

    /// An event that one machine's step has for another; none of them may be refused.
    fn tell_order(&mut self, ways: &Scenario, key: Pair, event: order::Event) {
        if self.orders[key].is_some() && self.step_order(ways, key, event).is_err() {
            self.effect_refused = true;
        }
    }

    pub(crate) fn apply(&mut self, ways: &Scenario, key: Pair, effects: &[order::Effect]) {
        use order::Effect;
        let replaces = self.orders[key].and_then(|row| row.replaces);
        for effect in effects {
            match (effect, replaces) {
                (Effect::TellPredecessorsOrder, Some(predecessor)) => {
                    if ways.mistake != Some(Mistake::RollbackAfterSuccessorOrdered) {
                        self.tell_order(ways, predecessor, order::Event::SuccessorOrdered);
                    }
                }
                (Effect::EndSessionsOfPredecessor, Some(predecessor)) => {
                    self.end_sessions(predecessor, session::Reason::OrderCompleted);
                }
                (Effect::SupersedePredecessor, Some(predecessor)) => {
                    self.step_certificate(ways, predecessor, certificate::Event::Superseded);
                }
                (Effect::RestorePredecessor, Some(predecessor)) => {
                    self.step_certificate(ways, predecessor, certificate::Event::Restored);
                }
                (
                    Effect::TellPredecessorsOrder
                    | Effect::EndSessionsOfPredecessor
                    | Effect::SupersedePredecessor
                    | Effect::RestorePredecessor,
                    None,
                ) => self.effect_refused = true,
                (Effect::ConfirmSuccessor, _) => {
                    self.shut &= replaces.is_some();
                    self.step_certificate(ways, key, certificate::Event::Confirmed);
                }
                (Effect::EndSessionsOfSuccessor, _) => {
                    self.end_sessions(key, session::Reason::RolledBack);
                }
                (Effect::RevokeSuccessor, _) => {
                    self.step_certificate(ways, key, certificate::Event::Revoked);
                }
                (Effect::CompleteReissue, _) => {
                    self.tell_reissue(ways, reissue::Event::OrderCompleted, key);
                }
                (Effect::FailReissue, _) => {
                    self.tell_reissue(ways, reissue::Event::OrderInvalid, key);
                }
                // Neither was stored, so that nothing of either is left.
                (Effect::RevokeLateCertificate | Effect::DiscardSecondCertificate, _) => {}
            }
        }
    }

    pub(crate) fn step_certificate(
        &mut self,
        ways: &Scenario,
        pair: Pair,
        event: certificate::Event,
    ) {
        use certificate::Effect;
        let Some(Ok(stepped)) = self.certificates[pair].map(|state| state.step(event)) else {
            self.effect_refused = true;
            return;
        };
        self.certificates[pair] = Some(stepped.state);
        for effect in stepped.effects {
            match effect {
                Effect::EndSessionsAsSuperseded => {
                    self.end_sessions(pair, session::Reason::OrderCompleted);
                }
                Effect::EndSessionsAsRevoked => {
                    self.end_sessions(pair, session::Reason::CertificateRevoked);
                }
                Effect::TellReplacingOrderRevoked => {
                    let forgets = ways.mistake == Some(Mistake::IssueUnderRevoked);
                    self.tell_replacing(ways, pair, order::Event::PredecessorRevoked, |status| {
                        !(forgets && status == Status::Processing)
                    });
                }
                Effect::TellOwnOrderRevoked => {
                    let completed = self.orders[pair]
                        .is_some_and(|row| row.order.status() == Status::Completed);
                    let forgets = ways.mistake == Some(Mistake::RollbackAfterRevocation);
                    if !(forgets && completed) {
                        self.tell_order(ways, pair, order::Event::SuccessorRevoked);
                    }
                }
            }
        }
    }

    fn tell_replacing(
        &mut self,
        ways: &Scenario,
        pair: Pair,
        event: order::Event,
        remembers: impl Fn(Status) -> bool,
    ) {
        for key in 0..PAIRS {
            let row = self.orders[key].filter(|row| row.replaces == Some(pair));
            if row.is_some_and(|row| remembers(row.order.status())) {
                self.tell_order(ways, key, event);
            }
        }
    }

    pub(crate) fn step_reissue(
        &mut self,
        ways: &Scenario,
        event: reissue::Event,
        key: Option<Pair>,
    ) -> Result<(), Token> {
        let reissue = self.reissue.ok_or(Token::NotFound)?;
        let stepped = reissue.step(event).map_err(|refused| refused.token)?;
        self.reissue = Some(stepped.state);
        self.apply_reissue(ways, stepped.effects, key);
        Ok(())
    }

    fn tell_reissue(&mut self, ways: &Scenario, event: reissue::Event, key: Pair) {
        if self.step_reissue(ways, event, Some(key)).is_err() {
            self.effect_refused = true;
        }
    }

    pub(crate) fn apply_reissue(
        &mut self,
        ways: &Scenario,
        effects: &[reissue::Effect],
        key: Option<Pair>,
    ) {
        use reissue::Effect;
        for effect in effects {
            match effect {
                Effect::VoidFormerReissues => {
                    if self.reissue.is_some()
                        && self.step_reissue(ways, reissue::Event::Void, None).is_err()
                    {
                        self.effect_refused = true;
                    }
                }
                Effect::EndOrdersOfSubject => {
                    let forgets = ways.mistake == Some(Mistake::IssueUnderReissued);
                    for other in 0..PAIRS {
                        let status = self.orders[other].map(|row| row.order.status());
                        if !(forgets && status == Some(Status::Processing)) {
                            self.tell_order(ways, other, order::Event::SubjectReissued);
                        }
                    }
                }
                Effect::EndSessionsOfSubject => {
                    for pair in 0..PAIRS {
                        self.end_sessions(pair, session::Reason::SubjectReissued);
                    }
                }
                Effect::RevokeOtherCertificates => {
                    for pair in (0..PAIRS).filter(|pair| Some(*pair) != key) {
                        if self.certificates[pair].is_some() {
                            self.step_certificate(ways, pair, certificate::Event::Revoked);
                        }
                    }
                }
                Effect::EndOwnOrder => {
                    if let Some(own) = self.open_enrollment() {
                        self.tell_order(ways, own, order::Event::SubjectReissued);
                    }
                }
                Effect::PlaceOrder => {
                    let placed = Order::enrollment();
                    if let Some(key) = key {
                        self.insert(key, placed.state, None);
                        self.apply(ways, key, placed.effects);
                    }
                }
            }
        }
    }
}
