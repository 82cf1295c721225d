//! Random sequences of everything that can happen, in any order: the invariants hold after each step,
//! and what an order answers is what its state machine says.

use koshin_protocol::certificate::Certificate;
use koshin_protocol::state::order::{Event, Finality, Offer, Order, Predecessor, Status};
use koshin_server::rule::command::{Actor, Revoke, Signed};
use koshin_server::id::{OrderId, ReissueId, SessionId};
use koshin_server::rule::row::{OrderRow, Origin, Purpose, Reason, Role};
use koshin_server::registry::Failure;
use koshin_server::rule::refused::Refused;
use koshin_server::store::Store;
use proptest::prelude::*;

use crate::bank::{Bank, DAY, Person, certificate_of, thumbprint};
use crate::{invariants, stored};

/// Something that happens; the numbers choose among what is there.
#[derive(Clone, Debug)]
enum Step {
    LogOn(usize),
    Recover(usize),
    LogOff(usize),
    Defer(usize),
    Place { session: usize, issue: bool },
    PlaceAgain { session: usize, order: usize },
    Issue(usize),
    IssueFails(usize),
    Cancel { session: usize, order: usize },
    Confirm { order: usize, last: bool },
    RollBack { session: usize, order: usize },
    Revoke { certificate: usize, successors: bool },
    Reissue { lost: bool },
    CancelReissue(usize),
    Enroll { reissue: usize, issue: bool },
    Wait(i64),
    WrongClock,
}

fn step() -> impl Strategy<Value = Step> {
    let one = || 0..8_usize;
    let two = || (0..8_usize, 0..8_usize);
    prop_oneof![
        5 => one().prop_map(Step::LogOn),
        2 => one().prop_map(Step::Recover),
        1 => one().prop_map(Step::LogOff),
        1 => one().prop_map(Step::Defer),
        5 => (one(), any::<bool>()).prop_map(|(session, issue)| Step::Place { session, issue }),
        1 => two().prop_map(|(session, order)| Step::PlaceAgain { session, order }),
        2 => one().prop_map(Step::Issue),
        1 => one().prop_map(Step::IssueFails),
        2 => two().prop_map(|(session, order)| Step::Cancel { session, order }),
        5 => (one(), prop::bool::weighted(0.2))
            .prop_map(|(order, last)| Step::Confirm { order, last }),
        3 => two().prop_map(|(session, order)| Step::RollBack { session, order }),
        1 => (one(), any::<bool>())
            .prop_map(|(certificate, successors)| Step::Revoke { certificate, successors }),
        1 => any::<bool>().prop_map(|lost| Step::Reissue { lost }),
        1 => one().prop_map(Step::CancelReissue),
        2 => (one(), any::<bool>()).prop_map(|(reissue, issue)| Step::Enroll { reissue, issue }),
        1 => prop_oneof![Just(1), Just(601), Just(DAY), Just(8 * DAY), Just(15 * DAY)]
            .prop_map(Step::Wait),
        1 => Just(Step::WrongClock),
    ]
}

/// What the clients of one subject have in their hands, newest first.
struct World {
    bank: Bank,
    person: Person,
    certificates: Vec<Certificate>,
    sessions: Vec<(SessionId, Certificate)>,
    orders: Vec<(OrderId, u64)>,
    reissues: Vec<ReissueId>,
}

fn pick<T>(list: &[T], n: usize) -> Option<&T> {
    (!list.is_empty()).then(|| &list[n % list.len()])
}

/// A refusal is an answer; a fault never is.
fn no_fault<T: std::fmt::Debug>(answer: Result<T, Failure>) -> Result<T, Box<Refused>> {
    match answer {
        Ok(answer) => Ok(answer),
        Err(Failure::Refused(refused)) => Err(refused),
        Err(Failure::Fault(fault)) => panic!("the store failed: {fault}"),
    }
}

impl World {
    async fn new() -> Self {
        let bank = Bank::new().await;
        let person = bank.person("Tanaka Hanako", Role::User).await;
        let certificates = vec![person.certificate.clone()];
        Self {
            bank,
            person,
            certificates,
            sessions: Vec::new(),
            orders: Vec::new(),
            reissues: Vec::new(),
        }
    }

    fn holder(&self, certificate: &Certificate) -> Person {
        Person { certificate: certificate.clone(), ..self.person.clone() }
    }

    fn learn(&mut self, order: &OrderRow, n: u64) {
        if !self.orders.iter().any(|(id, _)| *id == order.id) {
            self.orders.insert(0, (order.id, n));
        }
        if order.certificate.is_some() {
            let certificate = certificate_of(order);
            if !self.certificates.contains(&certificate) {
                self.certificates.insert(0, certificate);
            }
        }
    }

    async fn state(&self, order: OrderId) -> Order {
        self.bank.store.order(order).await.expect("read").expect("there").state
    }

