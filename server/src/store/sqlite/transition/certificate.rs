//! Events of certificates, and what follows from them.

use koshin_protocol::cert_id::CertId;
use koshin_protocol::state::certificate::{self, Certificate as CertificateState};
use koshin_protocol::state::{order, session};
use koshin_protocol::time::Time;
use rusqlite::{Row, params};

use super::Transition;
use crate::audit::Object;
use crate::store::id::{ContractId, OrderId};
use crate::store::sqlite::column::{Sql, Text, execute, one};
use crate::store::sqlite::revocation::Cause;
use crate::store::sqlite::signer;
use crate::store::{Failure, StoreError};

/// What a certificate's events need of its row.
pub(in crate::store::sqlite) struct CertificateLine {
    pub(in crate::store::sqlite) row: i64,
    pub(in crate::store::sqlite) cert_id: CertId,
    pub(in crate::store::sqlite) contract: ContractId,
    pub(in crate::store::sqlite) from_order: Option<OrderId>,
    pub(in crate::store::sqlite) not_after: Time,
    pub(in crate::store::sqlite) state: CertificateState,
}

const CERTIFICATE: &str = "
    SELECT c.id, c.cert_id, s.contract, c.from_order, c.not_after, c.state
    FROM certificate AS c JOIN subject AS s ON s.id = c.subject WHERE c.id = ?1";
const SET_CERTIFICATE: &str = "UPDATE certificate SET state = ?2 WHERE id = ?1";
const OPEN_ORDER_REPLACING: &str =
    "SELECT id FROM orders WHERE replaces = ?1 AND state IN ('processing', 'valid')";
const COMPLETED_ORDER_REPLACING: &str =
    "SELECT id FROM orders WHERE replaces = ?1 AND state = 'completed'";

/// Certificates.
impl Transition<'_> {
    /// A certificate that must be there.
    pub(in crate::store::sqlite) fn certificate(
        &self,
        row: i64,
    ) -> Result<CertificateLine, StoreError> {
        one(self.connection, CERTIFICATE, [row], |row: &Row<'_>| {
            Ok(CertificateLine {
                row: row.get("id")?,
                cert_id: row.get::<_, Sql<CertId>>("cert_id")?.0,
                contract: row.get("contract")?,
                from_order: row.get("from_order")?,
                not_after: row.get::<_, Sql<Time>>("not_after")?.0,
                state: row.get::<_, Sql<CertificateState>>("state")?.0,
            })
        })?
        .ok_or_else(|| StoreError::Corrupt(format!("certificate {row} is missing")))
    }

    /// Gives a certificate an event. `cause` says why, if it gets revoked by it.
    pub(in crate::store::sqlite) fn certificate_event(
        &mut self,
        row: i64,
        event: certificate::Event,
        cause: Cause,
    ) -> Result<(), Failure> {
        let line = self.certificate(row)?;
        let stepped = match line.state.step(event) {
            Ok(stepped) => stepped,
            Err(refused) => {
                return Err(signer::refused_row(self.connection, row, refused.token, self.now));
            }
        };
        if stepped.state != line.state {
            execute(self.connection, SET_CERTIFICATE, params![row, Sql(stepped.state)])?;
            self.changed(line.contract, Object::Certificate, &line.cert_id, stepped.state.text());
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
            Effect::TellOwnOrderRevoked => match line.from_order {
                Some(own) => self.order_event(own, order::Event::SuccessorRevoked).map(drop),
                None => Ok(()),
            },
        }
    }

    /// The ended orders need not be told: for them these events change nothing.
    fn tell_replacing(&mut self, certificate: i64, event: order::Event) -> Result<(), Failure> {
        for query in [OPEN_ORDER_REPLACING, COMPLETED_ORDER_REPLACING] {
            if let Some(order) = one(self.connection, query, [certificate], |row| row.get(0))? {
                self.order_event(order, event)?;
            }
        }
        Ok(())
    }
}
