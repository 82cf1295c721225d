//! A customer's machine: what it keeps over every kill, and what it does by dice.

mod step;

use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use koshin_protocol::base64url;
use koshin_protocol::certificate::Certificate;
use koshin_protocol::jws::By;
use koshin_protocol::operation::Operation;
use koshin_protocol::sign::{AwsLcKey, Signer};
use koshin_server::route::Route;
use koshin_server::id::SubjectId;
use rusqlite::Connection;
use serde_json::{Value, json};

use crate::bank::Bank;
use crate::dice::Dice;
use crate::holder::{Holder, Pair};
use crate::ledger::{Fact, Ledger};
use crate::line::{Address, Answer, Killed, Line, last};

/// What may be told to one of two machines because of what the other one did.
const SHARED: &[&str] = &[
    "sessionEnded",
    "orderExists",
    "orderCompleted",
    "orderCanceled",
    "orderRolledBack",
    "orderNotCompleted",
    "certificateSuperseded",
    "certificateRevoked",
    "rollbackEnded",
    "notSuperseded",
    "deferralRefused",
];

/// A key that was made, and written down, before anything was sent.
struct NewKey {
    key: Arc<AwsLcKey>,
    /// The pair that its order replaces.
    predecessor: usize,
    /// Its order, once the bank said so.
    order: Option<String>,
    /// The order has ended.
    done: bool,
}

/// A logon, and the order that was open then.
struct Logon {
    session: String,
    pair: usize,
    order: Option<String>,
}

pub struct Customer {
    number: usize,
    dice: Dice,
    holder: Arc<Mutex<Holder>>,
    /// No other machine has its certificate: every refusal is a fault.
    alone: bool,
    /// Of the last order.
    new: Option<NewKey>,
    /// The last logon, as long as nothing was sent that ends it.
    session: Option<(String, usize)>,
    /// A PIN was sent, and not answered.
    trying: bool,
}

impl Customer {
    /// Of six subjects, two have two machines.
    pub async fn several(bank: &Bank, dice: &mut Dice) -> Vec<Self> {
        let mut customers = Vec::new();
        for (index, holder) in Holder::several(bank, 6).await.into_iter().enumerate() {
            let holder = Arc::new(Mutex::new(holder));
            let machines = if index < 2 { 2 } else { 1 };
            for _ in 0..machines {
                customers.push(Self {
                    number: customers.len(),
                    dice: dice.further(),
                    holder: holder.clone(),
                    alone: machines == 1,
                    new: None,
                    session: None,
                    trying: false,
                });
            }
        }
        customers
    }

    pub fn name(&self) -> usize {
        self.number
    }

    /// Works until the bank is killed.
    pub async fn work(mut self, address: Address, ledger: Arc<Ledger>) -> Self {
        let Err(Killed) = self.go_on(address, &ledger).await;
        if std::mem::take(&mut self.trying) {
            self.holder().lost += 1;
        }
        self
    }

    async fn go_on(&mut self, address: Address, ledger: &Ledger) -> Result<Infallible, Killed> {
        let mut line = Line::connect(address).await?;
        self.look_back(&mut line, ledger).await?;
        loop {
            self.visit(&mut line, ledger).await?;
        }
    }

    /// Whoever is to be unlocked, lest PINs whose answers were lost lock it out. The bank counted no others.
    pub fn to_unlock(&self, sql: &Connection) -> Option<SubjectId> {
        let mut holder = self.holder();
        let query = "SELECT pin_attempts FROM subject WHERE id = ?1";
        let counted = sql.query_row(query, [holder.subject.as_bytes()], |row| row.get(0));
        let counted: u32 = counted.expect("a subject");
        // The other machine's answer may be told after this one's attempt was lost.
        let by_other = u32::from(!self.alone);
        assert!(counted <= holder.lost + by_other, "{counted} counted, {} lost", holder.lost);
        if holder.lost > 1 {
            holder.lost = 0;
            return Some(holder.subject);
        }
        None
    }

    fn tried(&mut self, answer: &Answer) {
        self.trying = false;
        let mut holder = self.holder();
        holder.lost = if answer.token() == "ok" { 0 } else { holder.lost + 1 };
    }

    fn holder(&self) -> MutexGuard<'_, Holder> {
        self.holder.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn pair(&self, pair: usize) -> Pair {
        self.holder().pairs[pair].clone()
    }

    /// The refusal is explained by the other machine, if there is one.
    #[track_caller]
    fn explained(&self, answer: &Answer) {
        assert!(!self.alone, "{} was refused: {answer:?}", self.number);
        assert!(SHARED.contains(&answer.token()), "{answer:?}");
    }

    /// The bank knows the session and the order that it acknowledged.
    async fn look_back(&mut self, line: &mut Line, ledger: &Ledger) -> Result<(), Killed> {
        if self.alone
            && let Some((session, pair)) = &self.session
        {
            let answer = self.by_session(line, Operation::Read, session, *pair, &Value::Null);
            let answer = answer.await?;
            assert_eq!(answer.token(), "ok", "{session} is an acknowledged session: {answer:?}");
        }
        let Some(NewKey { key, order, .. }) = &self.new else { return Ok(()) };
        let by = By::Key(Box::new(key.public_key().clone()));
        let find = (Operation::FindOrder, Route::FindOrder);
        let answer = line.post(find.0, &find.1, &by, &json!({}), key).await?;
        match answer.token() {
            "ok" => self.learn(&answer.body, ledger),
            "orderUnknown" => assert!(order.is_none(), "{order:?} was acknowledged"),
            _ => panic!("{answer:?}"),
        }
        Ok(())
    }

