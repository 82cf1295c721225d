//! What a customer does once it has logged on, by dice.

use std::sync::Arc;

use koshin_protocol::base64url;
use koshin_protocol::cert_id::CertId;
use koshin_protocol::csr::Csr;
use koshin_protocol::jws::By;
use koshin_protocol::operation::Operation;
use koshin_protocol::sign::Signer;
use koshin_server::route::Route;
use serde_json::{Value, json};

use super::{Customer, Logon, NewKey};
use crate::holder::{Pair, new_key};
use crate::ledger::{Fact, Ledger};
use crate::line::{Answer, Killed, Line};

impl Customer {
    /// `false` ends the visit.
    pub(super) async fn step(
        &mut self,
        line: &mut Line,
        ledger: &Ledger,
        logon: &mut Logon,
    ) -> Result<bool, Killed> {
        let own = self.new.as_ref().is_some_and(|new| !new.done && new.order.is_some());
        if own {
            return self.attend(line, ledger, logon).await;
        }
        match self.dice.below(100) {
            0..12 => self.defer(line, ledger, logon).await,
            12..22 => self.log_off(line, ledger, logon).await,
            22..34 if self.alone => self.change_pin(line, ledger, logon).await,
            // Somebody else's order is open: mostly that is left to them.
            34..80 if !self.alone && logon.order.is_some() => Ok(false),
            _ => self.place(line, ledger, logon).await,
        }
    }

    pub(super) async fn by_session(
        &self,
        line: &mut Line,
        operation: Operation,
        session: &str,
        pair: usize,
        payload: &Value,
    ) -> Result<Answer, Killed> {
        let id = session.to_owned();
        let route = match operation {
            Operation::Read => Route::Session(id),
            Operation::Logoff => Route::Logoff(id),
            Operation::Defer => Route::Defer(id),
            Operation::NewOrder => Route::NewOrder,
            Operation::Pin => Route::Pin,
            Operation::Cancel => Route::Cancel(self.order()),
            Operation::Rollback => Route::Rollback(self.order()),
            other => unreachable!("{other:?} is not by a session here"),
        };
        let by = By::Session(line.address.urls.of(&Route::Session(session.to_owned())));
        let key = self.pair(pair).key;
        line.post(operation, &route, &by, payload, &key).await
    }

    /// The order that was placed last, which the bank acknowledged.
    fn order(&self) -> String {
        let order = self.new.as_ref().and_then(|new| new.order.clone());
        order.expect("it was placed")
    }

    async fn defer(
        &mut self,
        line: &mut Line,
        ledger: &Ledger,
        logon: &Logon,
    ) -> Result<bool, Killed> {
        let Logon { session, pair, .. } = logon;
        let answer = self.by_session(line, Operation::Defer, session, *pair, &json!({})).await?;
        match answer.token() {
            "ok" => ledger.add(Fact::Deferred { session: session.clone() }),
            // Its order that a kill left unanswered is open.
            "deferralRefused" if self.new.as_ref().is_some_and(|new| new.order.is_none()) => {}
            _ => {
                self.explained(&answer);
                return Ok(false);
            }
        }
        Ok(true)
    }

    async fn log_off(
        &mut self,
        line: &mut Line,
        ledger: &Ledger,
        logon: &Logon,
    ) -> Result<bool, Killed> {
        self.session = None;
        let Logon { session, pair, .. } = logon;
        let answer = self.by_session(line, Operation::Logoff, session, *pair, &json!({})).await?;
        match answer.token() {
            "ok" => ledger.add(Fact::LoggedOff { session: session.clone() }),
            _ => self.explained(&answer),
        }
        Ok(false)
    }

    async fn change_pin(
        &mut self,
        line: &mut Line,
        ledger: &Ledger,
        logon: &Logon,
    ) -> Result<bool, Killed> {
        let Some(old) = self.holder().pins[0].clone() else { return Ok(true) };
        let new = format!("{:08}", self.dice.below(100_000_000));
        // From now on nobody knows which, until the bank answers.
        self.holder().pins.insert(0, Some(new.clone()));
        let payload = json!({ "old": old, "new": new });
        let Logon { session, pair, .. } = logon;
        self.trying = true;
        let answer = self.by_session(line, Operation::Pin, session, *pair, &payload).await?;
        self.tried(&answer);
        assert_eq!(answer.token(), "ok", "{answer:?}");
        self.holder().pins = vec![Some(new)];
        ledger.add(Fact::PinChanged);
        Ok(true)
    }

