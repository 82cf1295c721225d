//! The whole: bank, machines, what is on the wire, and every step that any of them may take.

use std::hash::{Hash, Hasher};

use koshin_protocol::problem::Token;
use koshin_protocol::state::certificate::Certificate;
use koshin_protocol::state::order::Status;
use koshin_protocol::state::reissue::{Reissue, Revocation};
use stateright::{Model, Property};

use crate::bank::{Answer, Bank, Clock, FIRST, Machine, PAIRS, Pair, Request};
use crate::client::{self, Client, Doing, Journal, Pairs};
use crate::mistake::Mistake;
use crate::property;
use crate::scenario::Scenario;

/// The machines: a person's and an agent's.
pub(crate) const MACHINES: [Machine; 2] = [0, 1];

/// Who holds a session that nobody was told of.
const NOBODY: Machine = MACHINES.len();

/// One state of everything.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct World {
    pub(crate) bank: Bank,
    pub(crate) machines: [Client; 2],
    /// What is under way between a machine that waits and the bank.
    wire: [Option<Exchange>; 2],
    /// A request that its machine does not wait for any more; it may still arrive.
    late: [Option<Request>; 2],
    /// How many keys were made.
    made: Pair,
    /// Keys that were lost, not by their machine's doing.
    pub(crate) lost: Pairs,
    /// Noted: an administrator, the CA or a broken disk took the usable certificate.
    pub(crate) excused: bool,
    /// Noted: when the first pair expired, an order was open, so that the subject is to get its
    /// successor.
    pub(crate) promised: bool,
    /// Noted: when the bank's clock was right again, no renewal was completed.
    pub(crate) still_to_renew: bool,
    rules: Rules,
}

/// What may happen here. It is the same in every state, and no part of any.
#[derive(Clone, Copy, Debug)]
struct Rules {
    ways: &'static Scenario,
    /// How many keys may be made.
    keys: usize,
}

impl PartialEq for Rules {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Rules {}

impl Hash for Rules {
    fn hash<H: Hasher>(&self, _: &mut H) {}
}

/// A request and its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Exchange {
    Asked(Request),
    Answered(Request, Answer),
}

/// One step of the world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// The machine writes something durably, or sends its next request.
    Advance(Machine),
    /// The machine logs on with a new pair instead of confirming it.
    LogOnInstead(Machine),
    /// Killed, powered off, or tired of waiting.
    Interrupt(Machine),
    /// The bank gets the request that the machine waits for.
    Arrive(Machine),
    /// The bank gets a request that nobody waits for any more.
    ArriveLate(Machine),
    /// The machine gets its answer.
    Receive(Machine),
    /// The user cancels what the machine has begun.
    WantCancel(Machine),
    /// The user says `--start-over`.
    WantStartOver(Machine),
    /// The user rolls back.
    WantRollback(Machine, Pair),
    /// The CA signs; nothing is stored.
    Sign(Pair),
    /// What was signed is stored.
    Store(Pair),
    /// The CA refuses for good.
    IssueFails(Pair),
    /// The bank is killed and started again.
    BankRestarts,
    /// The open order stays unconfirmed longer than `meta.confirmWithin`.
    Abandon(Pair),
    /// The first pair's notAfter passes.
    Expire,
    /// The bank's clock goes wrong: it stands beyond the first pair's notAfter.
    ClockAhead,
    /// It is set right.
    ClockRightAgain,
    /// An administrator revokes.
    Revoke(Pair),
    /// An administrator makes a code.
    OpenReissue(Revocation),
    /// An administrator takes the code back.
    CancelReissue,
    /// A third machine enrolls with the code.
    Enroll,
    /// The third machine confirms.
    ConfirmEnrollment(Pair),
    /// The machine loses a key.
    LoseKey(Machine, Pair),
    /// The machine loses its journal.
    LoseJournal(Machine),
}

impl World {
    fn new(ways: &'static Scenario) -> Self {
        Self {
            bank: Bank::new(),
            machines: [Client::new(); 2],
            wire: [None; 2],
            late: [None; 2],
            made: 0,
            lost: Pairs::NONE,
            excused: false,
            promised: false,
            still_to_renew: false,
            rules: Rules { ways, keys: ways.keys },
        }
    }

