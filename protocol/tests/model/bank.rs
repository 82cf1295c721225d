//! The bank: rows, and the state machines that step them. One method is one transaction.

use koshin_protocol::problem::Token;
use koshin_protocol::state::certificate::{self, Certificate, Use, Validity};
use koshin_protocol::state::order::{
    self, Finality, Offer, Order, Predecessor, RollbackRight, Status,
};
use koshin_protocol::state::reissue::{self, Reissue, Revocation};
use koshin_protocol::state::session::{self, Need, Purpose, Session};
use koshin_protocol::time::{Period, Time};

use crate::mistake::Mistake;
use crate::scenario::Scenario;

/// A key, and with it its certificate and its order: one key, one order, one certificate.
pub(crate) type Pair = usize;

/// The pair that both machines hold at the start; no order of this bank brought it.
pub(crate) const FIRST: Pair = 0;

/// How many pairs there is room for, those of a rescue included.
pub(crate) const PAIRS: usize = 6;

/// Which of the two machines.
pub(crate) type Machine = usize;

/// Everything that the bank stores, and what the model notes down beside it to judge by.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::struct_excessive_bools, reason = "each notes one fact to judge by")]
pub(crate) struct Bank {
    pub(crate) orders: [Option<Row>; PAIRS],
    pub(crate) certificates: [Option<Certificate>; PAIRS],
    pub(crate) sessions: [Option<Logon>; PAIRS],
    pub(crate) reissue: Option<Reissue>,
    /// How many reissues there were.
    pub(crate) reissues: u8,
    /// The order whose certificate is signed and not stored; a restart forgets it.
    pub(crate) signed: Option<Pair>,
    /// The first pair's notAfter has passed.
    pub(crate) expired: bool,
    pub(crate) clock: Clock,
    /// By mistake only: the bank wrote down that the first pair's notAfter has passed.
    pub(crate) stored_expiry: bool,
    /// Noted: the subject's current certificate was revoked, and nothing was enrolled since.
    pub(crate) shut: bool,
    /// Noted: an order was accepted for a certificate that may not renew.
    pub(crate) accepted_wrongly: bool,
    /// Noted: one machine refused what another one's step had for effect.
    pub(crate) effect_refused: bool,
}

/// What the bank's clock says. It goes wrong once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Clock {
    Right,
    /// Beyond the first pair's notAfter, which has not passed.
    Ahead,
    RightAgain,
}

/// One order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::struct_excessive_bools, reason = "each notes one fact to judge by")]
pub(crate) struct Row {
    pub(crate) order: Order,
    /// The pair that it replaces; none for an enrollment.
    pub(crate) replaces: Option<Pair>,
    /// It stayed unconfirmed longer than `meta.confirmWithin`.
    pub(crate) abandoned: bool,
    /// Noted: how many certificates were stored for it.
    pub(crate) stored: u8,
    /// Noted: how many reissues there had been when it was accepted.
    pub(crate) reissues: u8,
    /// Noted: it was canceled by a request that meant another order, or by who was not to.
    pub(crate) hit: bool,
    /// Noted: a cancel of it was granted.
    pub(crate) told_canceled: bool,
    /// Noted: a confirmation of it was granted.
    pub(crate) told_completed: bool,
    /// Noted: a rollback of it was granted.
    pub(crate) told_rolled_back: bool,
}

/// The latest session of a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Logon {
    holder: Machine,
    pub(crate) session: Session,
}

/// What a machine asks the bank.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Request {
    Logon {
        with: Pair,
    },
    RecoveryLogon {
        with: Pair,
    },
    Read {
        session: Pair,
        key: Pair,
    },
    NewOrder {
        session: Pair,
        key: Pair,
    },
    /// `allowed` is noted: its machine began the order, or was told to, or the order is abandoned.
    Cancel {
        session: Pair,
        key: Pair,
        allowed: bool,
    },
    Rollback {
        session: Pair,
        key: Pair,
    },
    Confirm {
        key: Pair,
    },
    FindOrder {
        key: Pair,
    },
}

