//! A machine of the customer: what is on its disk, what is in its memory, and what it does next
//! (DESIGN.md 5 and 6). One call is one durable write, or one request, or one answer taken in, so
//! that an interruption fits between any two of them.

use koshin_protocol::problem::Token;
use koshin_protocol::state::order::Status;

use crate::bank::{Answer, FIRST, Machine, Pair, Request};
use crate::mistake::Mistake;
use crate::world::World;

/// One machine. `doing` is in its memory, the rest on its disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Client {
    /// The keys it holds.
    pub(crate) keys: Pairs,
    /// The certificates it has stored.
    pub(crate) certificates: Pairs,
    /// The pair that programs on this machine use.
    pub(crate) current: Pair,
    pub(crate) journal: Journal,
    pub(crate) doing: Doing,
    /// Noted: a key of it was lost, not by its own doing.
    pub(crate) damaged: bool,
}

/// A set of pairs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Pairs(u8);

impl Pairs {
    pub(crate) const NONE: Self = Self(0);

    pub(crate) fn with(self, pair: Pair) -> Self {
        Self(self.0 | 1 << pair)
    }

    pub(crate) fn without(self, pair: Pair) -> Self {
        Self(self.0 & !(1 << pair))
    }

    pub(crate) fn has(self, pair: Pair) -> bool {
        self.0 & 1 << pair != 0
    }

    /// The newest first.
    fn newest(self) -> impl Iterator<Item = Pair> {
        (0..8).rev().filter(move |pair| self.has(*pair))
    }
}

/// What was begun, written down before the request that depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Journal {
    Nothing,
    Renew { key: Pair },
    Cancel { key: Pair, old: Pair, allowed: bool },
    Rollback { key: Pair, old: Pair },
}

/// What a machine knows until it is interrupted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Doing {
    /// About to act on what the disk says; these pairs were tried without success.
    Starting { tried: Pairs },
    /// A request is out.
    Awaiting { tried: Pairs },
    /// In a session, told which order is open.
    InSession { with: Pair, order: Option<Pair> },
    /// In a session, with a new key on the disk that the journal does not know yet.
    WithNewKey { with: Pair, key: Pair },
    /// In a session for a rollback.
    Recovering { with: Pair },
    /// Nothing to do, or nothing that can be done, until it is started again.
    Resting,
}

impl Doing {
    pub(crate) const START: Self = Self::Starting { tried: Pairs::NONE };
}

impl Client {
    pub(crate) fn new() -> Self {
        Self {
            keys: Pairs::NONE.with(FIRST),
            certificates: Pairs::NONE.with(FIRST),
            current: FIRST,
            journal: Journal::Nothing,
            doing: Doing::START,
            damaged: false,
        }
    }

    pub(crate) fn holds(&self, pair: Pair) -> bool {
        self.keys.has(pair) && self.certificates.has(pair)
    }

    fn start_again(&mut self, tried: Pairs) {
        self.doing = Doing::Starting { tried };
    }

    /// A journaled cancel or rollback that cannot be had any more: go on with the order.
    fn go_forward(&mut self, key: Pair) {
        self.journal = if self.keys.has(key) { Journal::Renew { key } } else { Journal::Nothing };
    }
}

/// The machine's next step; `false` if it has none. `told` is the user's `--start-over`.
pub(crate) fn advance(world: &mut World, machine: Machine, told: bool) -> bool {
    let client = world.machines[machine];
    match client.doing {
        Doing::Starting { tried } => start(world, machine, tried),
        Doing::InSession { with, order } => in_session(world, machine, with, order, told),
        Doing::WithNewKey { with, key } => {
            let client = &mut world.machines[machine];
            client.journal = Journal::Renew { key };
            client.doing = Doing::InSession { with, order: None };
            true
        }
        Doing::Recovering { with } => match client.journal {
            Journal::Rollback { key, old } if old == with => {
                world.send(machine, Request::Rollback { session: with, key }, Pairs::NONE)
            }
            _ => {
                world.machines[machine].start_again(Pairs::NONE);
                true
            }
        },
        Doing::Awaiting { .. } | Doing::Resting => false,
    }
}

