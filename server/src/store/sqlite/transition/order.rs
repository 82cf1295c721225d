//! Events of orders, and what follows from them.

use koshin_protocol::cert_id::CertId;
use koshin_protocol::jwk::Thumbprint;
use koshin_protocol::problem::Token;
use koshin_protocol::state::order::{self, Order};
use koshin_protocol::state::{certificate, reissue, session};
use koshin_protocol::time::Time;
use rusqlite::params;

use super::Transition;
use crate::audit::Object;
use crate::store::id::{ContractId, OrderId, ReissueId, SubjectId};
use crate::store::sqlite::column::{OrderColumns, Sql, execute, one, order_state};
use crate::store::sqlite::revocation::Cause;
use crate::store::{Failure, OrderRefused, Refused, StoreError};

/// What an order's events need of its row.
pub(in crate::store::sqlite) struct OrderLine {
    pub(in crate::store::sqlite) id: OrderId,
    pub(in crate::store::sqlite) subject: SubjectId,
    pub(in crate::store::sqlite) contract: ContractId,
    pub(in crate::store::sqlite) replaces: Option<i64>,
    pub(in crate::store::sqlite) replaces_not_after: Option<Time>,
    pub(in crate::store::sqlite) reissue: Option<ReissueId>,
    pub(in crate::store::sqlite) key: Thumbprint,
    pub(in crate::store::sqlite) state: Order,
    /// The row of the order's certificate.
    pub(in crate::store::sqlite) certificate: Option<i64>,
}

const ORDER: &str = "
    SELECT o.id, o.subject, s.contract, o.replaces, p.not_after, o.reissue, o.key,
           o.state AS order_state, o.rollback, o.rollback_until, o.cause,
           c.id AS certificate
    FROM orders AS o
    JOIN subject AS s ON s.id = o.subject
    LEFT JOIN certificate AS p ON p.id = o.replaces
    LEFT JOIN certificate AS c ON c.from_order = o.id
    WHERE o.id = ?1";
const SET_ORDER: &str = "
    UPDATE orders SET state = ?2, rollback = ?3, rollback_until = ?4, cause = ?5,
                      entered = CASE state WHEN ?2 THEN entered ELSE ?6 END
    WHERE id = ?1";

/// Orders.
impl Transition<'_> {
    /// The order, if there is one.
    pub(in crate::store::sqlite) fn find_order(
        &self,
        id: OrderId,
    ) -> Result<Option<OrderLine>, StoreError> {
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
    pub(in crate::store::sqlite) fn order(&self, id: OrderId) -> Result<OrderLine, StoreError> {
        self.find_order(id)?.ok_or_else(|| StoreError::Corrupt(format!("order {id} is missing")))
    }

    /// Gives the order an event.
    pub(in crate::store::sqlite) fn order_event(
        &mut self,
        id: OrderId,
        event: order::Event,
    ) -> Result<Order, Failure> {
        let line = self.order(id)?;
        self.event_of(&line, event)
    }

    /// The same, of an order that was read and not changed since.
    pub(in crate::store::sqlite) fn event_of(
        &mut self,
        line: &OrderLine,
        event: order::Event,
    ) -> Result<Order, Failure> {
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
                            columns.rollback,
                            columns.rollback_until,
                            columns.cause,
                            Sql(self.now)
                        ],
                    )?;
                    self.changed(line.contract, Object::Order, &line.id, columns.state);
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
    pub(in crate::store::sqlite) fn order_effect(
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
                self.certificate_event(
                    successor(line)?,
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
    pub(in crate::store::sqlite) fn order_refused(
        &self,
        line: &OrderLine,
        token: Token,
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