    /// What came of an event must be what the machine says, unless the signer was refused before.
    async fn agrees(
        &self,
        order: OrderId,
        before: Order,
        event: Event,
        answer: &Result<OrderRow, Box<Refused>>,
    ) {
        match (answer, before.step(event)) {
            (Ok(row), Ok(stepped)) => assert_eq!(row.state.status(), stepped.state.status()),
            (Err(refused), expected) => {
                if let (Refused::Order(refused), Err(expected)) = (&**refused, expected) {
                    assert_eq!(refused.token, expected.token);
                }
                assert_eq!(self.state(order).await, before, "a refusal changes nothing");
            }
            (Ok(row), Err(expected)) => panic!("{row:?} despite {expected:?}"),
        }
    }

    async fn run(&mut self, step: Step) {
        let now = self.bank.now();
        match step {
            Step::LogOn(n) => self.log_on(n, Purpose::Renewal).await,
            Step::Recover(n) => self.log_on(n, Purpose::Recovery).await,
            Step::LogOff(n) => {
                let Some(&(session, _)) = pick(&self.sessions, n) else { return };
                drop(no_fault(self.bank.store.log_off(session, now).await));
            }
            Step::Defer(n) => {
                let Some(&(session, _)) = pick(&self.sessions, n) else { return };
                drop(no_fault(self.bank.store.defer(session, now).await));
            }
            Step::Place { .. } | Step::PlaceAgain { .. } | Step::Issue(_) | Step::IssueFails(_) => {
                self.place_and_issue(step).await;
            }
            Step::Cancel { .. } | Step::Confirm { .. } | Step::RollBack { .. } => {
                self.end_order(step).await;
            }
            Step::Revoke { .. }
            | Step::Reissue { .. }
            | Step::CancelReissue(_)
            | Step::Enroll { .. } => self.revoke_and_reissue(step).await,
            Step::Wait(seconds) => self.bank.wait(seconds),
            Step::WrongClock => self.wrong_clock().await,
        }
    }

    /// The clock stands so far ahead that everything is over; then it is right again.
    async fn wrong_clock(&self) {
        let before = stored::rows(&self.bank.sql());
        let ahead = 100 * 365 * DAY;
        self.bank.wait(ahead);
        for certificate in &self.certificates {
            for purpose in [Purpose::Renewal, Purpose::Recovery] {
                no_fault(self.bank.log_on_for(certificate, purpose).await).expect_err("expired");
            }
        }
        for (order, n) in &self.orders {
            for (session, _) in &self.sessions {
                no_fault(self.bank.cancel(*session, *order, *n).await).expect_err("over");
                no_fault(self.bank.roll_back(*session, *order, *n).await).expect_err("over");
            }
        }
        for reissue in &self.reissues {
            let enroll = self.bank.enrollment(&self.person, *reissue, self.bank.new_key());
            no_fault(self.bank.store.enroll(enroll, self.bank.now()).await).expect_err("over");
        }
        self.bank.wait(-ahead);
        assert_eq!(
            stored::rows(&self.bank.sql()),
            before,
            "a clock that was wrong changed something"
        );
    }

    async fn place_and_issue(&mut self, step: Step) {
        let now = self.bank.now();
        match step {
            Step::Place { session, issue } => {
                let Some((session, certificate)) = pick(&self.sessions, session) else { return };
                let (n, holder) = (self.bank.new_key(), self.holder(certificate));
                let place = self.bank.order(&holder, *session, n, issue);
                let answer = no_fault(self.bank.store.place_order(place, now).await);
                if let Ok(placed) = answer {
                    assert!(placed.created);
                    self.learn(&placed.order, n);
                }
            }
            Step::PlaceAgain { session, order } => {
                let Some((session, certificate)) = pick(&self.sessions, session) else { return };
                let Some(&(order, n)) = pick(&self.orders, order) else { return };
                let place = self.bank.order(&self.holder(certificate), *session, n, true);
                if let Ok(placed) = no_fault(self.bank.store.place_order(place, now).await) {
                    assert!(!placed.created, "one key, one order, ever");
                    assert_eq!(placed.order.id, order);
                }
            }
            Step::Issue(order) => {
                let Some(&(order, n)) = pick(&self.orders, order) else { return };
                let certificate = self.bank.successor(&self.person, n);
                let before = self.state(order).await;
                let signed = Signed { certificate: certificate.clone() };
                let delivery = self.bank.store.issued(order, signed, now).await;
                no_fault(delivery).expect("a delivery is never refused");
                let row = self.bank.store.order(order).await.expect("read").expect("there");
                let awaited = before.status() == Status::Processing;
                assert!(row.certificate.is_some() || !awaited, "what was awaited is stored");
                self.learn(&row, n);
            }
            Step::IssueFails(order) => {
                let Some(&(order, _)) = pick(&self.orders, order) else { return };
                let before = self.state(order).await;
                let answer = self.bank.store.issue_failed(order, "no".to_owned(), now).await;
                self.agrees(order, before, Event::IssueFailed, &no_fault(answer)).await;
            }
            _ => unreachable!("not one of these steps"),
        }
    }