impl Request {
    /// The certificate whose session signs it.
    pub(crate) fn session(self) -> Option<Pair> {
        match self {
            Self::Read { session, .. }
            | Self::NewOrder { session, .. }
            | Self::Cancel { session, .. }
            | Self::Rollback { session, .. } => Some(session),
            Self::Logon { .. }
            | Self::RecoveryLogon { .. }
            | Self::Confirm { .. }
            | Self::FindOrder { .. } => None,
        }
    }
}

/// What the bank answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Answer {
    /// A session, and the subject's open order.
    Session {
        order: Option<Pair>,
    },
    Order {
        status: Status,
    },
    /// `successor` goes with `certificateSuperseded`.
    Refused {
        token: Token,
        successor: Option<Pair>,
    },
}

/// The first pair's notAfter, in seconds; its successors end later than anything that happens here.
const NOT_AFTER: i64 = 5;

fn not_after(pair: Pair) -> Time {
    at(if pair == FIRST { NOT_AFTER } else { 1_000 })
}

pub(crate) fn at(seconds: i64) -> Time {
    Time::from_unix(seconds).expect("a small number of seconds is a time")
}

impl Bank {
    pub(crate) fn new() -> Self {
        let mut certificates = [None; PAIRS];
        certificates[FIRST] = Some(Certificate::Current);
        Self {
            orders: [None; PAIRS],
            certificates,
            sessions: [None; PAIRS],
            reissue: None,
            reissues: 0,
            signed: None,
            expired: false,
            clock: Clock::Right,
            stored_expiry: false,
            shut: false,
            accepted_wrongly: false,
            effect_refused: false,
        }
    }

    /// Answers one request.
    pub(crate) fn answer(&mut self, ways: &Scenario, from: Machine, request: Request) -> Answer {
        let answered = match request {
            Request::Logon { with } => self.log_on(ways, from, with),
            Request::RecoveryLogon { with } => self.log_on_to_recover(from, with),
            Request::Read { session, key } => self
                .serve(from, session, Need::Renewal, true)
                .and_then(|()| self.read(key).ok_or(Token::NotFound)),
            Request::NewOrder { session, key } => self.place(ways, from, session, key),
            Request::Cancel { session, key, allowed } => {
                self.cancel(ways, from, session, key, allowed)
            }
            Request::Rollback { session, key } => self.roll_back(ways, from, session, key),
            Request::Confirm { key } => self.confirm(ways, key),
            Request::FindOrder { key } => self.read(key).ok_or(Token::OrderUnknown),
        };
        answered.unwrap_or_else(|token| {
            let successor = match request {
                Request::Logon { with } if token == Token::CertificateSuperseded => {
                    self.successor(with)
                }
                _ => None,
            };
            Answer::Refused { token, successor }
        })
    }

    fn log_on(&mut self, ways: &Scenario, from: Machine, with: Pair) -> Result<Answer, Token> {
        self.certificate(with)?.admits(Use::Logon, self.validity(with))?;
        if self.orders[with].is_some() {
            let offer = self.offer(ways, with);
            self.step_order(ways, with, order::Event::FirstUse { offer })?;
            self.note(with, |row| row.told_completed = true);
        }
        self.open(from, with, Purpose::Renewal);
        Ok(Answer::Session { order: self.open_order() })
    }

    fn log_on_to_recover(&mut self, from: Machine, with: Pair) -> Result<Answer, Token> {
        self.certificate(with)?.admits(Use::RecoveryLogon, self.validity(with))?;
        let successor = self.successor(with).ok_or(Token::NotSuperseded)?;
        match self.orders[successor].map(|row| row.order) {
            Some(Order::Completed(completed)) => match completed.rollback {
                RollbackRight::Until(until) if self.now() <= until => {}
                RollbackRight::Until(_) | RollbackRight::Ended => {
                    return Err(Token::RollbackEnded);
                }
                RollbackRight::Disabled => return Err(Token::RollbackDisabled),
            },
            _ => return Err(Token::RollbackEnded),
        }
        self.open(from, with, Purpose::Recovery);
        Ok(Answer::Session { order: None })
    }

