//! A transition: events are given to the state machines of the protocol crate, the new states are
//! written, the effects that the machines ask for are carried out, and the audit says all of it.

use std::collections::BTreeMap;
use std::fmt::Display;

use koshin_protocol::cert_id::CertId;
use koshin_protocol::jwk::Thumbprint;
use koshin_protocol::state::certificate::{self, Certificate as CertificateState};
use koshin_protocol::state::order::{self, Order};
use koshin_protocol::state::reissue::{self, Reissue};
use koshin_protocol::state::session;
use koshin_protocol::time::Time;
use rusqlite::{Connection, Row, params};

use super::column::{
    OrderColumns, Sql, Text, all, execute, one, order_state, reissue_state, reissue_text,
};
use super::revocation::Cause;
use super::{reissue as reissues, signer};
use crate::audit::{Chain, Entry, Hash, Principal};
use crate::store::id::{ContractId, OrderId, ReissueId, SessionId, SubjectId};
use crate::store::row::Reason;
use crate::store::{Failure, OrderRefused, Refused, StoreError};

/// One transition on its way.
pub(super) struct Transition<'c> {
    pub(super) connection: &'c Connection,
    pub(super) now: Time,
    event: &'static str,
    by: Principal,
    entries: BTreeMap<Chain, Entry>,
}

/// What an order's events need of its row.
pub(super) struct OrderLine {
    pub(super) id: OrderId,
    pub(super) subject: SubjectId,
    pub(super) contract: ContractId,
    pub(super) replaces: Option<i64>,
    pub(super) replaces_not_after: Option<Time>,
    pub(super) reissue: Option<ReissueId>,
    pub(super) key: Thumbprint,
    pub(super) state: Order,
    /// The row of the order's certificate.
    pub(super) certificate: Option<i64>,
}

/// What a certificate's events need of its row.
pub(super) struct CertificateLine {
    pub(super) row: i64,
    pub(super) cert_id: CertId,
    pub(super) contract: ContractId,
    pub(super) from_order: Option<OrderId>,
    pub(super) not_after: Time,
    pub(super) expiry_told: bool,
    pub(super) state: CertificateState,
}

/// What a reissue's events need of its row.
pub(super) struct ReissueLine {
    pub(super) id: ReissueId,
    pub(super) subject: SubjectId,
    pub(super) contract: ContractId,
    pub(super) reason: Reason,
    pub(super) state: Reissue,
    pub(super) order: Option<OrderId>,
}