fn start(world: &mut World, machine: Machine, tried: Pairs) -> bool {
    let client = &mut world.machines[machine];
    match client.journal {
        Journal::Cancel { key, old, .. } => {
            if !client.holds(old) {
                client.go_forward(key);
                true
            } else if client.current == key {
                // Until it is canceled the bank takes the old pair, and after it too.
                client.current = old;
                true
            } else {
                world.send(machine, Request::Logon { with: old }, tried)
            }
        }
        Journal::Rollback { old, .. } => {
            if client.holds(old) {
                world.send(machine, Request::RecoveryLogon { with: old }, tried)
            } else {
                client.journal = Journal::Nothing;
                true
            }
        }
        Journal::Renew { key } if !client.keys.has(key) => {
            client.journal = Journal::Nothing;
            true
        }
        Journal::Renew { key } if client.certificates.has(key) => {
            if client.current == key {
                world.send(machine, Request::Confirm { key }, tried)
            } else {
                client.current = key;
                true
            }
        }
        Journal::Renew { .. } | Journal::Nothing => try_next(world, machine, tried),
    }
}

/// Logs on with the current pair, then with the others, then looks for the orders of the keys that
/// have no certificate.
fn try_next(world: &mut World, machine: Machine, tried: Pairs) -> bool {
    let client = world.machines[machine];
    let untried = |pair: &Pair| !tried.has(*pair);
    let whole = std::iter::once(client.current)
        .chain(client.keys.newest())
        .filter(untried)
        .find(|pair| client.holds(*pair));
    if let Some(with) = whole {
        return world.send(machine, Request::Logon { with }, tried);
    }
    let bare = client.keys.newest().filter(untried).find(|pair| !client.holds(*pair));
    if let Some(key) = bare
        && world.ways().mistake != Some(Mistake::NoFindOrder)
    {
        return world.send(machine, Request::FindOrder { key }, tried);
    }
    world.machines[machine].doing = Doing::Resting;
    true
}

fn in_session(
    world: &mut World,
    machine: Machine,
    with: Pair,
    order: Option<Pair>,
    told: bool,
) -> bool {
    let client = &mut world.machines[machine];
    if client.current != with {
        client.current = with;
        return true;
    }
    match (client.journal, order) {
        (Journal::Cancel { key, allowed, .. }, _) => {
            world.send(machine, Request::Cancel { session: with, key, allowed }, Pairs::NONE)
        }
        (Journal::Rollback { .. }, _) => {
            client.start_again(Pairs::NONE);
            true
        }
        (Journal::Renew { key }, _) if key == with => {
            // This logon confirmed it, or another one had.
            client.journal = Journal::Nothing;
            true
        }
        (Journal::Renew { .. } | Journal::Nothing, Some(open)) if client.keys.has(open) => {
            if client.journal == (Journal::Renew { key: open }) {
                world.send(machine, Request::Read { session: with, key: open }, Pairs::NONE)
            } else {
                client.journal = Journal::Renew { key: open };
                true
            }
        }
        (Journal::Renew { .. } | Journal::Nothing, Some(foreign)) => {
            meet_foreign_order(world, machine, with, foreign, told)
        }
        (Journal::Renew { key }, None) => {
            world.send(machine, Request::NewOrder { session: with, key }, Pairs::NONE)
        }
        (Journal::Nothing, None) => {
            let key = world.new_key(with);
            let client = &mut world.machines[machine];
            client.doing = key.map_or(Doing::Resting, |key| {
                client.keys = client.keys.with(key);
                Doing::WithNewKey { with, key }
            });
            true
        }
    }
}

fn meet_foreign_order(
    world: &mut World,
    machine: Machine,
    with: Pair,
    foreign: Pair,
    told: bool,
) -> bool {
    let row = world.bank.orders[foreign];
    let abandoned = row.is_some_and(|row| row.abandoned);
    let renewal = row.is_some_and(|row| row.replaces.is_some());
    let unasked = world.ways().mistake == Some(Mistake::CancelForeign);
    let allowed = told || abandoned;
    let client = &mut world.machines[machine];
    if renewal && (allowed || unasked) {
        client.journal = Journal::Cancel { key: foreign, old: with, allowed };
    } else {
        client.doing = Doing::Resting;
    }
    true
}

