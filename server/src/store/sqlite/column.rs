//! How our values stand in columns.

use koshin_protocol::cert_id::CertId;
use koshin_protocol::jwk::Thumbprint;
use koshin_protocol::state::certificate::Certificate as CertificateState;
use koshin_protocol::state::order::{
    Cause, Completed, Invalid, Kind, Order, Processing, RollbackRight, Status, Valid,
};
use koshin_protocol::state::reissue::{Pending, Redeemed, Reissue, Revocation};
use koshin_protocol::state::session::Purpose;
use koshin_protocol::time::{Period, Time};
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, ValueRef};
use rusqlite::{CachedStatement, Connection, OptionalExtension, Params, Row};

use crate::audit::{Chain, Hash};
use crate::store::StoreError;
use crate::store::id::{
    ContractId, Fingerprint, OrderId, ReissueId, RequestId, SessionId, SubjectId,
};
use crate::store::outage::Outage;
use crate::store::row::{Reason, Role};

/// A value of another crate, in a column.
pub(super) struct Sql<T>(pub(super) T);

macro_rules! blobs {
    ($($name:ident)*) => {$(
        impl ToSql for $name {
            fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
                Ok(ToSqlOutput::Borrowed(ValueRef::Blob(self.as_bytes())))
            }
        }

        impl FromSql for $name {
            fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
                FromSql::column_result(value).map($name::from_bytes)
            }
        }
    )*};
}

blobs! { ContractId SubjectId OrderId SessionId ReissueId RequestId Fingerprint Hash }

impl ToSql for Sql<Thumbprint> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(ValueRef::Blob(self.0.as_bytes())))
    }
}

impl FromSql for Sql<Thumbprint> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        FromSql::column_result(value).map(Thumbprint::from_bytes).map(Self)
    }
}

impl ToSql for Sql<Time> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.0.unix().into())
    }
}

impl FromSql for Sql<Time> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let seconds = value.as_i64()?;
        Time::from_unix(seconds).map(Self).map_err(|_| FromSqlError::OutOfRange(seconds))
    }
}

impl ToSql for Sql<Period> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.0.total_seconds().into())
    }
}

impl FromSql for Sql<Period> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        u32::column_result(value).map(Period::from_seconds).map(Self)
    }
}

impl ToSql for Sql<&CertId> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.0.as_str().into())
    }
}

impl FromSql for Sql<CertId> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        value.as_str()?.parse().map(Self).map_err(FromSqlError::other)
    }
}

impl ToSql for Chain {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(ValueRef::Blob(match self {
            Self::Bank => &[],
            Self::Contract(contract) => contract.as_bytes(),
        })))
    }
}

impl FromSql for Chain {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        if value.as_blob()?.is_empty() {
            return Ok(Self::Bank);
        }
        FromSql::column_result(value).map(Self::Contract)
    }
}

macro_rules! texts {
    ($($type:ident { $($variant:ident = $text:literal,)* })*) => {$(
        impl Text for $type {
            fn text(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }

            fn from_text(text: &str) -> Option<Self> {
                match text { $($text => Some(Self::$variant),)* _ => None }
            }
        }

        impl ToSql for Sql<$type> {
            fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
                Ok(self.0.text().into())
            }
        }

        impl FromSql for Sql<$type> {
            fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
                $type::from_text(value.as_str()?).map(Self).ok_or(FromSqlError::InvalidType)
            }
        }
    )*};
}

/// Values that a column and the audit write as a word.
pub(super) trait Text: Sized {
    /// The word.
    fn text(self) -> &'static str;

    /// The value of a word.
    fn from_text(text: &str) -> Option<Self>;
}

texts! {
    Role { Administrator = "administrator", User = "user", }
    Purpose { Renewal = "renewal", Recovery = "recovery", }
    CertificateState {
        Unconfirmed = "unconfirmed",
        Current = "current",
        Superseded = "superseded",
        Revoked = "revoked",
    }
    Reason {
        KeyCompromise = "keyCompromise",
        DeviceLost = "deviceLost",
        KeyLost = "keyLost",
        AffiliationChanged = "affiliationChanged",
        CessationOfOperation = "cessationOfOperation",
        Unspecified = "unspecified",
    }
    Cause {
        IssueFailed = "issueFailed",
        PredecessorRevoked = "predecessorRevoked",
        SuccessorRevoked = "successorRevoked",
        SubjectReissued = "subjectReissued",
    }
}

/// The columns of an order that hold its state.
pub(super) struct OrderColumns {
    pub(super) state: &'static str,
    pub(super) rollback: Option<&'static str>,
    pub(super) rollback_until: Option<i64>,
    pub(super) cause: Option<&'static str>,
}