/// Runs a transition and appends its audit records.
pub(super) fn run<T>(
    connection: &Connection,
    now: Time,
    event: &'static str,
    by: Principal,
    transition: impl FnOnce(&mut Transition<'_>) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let mut running = Transition { connection, now, event, by, entries: BTreeMap::new() };
    let answer = transition(&mut running)?;
    for (chain, entry) in running.entries {
        append(connection, chain, &entry, now)?;
    }
    Ok(answer)
}

const NEWEST: &str =
    "SELECT sequence, hash FROM audit WHERE chain = ?1 ORDER BY sequence DESC LIMIT 1";
const APPEND: &str = "INSERT INTO audit (chain, sequence, record, hash) VALUES (?1, ?2, ?3, ?4)";

fn append(
    connection: &Connection,
    chain: Chain,
    entry: &Entry,
    now: Time,
) -> Result<(), StoreError> {
    let newest = one(connection, NEWEST, [chain], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let (sequence, previous): (i64, Hash) = newest.unwrap_or((0, Hash::NONE));
    let sequence = sequence + 1;
    let record = entry.record(chain, sequence.unsigned_abs(), previous, now);
    let hash = Hash::of(&record);
    execute(connection, APPEND, params![chain, sequence, record, hash])?;
    Ok(())
}

impl Transition<'_> {
    /// The audit entry of a chain; it is appended because this was called.
    pub(super) fn entry(&mut self, chain: Chain) -> &mut Entry {
        let (event, by) = (self.event, &self.by);
        self.entries.entry(chain).or_insert_with(|| Entry::new(event, by.clone()))
    }

    /// Says that an object has a new state.
    pub(super) fn changed(
        &mut self,
        contract: ContractId,
        object: &'static str,
        id: &impl Display,
        state: &'static str,
    ) {
        self.entry(Chain::Contract(contract)).change(object, id, state);
    }
}

const ORDER: &str = "
    SELECT o.id, o.subject, s.contract, o.replaces, p.not_after, o.reissue, o.key,
           o.state AS order_state, o.predecessor_expired, o.rollback, o.rollback_until, o.cause,
           c.id AS certificate
    FROM orders AS o
    JOIN subject AS s ON s.id = o.subject
    LEFT JOIN certificate AS p ON p.id = o.replaces
    LEFT JOIN certificate AS c ON c.from_order = o.id
    WHERE o.id = ?1";
const SET_ORDER: &str = "
    UPDATE orders SET state = ?2, predecessor_expired = ?3, rollback = ?4, rollback_until = ?5,
                      cause = ?6,
                      entered = CASE state WHEN ?2 THEN entered ELSE ?7 END
    WHERE id = ?1";

/// Orders.
impl Transition<'_> {
    /// The order, if there is one.
    pub(super) fn find_order(&self, id: OrderId) -> Result<Option<OrderLine>, StoreError> {
        one(self.connection, ORDER, [id], |row| {
            Ok(OrderLine {
                id: row.get("id")?,
                subject: row.get("subject")?,
                contract: row.get("contract")?,
                replaces: row.get("replaces")?,
                replaces_not_after: row.get::<_, Option<Sql<Time>>>("not_after")?.map(|at| at.0),
                reissue: row.get("reissue")?,
                key: row.get::<_, Sql<Thumbprint>>("key")?.0,
                state: order_state(row)?,
                certificate: row.get("certificate")?,
            })
        })
    }

    /// An order that must be there.
    pub(super) fn order(&self, id: OrderId) -> Result<OrderLine, StoreError> {
        self.find_order(id)?.ok_or_else(|| StoreError::Corrupt(format!("order {id} is missing")))
    }

    /// Gives the order an event, its predecessor's end of validity first if that has come.
    pub(super) fn order_event(
        &mut self,
        id: OrderId,
        event: order::Event,
    ) -> Result<Order, Failure> {
        let line = self.order(id)?;
        self.event_of(&line, event)
    }

    /// The same, of an order that was read and not changed since.
    pub(super) fn event_of(
        &mut self,
        line: &OrderLine,
        event: order::Event,
    ) -> Result<Order, Failure> {
        let over = line.replaces_not_after.is_some_and(|end| self.now > end);
        match line.replaces {
            Some(predecessor) if over => {
                self.settle(predecessor)?;
                self.step_order(line.id, event)
            }
            Some(_) | None => self.step_line(line, event),
        }
    }

    fn step_order(&mut self, id: OrderId, event: order::Event) -> Result<Order, Failure> {
        let line = self.order(id)?;
        self.step_line(&line, event)
    }

    fn step_line(&mut self, line: &OrderLine, event: order::Event) -> Result<Order, Failure> {
        match line.state.step(event) {
            Ok(stepped) => {
                if stepped.state != line.state {
                    let columns = OrderColumns::of(&stepped.state);
                    execute(
                        self.connection,
                        SET_ORDER,
                        params![
                            line.id,
                            columns.state,
                            columns.predecessor_expired,
                            columns.rollback,
                            columns.rollback_until,
                            columns.cause,
                            Sql(self.now)
                        ],
                    )?;
                    self.changed(line.contract, "order", &line.id, columns.state);
                }
                for effect in stepped.effects {
                    self.order_effect(line, *effect)?;
                }
                Ok(stepped.state)
            }
            Err(refused) => Err(self.order_refused(line, refused.token)?),
        }
    }

    /// Carries out what an order asks for.
    pub(super) fn order_effect(
        &mut self,
        line: &OrderLine,
        effect: order::Effect,
    ) -> Result<(), Failure> {
        use order::Effect;
        match effect {
            Effect::TellPredecessorsOrder => {
                let predecessor = self.certificate(predecessor(line)?)?;
                if let Some(own) = predecessor.from_order {
                    self.order_event(own, order::Event::SuccessorOrdered)?;
                }
            }
            Effect::EndSessionsOfPredecessor => {
                let certificate = predecessor(line)?;
                self.end_sessions_of(line.contract, certificate, session::Reason::OrderCompleted)?;
            }
            Effect::SupersedePredecessor => {
                self.certificate_event(
                    predecessor(line)?,
                    certificate::Event::Superseded,
                    Cause::OrderEnded,
                )?;
            }
            Effect::ConfirmSuccessor => {
                let successor = successor(line)?;
                self.settle(successor)?;
                self.certificate_event(
                    successor,
                    certificate::Event::Confirmed,
                    Cause::OrderEnded,
                )?;
            }
            Effect::EndSessionsOfSuccessor => {
                let certificate = successor(line)?;
                self.end_sessions_of(line.contract, certificate, session::Reason::RolledBack)?;
            }
            Effect::RevokeSuccessor => {
                self.certificate_event(
                    successor(line)?,
                    certificate::Event::Revoked,
                    Cause::OrderEnded,
                )?;
            }
            Effect::RestorePredecessor => {
                self.certificate_event(
                    predecessor(line)?,
                    certificate::Event::Restored,
                    Cause::OrderEnded,
                )?;
            }
            Effect::CompleteReissue => {
                self.reissue_event(origin(line)?, reissue::Event::OrderCompleted)?;
            }
            Effect::FailReissue => {
                self.reissue_event(origin(line)?, reissue::Event::OrderInvalid)?;
            }
            // Whoever hands in the certificate does it: only there the certificate is at hand.
            Effect::RevokeLateCertificate | Effect::DiscardSecondCertificate => {}
        }
        Ok(())
    }

    /// The refusal of an order's machine, with the certificates to go on with.
    pub(super) fn order_refused(
        &self,
        line: &OrderLine,
        token: koshin_protocol::problem::Token,
    ) -> Result<Failure, StoreError> {
        let name = |row: Option<i64>| -> Result<Option<CertId>, StoreError> {
            row.map(|row| Ok(self.certificate(row)?.cert_id)).transpose()
        };
        Ok(Refused::Order(OrderRefused {
            token,
            order: line.id,
            key: line.key,
            successor: name(line.certificate)?,
            predecessor: name(line.replaces)?,
        })
        .into())
    }
}

