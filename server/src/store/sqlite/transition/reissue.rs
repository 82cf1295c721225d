//! Events of reissues, and what follows from them.

use koshin_protocol::state::reissue::{self, Reissue};
use koshin_protocol::state::{certificate, order, session};
use rusqlite::params;

use super::Transition;
use crate::audit::Object;
use crate::store::id::{ContractId, OrderId, ReissueId, SubjectId};
use crate::store::row::Reason;
use crate::store::sqlite::column::{Sql, all, execute, one, reissue_state, reissue_text};
use crate::store::sqlite::reissue as reissues;
use crate::store::sqlite::revocation::Cause;
use crate::store::{Failure, StoreError};

/// What a reissue's events need of its row.
pub(in crate::store::sqlite) struct ReissueLine {
    pub(in crate::store::sqlite) id: ReissueId,
    pub(in crate::store::sqlite) subject: SubjectId,
    pub(in crate::store::sqlite) contract: ContractId,
    pub(in crate::store::sqlite) reason: Reason,
    pub(in crate::store::sqlite) state: Reissue,
    pub(in crate::store::sqlite) order: Option<OrderId>,
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
    pub(in crate::store::sqlite) fn find_reissue(
        &self,
        id: ReissueId,
    ) -> Result<Option<ReissueLine>, StoreError> {
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
    pub(in crate::store::sqlite) fn reissue_event(
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
                    self.changed(line.contract, Object::Reissue, &id, state);
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
    pub(in crate::store::sqlite) fn reissue_effect(
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
            let certificate = self.certificate(row)?;
            let own = certificate.from_order.is_some() && certificate.from_order == line.order;
            if !own {
                self.certificate_event(row, certificate::Event::Revoked, cause)?;
            }
        }
        Ok(())
    }
}