    /// A logon, and a few steps.
    async fn visit(&mut self, line: &mut Line, ledger: &Ledger) -> Result<(), Killed> {
        let Some(mut logon) = self.log_on(line, ledger).await? else {
            tokio::task::yield_now().await;
            return Ok(());
        };
        for _ in 0..=self.dice.below(7) {
            if !self.step(line, ledger, &mut logon).await? {
                return Ok(());
            }
        }
        Ok(())
    }

    /// By one of the pairs that may be the current one.
    async fn log_on(&mut self, line: &mut Line, ledger: &Ledger) -> Result<Option<Logon>, Killed> {
        let mut candidates = self.holder().candidates();
        // The newest one confirms by being used: mostly the old one is tried first.
        if self.dice.per_cent(75) {
            candidates.reverse();
        }
        let mut told = Vec::new();
        for pair in candidates {
            let pins = self.holder().pins.clone();
            for pin in pins {
                let answer = self.ask_in(line, pair, pin.as_deref(), "renewal").await?;
                match answer.token() {
                    "ok" => return Ok(Some(self.logged_on(&answer, pair, pin, ledger))),
                    "pinWrong" | "certificateSuperseded" | "certificateRevoked" => {}
                    _ => panic!("{} cannot log on: {answer:?}", self.number),
                }
                told.push((pair, answer.token().to_owned()));
            }
        }
        assert!(!self.alone, "no pair of {} is usable any more: {told:?}", self.number);
        Ok(None)
    }

    async fn ask_in(
        &mut self,
        line: &mut Line,
        pair: usize,
        pin: Option<&str>,
        purpose: &str,
    ) -> Result<Answer, Killed> {
        self.session = None;
        let mut payload = json!({
            "environment": {
                "os": "linux", "osVersion": "6.1", "software": "test", "softwareVersion": "1.0",
            },
            "purpose": purpose,
        });
        if let Some(pin) = pin {
            payload["pin"] = json!(pin);
        }
        let Pair { key, certificate, .. } = self.pair(pair);
        let by = By::Certificate(certificate.der().into());
        self.trying = true;
        let post = (Operation::NewSession, Route::NewSession);
        let answer = line.post(post.0, &post.1, &by, &payload, &key).await?;
        self.tried(&answer);
        Ok(answer)
    }

    fn logged_on(
        &mut self,
        answer: &Answer,
        pair: usize,
        pin: Option<String>,
        ledger: &Ledger,
    ) -> Logon {
        let session = answer.id();
        ledger.add(Fact::LoggedOn { session: session.clone() });
        // The first logon of a certificate confirms it.
        let order = self.pair(pair).order;
        if let Some(order) = &order {
            ledger.add(Fact::Completed { order: order.clone() });
        }
        let mut holder = self.holder();
        holder.pins = vec![pin];
        if self.alone {
            holder.bury_before(pair);
        }
        drop(holder);
        if let Some(new) = &mut self.new
            && order.is_some()
            && new.order == order
        {
            new.done = true;
        }
        self.session = Some((session.clone(), pair));
        let open = answer.body["order"].as_str().map(last);
        if self.alone {
            let own = self.new.as_ref().filter(|new| !new.done);
            if let Some(order) = own.and_then(|new| new.order.as_ref()) {
                assert_eq!(open.as_ref(), Some(order), "an open order is told at logon");
            } else {
                assert!(open.is_none() || own.is_some(), "an order that nobody placed: {open:?}");
            }
        }
        Logon { session, pair, order: open }
    }

    /// What the bank says of the order of the last key.
    fn learn(&mut self, body: &Value, ledger: &Ledger) {
        let text = |value: &Value| value.as_str().unwrap_or_else(|| panic!("{body}")).to_owned();
        let new = self.new.as_mut().expect("it was placed");
        let order = last(&text(&body["self"]));
        let known = new.order.get_or_insert_with(|| order.clone());
        assert_eq!(*known, order, "one key, one order");
        let key = text(&body["key"]);
        assert_eq!(key, new.key.public_key().thumbprint().to_string());
        ledger.add(Fact::Ordered { order: order.clone(), key });
        let status = text(&body["status"]);
        let (key, predecessor) = (new.key.clone(), new.predecessor);
        new.done = matches!(status.as_str(), "completed" | "canceled" | "rolledBack");
        if let Some(certificate) = body["chain"].get(0) {
            let der = base64url::decode_standard(&text(certificate)).expect("base64");
            let certificate = Certificate::from_der(&der).expect("a certificate");
            ledger.add(Fact::Issued { order: order.clone(), der });
            let pair = Pair { key, certificate, order: Some(order.clone()), dead: false };
            self.holder().learn(pair);
        }
        match status.as_str() {
            "processing" | "valid" => {}
            "completed" => ledger.add(Fact::Completed { order }),
            "canceled" => {
                self.holder().bury(&order);
                ledger.add(Fact::Canceled { order });
            }
            "rolledBack" => {
                let mut holder = self.holder();
                holder.bury(&order);
                holder.pairs[predecessor].dead = false;
                drop(holder);
                ledger.add(Fact::RolledBack { order });
            }
            _ => panic!("{body}"),
        }
    }
}