fn predecessor(line: &OrderLine) -> Result<i64, StoreError> {
    line.replaces.ok_or_else(|| StoreError::Corrupt(format!("order {} replaces nothing", line.id)))
}

fn successor(line: &OrderLine) -> Result<i64, StoreError> {
    line.certificate
        .ok_or_else(|| StoreError::Corrupt(format!("order {} has no certificate", line.id)))
}

fn origin(line: &OrderLine) -> Result<ReissueId, StoreError> {
    line.reissue.ok_or_else(|| StoreError::Corrupt(format!("order {} has no reissue", line.id)))
}

const CERTIFICATE: &str = "
    SELECT c.id, c.cert_id, s.contract, c.from_order, c.not_after, c.expiry_told, c.state
    FROM certificate AS c JOIN subject AS s ON s.id = c.subject WHERE c.id = ?1";
const SET_CERTIFICATE: &str =
    "UPDATE certificate SET state = ?2, expiry_told = max(expiry_told, ?3) WHERE id = ?1";
const OPEN_ORDER_REPLACING: &str =
    "SELECT id FROM orders WHERE replaces = ?1 AND state IN ('processing', 'valid')";
const COMPLETED_ORDER_REPLACING: &str =
    "SELECT id FROM orders WHERE replaces = ?1 AND state = 'completed'";