impl OrderColumns {
    pub(super) fn of(order: &Order) -> Self {
        let mut columns = Self {
            state: order.status().as_str(),
            rollback: None,
            rollback_until: None,
            cause: None,
        };
        match order {
            Order::Completed(Completed { rollback }) => match rollback {
                RollbackRight::Until(until) => {
                    columns.rollback = Some("until");
                    columns.rollback_until = Some(until.unix());
                }
                RollbackRight::Ended => columns.rollback = Some("ended"),
                RollbackRight::Disabled => columns.rollback = Some("disabled"),
            },
            Order::Invalid(Invalid { cause }) => columns.cause = Some(cause.text()),
            Order::Processing(_) | Order::Valid(_) | Order::Canceled | Order::RolledBack => {}
        }
        columns
    }
}

/// Reads the state of an order from its columns.
pub(super) fn order_state(row: &Row<'_>) -> rusqlite::Result<Order> {
    let status: Status =
        text(row, "order_state", |text| text.parse().map_err(FromSqlError::other))?;
    let kind = || -> rusqlite::Result<Kind> {
        let reissue: Option<ReissueId> = row.get("reissue")?;
        Ok(reissue.map_or(Kind::Renewal, |_| Kind::Enrollment))
    };
    Ok(match status {
        Status::Processing => Order::Processing(Processing { kind: kind()? }),
        Status::Valid => Order::Valid(Valid { kind: kind()? }),
        Status::Completed => Order::Completed(Completed { rollback: rollback_right(row)? }),
        Status::Canceled => Order::Canceled,
        Status::Invalid => Order::Invalid(Invalid { cause: row.get::<_, Sql<Cause>>("cause")?.0 }),
        Status::RolledBack => Order::RolledBack,
    })
}

/// The right to roll back a completed order.
pub(super) fn rollback_right(row: &Row<'_>) -> rusqlite::Result<RollbackRight> {
    let right: String = row.get("rollback")?;
    Ok(match right.as_str() {
        "until" => RollbackRight::Until(row.get::<_, Sql<Time>>("rollback_until")?.0),
        "ended" => RollbackRight::Ended,
        _ => RollbackRight::Disabled,
    })
}

/// The word for a reissue's state.
pub(super) fn reissue_text(reissue: &Reissue) -> &'static str {
    match reissue {
        Reissue::Pending(_) => "pending",
        Reissue::Redeemed(_) => "redeemed",
        Reissue::Completed => "completed",
        Reissue::Failed => "failed",
        Reissue::Canceled => "canceled",
        Reissue::Voided => "voided",
    }
}

/// When a reissue for this reason revokes (SPEC.md 7.15).
pub(super) fn revocation_of(reason: Reason) -> Revocation {
    match reason {
        Reason::KeyCompromise | Reason::DeviceLost => Revocation::AtOnce,
        Reason::KeyLost
        | Reason::AffiliationChanged
        | Reason::CessationOfOperation
        | Reason::Unspecified => Revocation::AtConfirmation,
    }
}

/// Reads the state of a reissue from its columns.
pub(super) fn reissue_state(row: &Row<'_>) -> rusqlite::Result<Reissue> {
    let revocation = revocation_of(row.get::<_, Sql<Reason>>("reason")?.0);
    let expires = row.get::<_, Sql<Time>>("expires")?.0;
    text(row, "state", |text| {
        Ok(match text {
            "pending" => Reissue::Pending(Pending { expires, revocation }),
            "redeemed" => Reissue::Redeemed(Redeemed { revocation }),
            "completed" => Reissue::Completed,
            "failed" => Reissue::Failed,
            "canceled" => Reissue::Canceled,
            "voided" => Reissue::Voided,
            _ => return Err(FromSqlError::InvalidType),
        })
    })
}

fn text<T>(
    row: &Row<'_>,
    column: &str,
    read: impl FnOnce(&str) -> FromSqlResult<T>,
) -> rusqlite::Result<T> {
    let value = row.get_ref(column)?;
    value.as_str().and_then(read).map_err(|error| {
        let index = row.as_ref().column_index(column).unwrap_or_default();
        rusqlite::Error::FromSqlConversionFailure(index, value.data_type(), Box::new(error))
    })
}

/// A statement, prepared once for its connection.
fn prepare<'c>(
    connection: &'c Connection,
    sql: &'static str,
) -> Result<CachedStatement<'c>, StoreError> {
    #[cfg(debug_assertions)]
    super::plan::check(connection, sql);
    Ok(connection.prepare_cached(sql)?)
}

/// At most one row.
pub(super) fn one<T>(
    connection: &Connection,
    sql: &'static str,
    params: impl Params,
    read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
) -> Result<Option<T>, StoreError> {
    Ok(prepare(connection, sql)?.query_row(params, read).optional()?)
}

/// Every row.
pub(super) fn all<T>(
    connection: &Connection,
    sql: &'static str,
    params: impl Params,
    read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
) -> Result<Vec<T>, StoreError> {
    let mut statement = prepare(connection, sql)?;
    let rows = statement.query_map(params, read)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Runs a statement; the answer is how many rows it changed.
pub(super) fn execute(
    connection: &Connection,
    sql: &'static str,
    params: impl Params,
) -> Result<usize, StoreError> {
    Ok(prepare(connection, sql)?.execute(params)?)
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        match Outage::of(&error) {
            Some(outage) => outage.into(),
            None => Self::Database(error.to_string()),
        }
    }
}