    pub(crate) fn ways(&self) -> &'static Scenario {
        self.rules.ways
    }

    /// The machine sends, and waits.
    pub(crate) fn send(&mut self, machine: Machine, request: Request, tried: Pairs) -> bool {
        self.wire[machine] = Some(Exchange::Asked(request));
        self.machines[machine].doing = Doing::Awaiting { tried };
        true
    }

    /// A key that nobody had before, to replace `with`; none if that is not due.
    pub(crate) fn new_key(&mut self, with: Pair) -> Option<Pair> {
        let due = with == FIRST || self.rules.ways.generations;
        if due && self.made < self.rules.keys {
            self.made += 1;
            Some(self.made)
        } else {
            None
        }
    }

    /// What the order of `key` replaces, as the order document says.
    pub(crate) fn replaced_by(&self, key: Pair) -> Option<Pair> {
        self.bank.orders[key].and_then(|row| row.replaces)
    }

    fn interrupt(&mut self, machine: Machine) {
        let waited = self.wire[machine].take();
        if let Some(Exchange::Asked(request)) = waited {
            self.late[machine] = Some(request);
        }
        let client = &mut self.machines[machine];
        client.doing = Doing::START;
        if let Some(
            Exchange::Asked(Request::NewOrder { session, key })
            | Exchange::Answered(Request::NewOrder { session, key }, _),
        ) = waited
            && self.rules.ways.mistake == Some(Mistake::StaleNoOrder)
        {
            client.keys = client.keys.without(key);
            client.journal = Journal::Nothing;
            client.doing = Doing::InSession { with: session, order: None };
        }
    }

    fn arrive(&mut self, machine: Machine) {
        if let Some(Exchange::Asked(request)) = self.wire[machine] {
            self.end_requests_of_former_session(request);
            let answer = self.bank.answer(self.rules.ways, machine, request);
            self.wire[machine] = Some(Exchange::Answered(request, answer));
        }
    }

    /// A logon ends the former session of the same certificate: what that one signed is refused when
    /// it arrives, now or later.
    fn end_requests_of_former_session(&mut self, request: Request) {
        let (Request::Logon { with } | Request::RecoveryLogon { with }) = request else { return };
        for other in MACHINES {
            if self.late[other].and_then(Request::session) == Some(with) {
                self.late[other] = None;
            }
            if let Some(Exchange::Asked(asked)) = self.wire[other]
                && asked.session() == Some(with)
            {
                let answer = Answer::Refused { token: Token::SessionEnded, successor: None };
                self.wire[other] = Some(Exchange::Answered(asked, answer));
            }
        }
    }

    fn receive(&mut self, machine: Machine) {
        if let Some(Exchange::Answered(request, answer)) = self.wire[machine].take() {
            client::receive(self, machine, request, answer);
        }
    }

    fn lose_key(&mut self, machine: Machine, key: Pair) {
        // The only way to a certificate, once the predecessor expired.
        self.excused |= self.bank.expired && self.bank.open_order() == Some(key);
        self.lost = self.lost.with(key);
        let client = &mut self.machines[machine];
        client.keys = client.keys.without(key);
        client.certificates = client.certificates.without(key);
        client.damaged = true;
        if client.current == key {
            client.current = FIRST;
        }
    }

    fn apply(&mut self, action: Action) -> bool {
        let ways = self.rules.ways;
        match action {
            Action::Advance(machine) => return client::advance(self, machine, false),
            Action::LogOnInstead(machine) => {
                let with = self.machines[machine].current;
                return self.send(machine, Request::Logon { with }, Pairs::NONE);
            }
            Action::Interrupt(machine) => self.interrupt(machine),
            Action::Arrive(machine) => self.arrive(machine),
            Action::ArriveLate(machine) => {
                if let Some(request) = self.late[machine].take() {
                    self.end_requests_of_former_session(request);
                    // Nobody waits for the answer, nor has the session of a late logon.
                    let from = if request.session().is_some() { machine } else { NOBODY };
                    let _unread = self.bank.answer(ways, from, request);
                }
            }
            Action::Receive(machine) => self.receive(machine),
            Action::WantCancel(machine) => {
                let client = &mut self.machines[machine];
                let Journal::Renew { key } = client.journal else { return false };
                let current = client.current;
                let replaced = self.replaced_by(key);
                let old = if current == key { replaced } else { Some(current) };
                let Some(old) = old else { return false };
                let client = &mut self.machines[machine];
                client.journal = Journal::Cancel { key, old, allowed: true };
                client.doing = Doing::START;
            }
            Action::WantStartOver(machine) => return client::advance(self, machine, true),
            Action::WantRollback(machine, old) => {
                let completed = (0..PAIRS).find(|key| {
                    self.bank.orders[*key].is_some_and(|row| {
                        row.replaces == Some(old) && row.order.status() == Status::Completed
                    })
                });
                let Some(key) = completed else { return false };
                let client = &mut self.machines[machine];
                client.journal = Journal::Rollback { key, old };
                client.doing = Doing::START;
            }
            Action::Sign(key) => self.bank.signed = Some(key),
            Action::Store(key) => {
                self.bank.signed = None;
                self.bank.issue(ways, key);
            }
            Action::IssueFails(key) => {
                self.excused |= self.bank.expired;
                self.bank.fail(ways, key);
            }
            Action::BankRestarts => self.bank.signed = None,
            Action::Abandon(key) => {
                if let Some(row) = &mut self.bank.orders[key] {
                    row.abandoned = true;
                }
            }
            Action::Expire => {
                self.promised = self.bank.open_order().is_some_and(|key| !self.lost.has(key));
                self.bank.expire();
            }
            Action::ClockAhead => self.bank.set_ahead(ways),
            Action::ClockRightAgain => {
                self.bank.clock = Clock::RightAgain;
                self.still_to_renew = !(1..PAIRS).any(|key| {
                    self.bank.orders[key].is_some_and(|row| row.order.status() == Status::Completed)
                });
            }
            Action::Revoke(pair) => {
                self.excused = true;
                self.bank.revoke(ways, pair);
            }
            Action::OpenReissue(revocation) => {
                self.excused |= self.bank.expired || revocation == Revocation::AtOnce;
                self.bank.open_reissue(ways, revocation);
            }
            Action::CancelReissue => self.bank.cancel_reissue(ways),
            Action::Enroll => {
                self.excused |= self.bank.expired;
                self.made += 1;
                self.bank.enroll(ways, self.made);
            }
            Action::ConfirmEnrollment(key) => {
                self.excused = true;
                // Whatever it is told, it keeps its key and may ask again.
                let _unread = self.bank.confirm(ways, key);
            }
            Action::LoseKey(machine, key) => self.lose_key(machine, key),
            Action::LoseJournal(machine) => {
                self.machines[machine].journal = Journal::Nothing;
                self.machines[machine].damaged = true;
            }
        }
        true
    }

    fn machine_actions(&self, machine: Machine, actions: &mut Vec<Action>) {
        let ways = self.rules.ways;
        let client = &self.machines[machine];
        match self.wire[machine] {
            Some(Exchange::Asked(_)) => actions.push(Action::Arrive(machine)),
            Some(Exchange::Answered(..)) => actions.push(Action::Receive(machine)),
            None => {}
        }
        if self.late[machine].is_some() {
            actions.push(Action::ArriveLate(machine));
        }
        if client.doing != Doing::START {
            actions.push(Action::Interrupt(machine));
        }
        let waits = matches!(client.doing, Doing::Awaiting { .. } | Doing::Resting);
        if !waits {
            actions.push(Action::Advance(machine));
        }
        match client.journal {
            Journal::Renew { key } => {
                if client.doing == Doing::START {
                    if ways.cancel {
                        actions.push(Action::WantCancel(machine));
                    }
                    if ways.first_use && client.current == key && client.certificates.has(key) {
                        actions.push(Action::LogOnInstead(machine));
                    }
                }
            }
            Journal::Nothing => {
                if ways.rollback && client.doing == Doing::START {
                    for old in 0..PAIRS {
                        let superseded =
                            self.bank.certificates[old] == Some(Certificate::Superseded);
                        if client.holds(old) && superseded {
                            actions.push(Action::WantRollback(machine, old));
                        }
                    }
                }
            }
            Journal::Cancel { .. } | Journal::Rollback { .. } => {}
        }
        if let Doing::InSession { with, order: Some(order) } = client.doing
            && ways.start_over
            && client.current == with
            && !client.keys.has(order)
            && matches!(client.journal, Journal::Renew { .. } | Journal::Nothing)
        {
            actions.push(Action::WantStartOver(machine));
        }
        if ways.losses && self.lost == Pairs::NONE {
            for key in (1..PAIRS).filter(|key| client.keys.has(*key)) {
                actions.push(Action::LoseKey(machine, key));
            }
            if client.journal != Journal::Nothing && !client.damaged {
                actions.push(Action::LoseJournal(machine));
            }
        }
    }

    fn bank_actions(&self, actions: &mut Vec<Action>) {
        let ways = self.rules.ways;
        let bank = &self.bank;
        if let Some(key) = bank.signed {
            actions.push(Action::Store(key));
            actions.push(Action::BankRestarts);
        }
        let open = bank.open_order();
        if let Some(key) = open
            && let Some(row) = bank.orders[key]
        {
            if row.order.status() == Status::Processing && bank.signed.is_none() {
                actions.push(Action::Sign(key));
                if ways.issue_fails {
                    actions.push(Action::IssueFails(key));
                }
            }
            if ways.abandon && !row.abandoned && row.replaces.is_some() {
                actions.push(Action::Abandon(key));
            }
            if row.replaces.is_none() && row.order.status() == Status::Valid {
                actions.push(Action::ConfirmEnrollment(key));
            }
        }
        if ways.expiry && !bank.expired {
            actions.push(Action::Expire);
        }
        match bank.clock {
            Clock::Right if ways.clock => actions.push(Action::ClockAhead),
            Clock::Ahead => actions.push(Action::ClockRightAgain),
            Clock::Right | Clock::RightAgain => {}
        }
        if ways.revoke && !self.excused {
            for pair in 0..PAIRS {
                if bank.certificates[pair].is_some_and(|state| state != Certificate::Revoked) {
                    actions.push(Action::Revoke(pair));
                }
            }
        }
        if bank.reissues < ways.reissues {
            actions.push(Action::OpenReissue(Revocation::AtOnce));
            actions.push(Action::OpenReissue(Revocation::AtConfirmation));
        }
        match bank.reissue {
            Some(Reissue::Pending(_)) => {
                actions.push(Action::CancelReissue);
                if self.made + 1 < PAIRS {
                    actions.push(Action::Enroll);
                }
            }
            Some(Reissue::Redeemed(_)) => actions.push(Action::CancelReissue),
            Some(Reissue::Completed | Reissue::Failed | Reissue::Canceled | Reissue::Voided)
            | None => {}
        }
    }

    /// Whether `machine`, left alone with the bank and told to start over, gets a certificate.
    pub(crate) fn completes_alone(&self, machine: Machine) -> bool {
        let mut world = self.clone();
        world.interrupt(machine);
        world.late = [None; 2];
        world.rules.keys = PAIRS - 1;
        let ways = world.rules.ways;
        for _ in 0..96 {
            if property::has_successor(&world, machine) {
                return true;
            }
            let open = world.bank.open_order();
            if let Some(key) = open
                && world.bank.orders[key]
                    .is_some_and(|row| row.order.status() == Status::Processing)
            {
                world.bank.signed = None;
                world.bank.issue(ways, key);
            }
            match world.wire[machine] {
                Some(Exchange::Asked(_)) => world.arrive(machine),
                Some(Exchange::Answered(..)) => world.receive(machine),
                None => {
                    let before = world.machines[machine];
                    if before.doing == Doing::Resting {
                        return false;
                    }
                    if !client::advance(&mut world, machine, true) {
                        return false;
                    }
                }
            }
        }
        false
    }
}

impl Model for Scenario {
    type State = World;
    type Action = Action;

    fn init_states(&self) -> Vec<World> {
        vec![World::new(Box::leak(Box::new(*self)))]
    }

    fn actions(&self, state: &World, actions: &mut Vec<Action>) {
        for machine in MACHINES {
            state.machine_actions(machine, actions);
        }
        state.bank_actions(actions);
    }

    fn next_state(&self, last: &World, action: Action) -> Option<World> {
        let mut next = last.clone();
        let stepped = next.apply(action);
        (stepped && next != *last).then_some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        property::all()
    }
}