    /// Orders with a new key, or with the last one again.
    async fn place(
        &mut self,
        line: &mut Line,
        ledger: &Ledger,
        logon: &mut Logon,
    ) -> Result<bool, Killed> {
        let again = self.dice.per_cent(10);
        let kept =
            self.new.take().filter(|new| new.predecessor == logon.pair && (again || !new.done));
        // Written down before it is sent.
        let new = kept.unwrap_or_else(|| NewKey {
            key: Arc::new(new_key()),
            predecessor: logon.pair,
            order: None,
            done: false,
        });
        let name = self.holder().name.clone();
        let payload = json!({
            "replaces": CertId::of(&self.pair(logon.pair).certificate).as_str(),
            "keyStore": "file",
            "csr": base64url::encode(&Csr::make(&name, &*new.key).expect("a CSR")),
        });
        self.new = Some(new);
        let Logon { session, pair, .. } = logon;
        let answer = self.by_session(line, Operation::NewOrder, session, *pair, &payload).await?;
        if answer.token() != "ok" {
            self.explained(&answer);
            return Ok(false);
        }
        self.learn(&answer.body, ledger);
        logon.order = Some(self.order());
        Ok(true)
    }

    /// Its own order is open, as far as it knows.
    async fn attend(
        &mut self,
        line: &mut Line,
        ledger: &Ledger,
        logon: &mut Logon,
    ) -> Result<bool, Killed> {
        let order = self.order();
        let issued = self.holder().of_order(&order);
        match (issued, self.dice.below(100)) {
            (Some(pair), 0..54) => self.confirm(line, ledger, pair).await,
            (_, 54..70) => self.cancel(line, ledger, logon).await,
            // Left as it is: the next logon may find it.
            (_, 70..78) => Ok(false),
            _ if self.new.as_ref().is_some_and(|new| new.predecessor == logon.pair) => {
                self.place(line, ledger, logon).await
            }
            _ => Ok(false),
        }
    }

    async fn cancel(
        &mut self,
        line: &mut Line,
        ledger: &Ledger,
        logon: &Logon,
    ) -> Result<bool, Killed> {
        let answer = self.end(line, Operation::Cancel, &logon.session, logon.pair).await?;
        match answer.token() {
            "ok" => self.learn(&answer.body, ledger),
            _ => self.explained(&answer),
        }
        Ok(answer.token() == "ok")
    }

    /// `cancel` or `rollback`.
    async fn end(
        &self,
        line: &mut Line,
        operation: Operation,
        session: &str,
        pair: usize,
    ) -> Result<Answer, Killed> {
        let key = self.new.as_ref().expect("it was placed").key.public_key().thumbprint();
        let payload = json!({ "key": key.to_string() });
        self.by_session(line, operation, session, pair, &payload).await
    }

    async fn confirm(
        &mut self,
        line: &mut Line,
        ledger: &Ledger,
        pair: usize,
    ) -> Result<bool, Killed> {
        self.session = None;
        let order = self.order();
        let last = self.dice.per_cent(20);
        let payload = if last { json!({ "final": true }) } else { json!({}) };
        let Pair { key, certificate, .. } = self.pair(pair);
        let by = By::Certificate(certificate.der().into());
        let route = Route::Confirm(order.clone());
        let answer = line.post(Operation::Confirm, &route, &by, &payload, &key).await?;
        if answer.token() != "ok" {
            self.explained(&answer);
            return Ok(false);
        }
        self.learn(&answer.body, ledger);
        if last {
            ledger.add(Fact::Final { order });
        } else if self.dice.per_cent(60) {
            self.roll_back(line, ledger).await?;
        }
        Ok(false)
    }

    async fn roll_back(&mut self, line: &mut Line, ledger: &Ledger) -> Result<(), Killed> {
        let old = self.new.as_ref().expect("it was placed").predecessor;
        // From now on either may be the current one.
        self.holder().pairs[old].dead = false;
        let pin = self.holder().pins[0].clone();
        let answer = self.ask_in(line, old, pin.as_deref(), "recovery").await?;
        if answer.token() != "ok" {
            self.explained(&answer);
            return Ok(());
        }
        let session = answer.id();
        ledger.add(Fact::LoggedOn { session: session.clone() });
        let answer = self.end(line, Operation::Rollback, &session, old).await?;
        match answer.token() {
            "ok" => self.learn(&answer.body, ledger),
            _ => self.explained(&answer),
        }
        Ok(())
    }
}