    fn place(
        &mut self,
        ways: &Scenario,
        from: Machine,
        session: Pair,
        key: Pair,
    ) -> Result<Answer, Token> {
        self.serve(from, session, Need::Renewal, true)?;
        if let Some(same) = self.read(key) {
            return Ok(same);
        }
        if self.open_order().is_some() {
            return Err(Token::OrderExists);
        }
        let predecessor = self.certificate(session)?;
        let placed = Order::renewal(predecessor, self.validity(session))?;
        self.accepted_wrongly |= predecessor != Certificate::Current;
        self.accepted_wrongly |= self.now() > not_after(session);
        self.insert(key, placed.state, Some(session));
        self.apply(ways, key, placed.effects);
        if !ways.slow_ca {
            self.issue(ways, key);
        }
        self.read(key).ok_or(Token::ServerInternal)
    }

    fn cancel(
        &mut self,
        ways: &Scenario,
        from: Machine,
        session: Pair,
        key: Pair,
        allowed: bool,
    ) -> Result<Answer, Token> {
        let blind = ways.mistake == Some(Mistake::CancelAfterExpiry);
        self.serve(from, session, Need::Renewal, !blind)?;
        let target = match ways.mistake {
            Some(Mistake::CancelWithoutKey) => self.open_order().unwrap_or(key),
            _ => key,
        };
        let before = self.orders[target].ok_or(Token::NotFound)?.order;
        let predecessor = match self.orders[target].and_then(|row| row.replaces) {
            Some(replaced) if !blind => Predecessor::at(self.now(), Some(not_after(replaced))),
            Some(_) | None => Predecessor::Unexpired,
        };
        self.step_order(ways, target, order::Event::Cancel { predecessor })?;
        self.note(target, |row| {
            row.told_canceled = true;
            row.hit |= before != Order::Canceled && (target != key || !allowed);
        });
        self.read(target).ok_or(Token::NotFound)
    }

    fn roll_back(
        &mut self,
        ways: &Scenario,
        from: Machine,
        session: Pair,
        key: Pair,
    ) -> Result<Answer, Token> {
        self.serve(from, session, Need::Recovery, true)?;
        self.step_order(ways, key, order::Event::Rollback { now: self.now() })?;
        self.note(key, |row| row.told_rolled_back = true);
        self.read(key).ok_or(Token::NotFound)
    }

    pub(crate) fn confirm(&mut self, ways: &Scenario, key: Pair) -> Result<Answer, Token> {
        let offer = self.offer(ways, key);
        let finality = Finality::Revertible;
        if self.orders[key].is_none() {
            return Err(Token::CertificateUnknown);
        }
        self.step_order(ways, key, order::Event::Confirm { finality, offer })?;
        self.note(key, |row| row.told_completed = true);
        self.certificate(key)?.admits(Use::Confirm, self.validity(key))?;
        self.read(key).ok_or(Token::NotFound)
    }

    /// The CA's certificate arrives.
    pub(crate) fn issue(&mut self, ways: &Scenario, key: Pair) {
        let before = self.orders[key].map(|row| row.order.status());
        if self.step_order(ways, key, order::Event::Issued).is_err() {
            self.effect_refused = true;
        }
        let after = self.orders[key].map(|row| row.order.status());
        if before == Some(Status::Processing) && after == Some(Status::Valid) {
            self.certificates[key] = Some(Certificate::Unconfirmed);
            self.note(key, |row| row.stored += 1);
        }
    }

    /// The CA refuses for good.
    pub(crate) fn fail(&mut self, ways: &Scenario, key: Pair) {
        if self.step_order(ways, key, order::Event::IssueFailed).is_err() {
            self.effect_refused = true;
        }
    }

    /// The first pair's notAfter passes.
    pub(crate) fn expire(&mut self) {
        self.expired = true;
    }

    /// The bank's clock is set wrong, and the bank looks at it.
    pub(crate) fn set_ahead(&mut self, ways: &Scenario) {
        self.clock = Clock::Ahead;
        self.stored_expiry = ways.mistake == Some(Mistake::StoreExpiry)
            && self.certificates[FIRST].is_some_and(Certificate::is_current);
    }

    /// An administrator revokes a certificate.
    pub(crate) fn revoke(&mut self, ways: &Scenario, pair: Pair) {
        self.shut |= self.certificates[pair].is_some_and(Certificate::is_current);
        self.step_certificate(ways, pair, certificate::Event::Revoked);
    }