/// Certificates.
impl Transition<'_> {
    /// A certificate that must be there.
    pub(super) fn certificate(&self, row: i64) -> Result<CertificateLine, StoreError> {
        one(self.connection, CERTIFICATE, [row], |row: &Row<'_>| {
            Ok(CertificateLine {
                row: row.get("id")?,
                cert_id: row.get::<_, Sql<CertId>>("cert_id")?.0,
                contract: row.get("contract")?,
                from_order: row.get("from_order")?,
                not_after: row.get::<_, Sql<Time>>("not_after")?.0,
                expiry_told: row.get("expiry_told")?,
                state: row.get::<_, Sql<CertificateState>>("state")?.0,
            })
        })?
        .ok_or_else(|| StoreError::Corrupt(format!("certificate {row} is missing")))
    }

    /// Writes down that a certificate's validity is over, if it is.
    pub(super) fn settle(&mut self, row: i64) -> Result<(), Failure> {
        let line = self.certificate(row)?;
        if self.now > line.not_after && !line.expiry_told {
            self.certificate_event(row, certificate::Event::Expired, Cause::OrderEnded)?;
        }
        Ok(())
    }

    /// Gives a certificate an event. `cause` says why, if it gets revoked by it.
    pub(super) fn certificate_event(
        &mut self,
        row: i64,
        event: certificate::Event,
        cause: Cause,
    ) -> Result<(), Failure> {
        let line = self.certificate(row)?;
        let stepped = match line.state.step(event) {
            Ok(stepped) => stepped,
            Err(refused) => return Err(signer::refused_row(self.connection, row, refused.token)),
        };
        let told = event == certificate::Event::Expired;
        if stepped.state != line.state || told {
            execute(self.connection, SET_CERTIFICATE, params![row, Sql(stepped.state), told])?;
        }
        if stepped.state != line.state {
            self.changed(line.contract, "certificate", &line.cert_id, stepped.state.text());
            if stepped.state == CertificateState::Revoked {
                self.list_revoked(&line, cause)?;
            }
        }
        for effect in stepped.effects {
            self.certificate_effect(&line, *effect)?;
        }
        Ok(())
    }

    fn certificate_effect(
        &mut self,
        line: &CertificateLine,
        effect: certificate::Effect,
    ) -> Result<(), Failure> {
        use certificate::Effect;
        match effect {
            Effect::EndSessionsAsSuperseded => {
                self.end_sessions_of(line.contract, line.row, session::Reason::OrderCompleted)
            }
            Effect::EndSessionsAsRevoked => {
                self.end_sessions_of(line.contract, line.row, session::Reason::CertificateRevoked)
            }
            Effect::TellReplacingOrderRevoked => {
                self.tell_replacing(line.row, order::Event::PredecessorRevoked)
            }
            Effect::TellReplacingOrderExpired => {
                self.tell_replacing(line.row, order::Event::PredecessorExpired)
            }
            Effect::TellOwnOrderRevoked => match line.from_order {
                Some(own) => self.step_order(own, order::Event::SuccessorRevoked).map(drop),
                None => Ok(()),
            },
        }
    }

    /// The ended orders need not be told: for them these events change nothing.
    fn tell_replacing(&mut self, certificate: i64, event: order::Event) -> Result<(), Failure> {
        for query in [OPEN_ORDER_REPLACING, COMPLETED_ORDER_REPLACING] {
            if let Some(order) = one(self.connection, query, [certificate], |row| row.get(0))? {
                self.step_order(order, event)?;
            }
        }
        Ok(())
    }
}

const SESSIONS_OF_CERTIFICATE: &str =
    "SELECT id FROM session WHERE certificate = ?1 AND ended IS NULL";
const SESSIONS_OF_SUBJECT: &str = "SELECT id FROM session WHERE subject = ?1 AND ended IS NULL";
const END_SESSION: &str = "UPDATE session SET ended = ?2 WHERE id = ?1 AND ended IS NULL";

/// Sessions.
impl Transition<'_> {
    /// Ends a certificate's sessions.
    pub(super) fn end_sessions_of(
        &mut self,
        contract: ContractId,
        certificate: i64,
        reason: session::Reason,
    ) -> Result<(), Failure> {
        let sessions: Vec<SessionId> =
            all(self.connection, SESSIONS_OF_CERTIFICATE, [certificate], |row| row.get(0))?;
        for session in sessions {
            self.end_session(contract, session, reason)?;
        }
        Ok(())
    }

    /// Ends a subject's sessions.
    pub(super) fn end_sessions_of_subject(
        &mut self,
        contract: ContractId,
        subject: SubjectId,
        reason: session::Reason,
    ) -> Result<(), Failure> {
        let sessions: Vec<SessionId> =
            all(self.connection, SESSIONS_OF_SUBJECT, [subject], |row| row.get(0))?;
        for session in sessions {
            self.end_session(contract, session, reason)?;
        }
        Ok(())
    }

    /// Ends one session.
    pub(super) fn end_session(
        &mut self,
        contract: ContractId,
        session: SessionId,
        reason: session::Reason,
    ) -> Result<(), Failure> {
        execute(self.connection, END_SESSION, params![session, reason.as_str()])?;
        self.changed(contract, "session", &session, reason.as_str());
        Ok(())
    }
}

const FIND_REISSUE: &str = "
    SELECT r.id, r.subject, s.contract, r.reason, r.expires, r.state, o.id AS order_id
    FROM reissue AS r
    JOIN subject AS s ON s.id = r.subject
    LEFT JOIN orders AS o ON o.reissue = r.id
    WHERE r.id = ?1";