/// The machine takes in the answer to the request that it waits for.
pub(crate) fn receive(world: &mut World, machine: Machine, request: Request, answer: Answer) {
    let Doing::Awaiting { tried } = world.machines[machine].doing else { return };
    match answer {
        Answer::Session { order } => {
            world.machines[machine].doing = match request {
                Request::RecoveryLogon { with } => Doing::Recovering { with },
                Request::Logon { with } => Doing::InSession { with, order },
                _ => Doing::START,
            };
        }
        Answer::Order { status } => take_order(world, machine, request, status, tried),
        Answer::Refused { token, successor } => {
            take_refusal(world, machine, request, token, successor, tried);
        }
    }
}

fn take_order(world: &mut World, machine: Machine, request: Request, status: Status, tried: Pairs) {
    let forgets_old = world.ways().mistake == Some(Mistake::DeleteOldPair);
    match request {
        Request::Read { key, .. } | Request::NewOrder { key, .. } | Request::FindOrder { key } => {
            match status {
                Status::Processing => world.machines[machine].start_again(Pairs::NONE),
                Status::Valid | Status::Completed => {
                    let client = &mut world.machines[machine];
                    client.certificates = client.certificates.with(key);
                    client.journal = Journal::Renew { key };
                    client.start_again(Pairs::NONE);
                }
                Status::Canceled | Status::Invalid | Status::RolledBack => {
                    leave(world, machine, key, tried);
                }
            }
        }
        Request::Confirm { key } => {
            let replaced = world.replaced_by(key);
            let client = &mut world.machines[machine];
            client.journal = Journal::Nothing;
            client.doing = Doing::Resting;
            if forgets_old && let Some(old) = replaced {
                client.keys = client.keys.without(old);
                client.certificates = client.certificates.without(old);
            }
        }
        Request::Cancel { .. } => {
            let client = &mut world.machines[machine];
            client.journal = Journal::Nothing;
            client.start_again(Pairs::NONE);
        }
        Request::Rollback { session, .. } => {
            let client = &mut world.machines[machine];
            client.current = session;
            client.journal = Journal::Nothing;
            client.doing = Doing::Resting;
        }
        Request::Logon { .. } | Request::RecoveryLogon { .. } => {
            world.machines[machine].start_again(Pairs::NONE);
        }
    }
}

/// The order of `key` came to nothing: the pair before it is the one to use. Its key stays.
fn leave(world: &mut World, machine: Machine, key: Pair, tried: Pairs) {
    let replaced = world.replaced_by(key);
    let client = &mut world.machines[machine];
    if client.current == key
        && let Some(old) = replaced
    {
        client.current = old;
    }
    if client.journal == (Journal::Renew { key }) {
        client.journal = Journal::Nothing;
    }
    client.start_again(tried.with(key));
}

fn take_refusal(
    world: &mut World,
    machine: Machine,
    request: Request,
    token: Token,
    successor: Option<Pair>,
    tried: Pairs,
) {
    let client = &mut world.machines[machine];
    match request {
        Request::Logon { with } => {
            if let Journal::Cancel { key, .. } = client.journal {
                client.go_forward(key);
                client.start_again(Pairs::NONE);
                return;
            }
            if let Some(successor) = successor
                && client.holds(successor)
            {
                client.current = successor;
            }
            client.start_again(tried.with(with));
        }
        Request::RecoveryLogon { with } => {
            if token == Token::NotSuperseded {
                client.current = with;
            }
            client.journal = Journal::Nothing;
            client.start_again(Pairs::NONE);
        }
        Request::FindOrder { key } => client.start_again(tried.with(key)),
        // Log on again before deciding anything.
        Request::Read { .. } | Request::NewOrder { .. } => client.start_again(Pairs::NONE),
        Request::Cancel { key, .. } => {
            match token {
                Token::SessionEnded => {}
                Token::OrderCompleted | Token::PredecessorExpired | Token::CertificateExpired => {
                    client.go_forward(key);
                }
                _ => client.journal = Journal::Nothing,
            }
            client.start_again(Pairs::NONE);
        }
        Request::Confirm { key } => leave(world, machine, key, tried),
        Request::Rollback { .. } => {
            if token != Token::SessionEnded {
                client.journal = Journal::Nothing;
            }
            client.start_again(Pairs::NONE);
        }
    }
}