    async fn end_order(&mut self, step: Step) {
        let now = self.bank.now();
        match step {
            Step::Cancel { session, order } => {
                let Some(&(session, _)) = pick(&self.sessions, session) else { return };
                let Some(&(order, n)) = pick(&self.orders, order) else { return };
                let row = self.bank.store.order(order).await.expect("read").expect("there");
                let before = row.state;
                let predecessor = Predecessor::at(
                    now,
                    match row.origin {
                        Origin::Renewal { not_after, .. } => Some(not_after),
                        Origin::Enrollment { .. } => None,
                    },
                );
                let answer = no_fault(self.bank.cancel(session, order, n).await);
                self.agrees(order, before, Event::Cancel { predecessor }, &answer).await;
            }
            Step::Confirm { order, last } => {
                let Some(&(order, n)) = pick(&self.orders, order) else { return };
                let own = |c: &&Certificate| c.key().thumbprint() == thumbprint(n);
                let Some(certificate) = self.certificates.iter().find(own) else { return };
                let before = self.state(order).await;
                let mut confirm = Bank::confirm_of(order, certificate);
                confirm.finality = if last { Finality::Final } else { Finality::Revertible };
                let offer = Offer::Until(now);
                let event = Event::Confirm { finality: confirm.finality, offer };
                let answer = no_fault(self.bank.store.confirm_order(confirm, now).await);
                self.agrees(order, before, event, &answer).await;
            }
            Step::RollBack { session, order } => {
                let Some(&(session, _)) = pick(&self.sessions, session) else { return };
                let Some(&(order, n)) = pick(&self.orders, order) else { return };
                let before = self.state(order).await;
                let answer = no_fault(self.bank.roll_back(session, order, n).await);
                self.agrees(order, before, Event::Rollback { now }, &answer).await;
            }
            _ => unreachable!("not one of these steps"),
        }
    }

    async fn revoke_and_reissue(&mut self, step: Step) {
        let now = self.bank.now();
        match step {
            Step::Revoke { certificate, successors } => {
                let Some(certificate) = pick(&self.certificates, certificate) else { return };
                let revoke = Revoke {
                    certificate: koshin_protocol::cert_id::CertId::of(certificate),
                    reason: Reason::Unspecified,
                    include_successors: successors,
                };
                let answer = self.bank.store.revoke(revoke, Actor::Bank, now).await;
                no_fault(answer).expect("the bank may revoke");
            }
            Step::Reissue { lost } => {
                let reason = if lost { Reason::DeviceLost } else { Reason::KeyLost };
                let reissue = self.bank.reissue(&self.person, reason).await;
                self.reissues.insert(0, reissue.id);
            }
            Step::CancelReissue(reissue) => {
                let Some(&reissue) = pick(&self.reissues, reissue) else { return };
                let answer = self.bank.store.cancel_reissue(reissue, Actor::Bank, now).await;
                drop(no_fault(answer));
            }
            Step::Enroll { reissue, issue } => {
                let Some(&reissue) = pick(&self.reissues, reissue) else { return };
                let n = self.bank.new_key();
                let mut enroll = self.bank.enrollment(&self.person, reissue, n);
                enroll.issued = enroll.issued.filter(|_| issue);
                if let Ok(placed) = no_fault(self.bank.store.enroll(enroll, now).await) {
                    assert!(placed.created);
                    self.learn(&placed.order, n);
                }
            }
            _ => unreachable!("not one of these steps"),
        }
    }

    async fn log_on(&mut self, n: usize, purpose: Purpose) {
        let Some(certificate) = pick(&self.certificates, n).cloned() else { return };
        if let Ok(on) = no_fault(self.bank.log_on_for(&certificate, purpose).await) {
            self.sessions.insert(0, (on.session.id, certificate));
        }
    }

    async fn statuses(&self) -> Vec<(OrderId, Status)> {
        let mut statuses = Vec::new();
        for (order, _) in &self.orders {
            statuses.push((*order, self.state(*order).await.status()));
        }
        statuses
    }
}

/// What may follow a status without a step that was seen in between.
fn may_follow(before: Status, after: Status) -> bool {
    match before {
        Status::Processing => {
            matches!(after, Status::Valid | Status::Canceled | Status::Invalid | Status::Processing)
        }
        Status::Valid => {
            matches!(after, Status::Valid | Status::Completed | Status::Canceled | Status::Invalid)
        }
        Status::Completed => matches!(after, Status::Completed | Status::RolledBack),
        Status::Canceled | Status::Invalid | Status::RolledBack => before == after,
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 48,
        max_shrink_iters: 400,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    // [AUD-01] [DUR-03]
    #[test]
    fn the_invariants_hold_after_every_step(steps in prop::collection::vec(step(), 1..60)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(async {
            let mut world = World::new().await;
            for step in steps {
                let before = world.statuses().await;
                world.run(step).await;
                invariants::check(&world.bank.sql(), &*world.bank.sqlite);
                for (order, status) in before {
                    let after = world.state(order).await.status();
                    assert!(may_follow(status, after), "{status} -> {after}");
                }
            }
        });
    }
}