    /// An administrator makes an enrollment code.
    pub(crate) fn open_reissue(&mut self, ways: &Scenario, revocation: Revocation) {
        let opened = Reissue::open(at(100), revocation);
        self.reissues += 1;
        self.shut |= revocation == Revocation::AtOnce;
        // The effects come first: one of them is for the reissue before this one.
        self.apply_reissue(ways, opened.effects, None);
        self.reissue = Some(opened.state);
    }

    /// An administrator takes the code back.
    pub(crate) fn cancel_reissue(&mut self, ways: &Scenario) {
        // A refusal is the answer: it was completed meanwhile.
        let cancel = reissue::Event::Cancel { now: self.now() };
        let _refused = self.step_reissue(ways, cancel, None);
    }

    /// Somebody enrolls `key` with the code.
    pub(crate) fn enroll(&mut self, ways: &Scenario, key: Pair) {
        let redeem = reissue::Event::Redeem { now: self.now() };
        if self.step_reissue(ways, redeem, Some(key)).is_ok() && !ways.slow_ca {
            self.issue(ways, key);
        }
    }

    pub(crate) fn open_order(&self) -> Option<Pair> {
        self.orders.iter().position(|row| row.is_some_and(|row| row.order.is_open()))
    }

    /// The open order, if it is an enrollment's.
    pub(crate) fn open_enrollment(&self) -> Option<Pair> {
        self.open_order().filter(|key| self.orders[*key].is_some_and(|row| row.replaces.is_none()))
    }

    /// What the bank's clock says: before the first pair's notAfter, or after it.
    fn now(&self) -> Time {
        let after = self.expired || self.clock == Clock::Ahead;
        at(if after { NOT_AFTER + 1 } else { NOT_AFTER })
    }

    pub(crate) fn validity(&self, pair: Pair) -> Validity {
        if pair == FIRST && self.stored_expiry {
            return Validity::Over;
        }
        Validity::at(self.now(), at(0), not_after(pair))
    }

    /// What policy grants to the order of `key` if it is completed now.
    fn offer(&self, ways: &Scenario, key: Pair) -> Offer {
        let within = ways.rollback.then(|| Period::from_seconds(10));
        let replaced = self.orders[key].and_then(|row| row.replaces);
        Offer::at(self.now(), within, replaced.map(not_after))
    }

    pub(crate) fn certificate(&self, pair: Pair) -> Result<Certificate, Token> {
        self.certificates[pair].ok_or(Token::CertificateUnknown)
    }

    fn successor(&self, pair: Pair) -> Option<Pair> {
        (0..PAIRS).find(|key| {
            self.orders[*key].is_some_and(|row| {
                row.replaces == Some(pair) && row.order.status() == Status::Completed
            })
        })
    }

    fn read(&self, key: Pair) -> Option<Answer> {
        self.orders[key].map(|row| Answer::Order { status: row.order.status() })
    }

    pub(crate) fn insert(&mut self, key: Pair, order: Order, replaces: Option<Pair>) {
        self.orders[key] = Some(Row {
            order,
            replaces,
            abandoned: false,
            stored: 0,
            reissues: self.reissues,
            hit: false,
            told_canceled: false,
            told_completed: false,
            told_rolled_back: false,
        });
    }

    pub(crate) fn note(&mut self, key: Pair, write: impl FnOnce(&mut Row)) {
        if let Some(row) = &mut self.orders[key] {
            write(row);
        }
    }

    fn open(&mut self, holder: Machine, with: Pair, purpose: Purpose) {
        let session = Session::open(purpose, at(10), at(60));
        self.sessions[with] = Some(Logon { holder, session });
    }

    fn serve(
        &mut self,
        from: Machine,
        with: Pair,
        need: Need,
        within_validity: bool,
    ) -> Result<(), Token> {
        let logon = self.sessions[with].filter(|logon| logon.holder == from);
        let mut logon = logon.ok_or(Token::SessionEnded)?;
        let used = session::Event::Used { now: self.now(), idle: at(10), need };
        let stepped = logon.session.step(used).map_err(|refused| refused.token)?;
        logon.session = stepped.state;
        self.sessions[with] = Some(logon);
        if within_validity && self.validity(with) == Validity::Over {
            return Err(Token::CertificateExpired);
        }
        Ok(())
    }
}