const SET_REISSUE: &str = "UPDATE reissue SET state = ?2 WHERE id = ?1";
const FORMER_REISSUES: &str = "
    SELECT id FROM reissue
    WHERE subject = ?1 AND state IN ('pending', 'redeemed') AND id <> ?2";
const ORDERS_OF_SUBJECT: &str = "
    SELECT id FROM orders WHERE subject = ?1 AND state IN ('processing', 'valid') AND reissue IS NULL
    UNION ALL
    SELECT id FROM orders WHERE subject = ?1 AND rollback = 'until'";
const CERTIFICATES_OF_SUBJECT: &str =
    "SELECT id FROM certificate WHERE subject = ?1 AND state <> 'revoked'";

/// Reissues.
impl Transition<'_> {
    /// The reissue, if there is one.
    pub(super) fn find_reissue(&self, id: ReissueId) -> Result<Option<ReissueLine>, StoreError> {
        one(self.connection, FIND_REISSUE, [id], |row| {
            Ok(ReissueLine {
                id: row.get("id")?,
                subject: row.get("subject")?,
                contract: row.get("contract")?,
                reason: row.get::<_, Sql<Reason>>("reason")?.0,
                state: reissue_state(row)?,
                order: row.get("order_id")?,
            })
        })
    }

    /// Gives a reissue an event. A refusal is the order's or the requester's to tell.
    pub(super) fn reissue_event(
        &mut self,
        id: ReissueId,
        event: reissue::Event,
    ) -> Result<Reissue, Failure> {
        let line = self
            .find_reissue(id)?
            .ok_or_else(|| StoreError::Corrupt(format!("reissue {id} is missing")))?;
        match line.state.step(event) {
            Ok(stepped) => {
                if stepped.state != line.state {
                    let state = reissue_text(&stepped.state);
                    execute(self.connection, SET_REISSUE, params![id, state])?;
                    self.changed(line.contract, "reissue", &id, state);
                }
                for effect in stepped.effects {
                    self.reissue_effect(&line, *effect)?;
                }
                Ok(stepped.state)
            }
            Err(refused) => Err(reissues::refused(self.connection, &line, refused.token)?),
        }
    }

    /// Carries out what a reissue asks for.
    pub(super) fn reissue_effect(
        &mut self,
        line: &ReissueLine,
        effect: reissue::Effect,
    ) -> Result<(), Failure> {
        use reissue::Effect;
        match effect {
            Effect::VoidFormerReissues => {
                let former: Vec<ReissueId> =
                    all(self.connection, FORMER_REISSUES, params![line.subject, line.id], |row| {
                        row.get(0)
                    })?;
                for reissue in former {
                    self.reissue_event(reissue, reissue::Event::Looked { now: self.now })?;
                    self.reissue_event(reissue, reissue::Event::Void)?;
                }
            }
            Effect::EndOrdersOfSubject => {
                let orders: Vec<OrderId> =
                    all(self.connection, ORDERS_OF_SUBJECT, [line.subject], |row| row.get(0))?;
                for order in orders {
                    self.order_event(order, order::Event::SubjectReissued)?;
                }
            }
            Effect::EndSessionsOfSubject => {
                self.end_sessions_of_subject(
                    line.contract,
                    line.subject,
                    session::Reason::SubjectReissued,
                )?;
            }
            Effect::RevokeOtherCertificates => self.revoke_others(line)?,
            Effect::EndOwnOrder => {
                let own = line.order.ok_or_else(|| {
                    StoreError::Corrupt(format!("reissue {} has no order", line.id))
                })?;
                self.order_event(own, order::Event::SubjectReissued)?;
            }
            // Whoever redeems it does it: only there the CSR is at hand.
            Effect::PlaceOrder => {}
        }
        Ok(())
    }

    fn revoke_others(&mut self, line: &ReissueLine) -> Result<(), Failure> {
        let cause = Cause::Reissued(line.reason);
        let certificates: Vec<i64> =
            all(self.connection, CERTIFICATES_OF_SUBJECT, [line.subject], |row| row.get(0))?;
        for row in certificates {
            self.settle(row)?;
            let certificate = self.certificate(row)?;
            let own = certificate.from_order.is_some() && certificate.from_order == line.order;
            if !own && self.now <= certificate.not_after {
                self.certificate_event(row, certificate::Event::Revoked, cause)?;
            }
        }
        Ok(())
    }
}
