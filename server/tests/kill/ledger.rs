//! What customers saw acknowledged.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use koshin_protocol::base64url;
use rusqlite::{Connection, OptionalExtension};
use tokio::sync::Notify;

/// Something that the bank answered, and that is so for ever.
#[derive(Clone, Debug)]
pub enum Fact {
    /// The order has this key.
    Ordered { order: String, key: String },
    /// This is the order's certificate.
    Issued { order: String, der: Vec<u8> },
    /// The order was completed.
    Completed { order: String },
    /// The order was canceled.
    Canceled { order: String },
    /// The order was rolled back.
    RolledBack { order: String },
    /// The right to undo the order was given up.
    Final { order: String },
    /// Somebody logged on.
    LoggedOn { session: String },
    /// The renewal was put off.
    Deferred { session: String },
    /// The session was ended.
    LoggedOff { session: String },
    /// The PIN was changed; its customer looks whether it still is.
    PinChanged,
}

/// Kinds of facts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Ordered,
    Issued,
    Completed,
    Canceled,
    RolledBack,
    Final,
    LoggedOn,
    Deferred,
    LoggedOff,
    PinChanged,
}

impl Kind {
    pub const ALL: [Self; 10] = [
        Self::Ordered,
        Self::Issued,
        Self::Completed,
        Self::Canceled,
        Self::RolledBack,
        Self::Final,
        Self::LoggedOn,
        Self::Deferred,
        Self::LoggedOff,
        Self::PinChanged,
    ];
}

impl Fact {
    fn kind(&self) -> Kind {
        match self {
            Self::Ordered { .. } => Kind::Ordered,
            Self::Issued { .. } => Kind::Issued,
            Self::Completed { .. } => Kind::Completed,
            Self::Canceled { .. } => Kind::Canceled,
            Self::RolledBack { .. } => Kind::RolledBack,
            Self::Final { .. } => Kind::Final,
            Self::LoggedOn { .. } => Kind::LoggedOn,
            Self::Deferred { .. } => Kind::Deferred,
            Self::LoggedOff { .. } => Kind::LoggedOff,
            Self::PinChanged => Kind::PinChanged,
        }
    }
}

/// All facts of one bank.
#[derive(Debug, Default)]
pub struct Ledger {
    facts: Mutex<Vec<Fact>>,
    news: Notify,
}

impl Ledger {
    pub fn add(&self, fact: Fact) {
        self.facts.lock().unwrap_or_else(PoisonError::into_inner).push(fact);
        self.news.notify_waiters();
    }

    pub fn len(&self) -> u64 {
        let facts = self.facts.lock().unwrap_or_else(PoisonError::into_inner);
        facts.len().try_into().expect("not that many")
    }

    /// How many there are of each kind.
    pub fn kinds(&self) -> BTreeMap<Kind, u32> {
        let mut kinds = BTreeMap::new();
        for fact in &*self.facts.lock().unwrap_or_else(PoisonError::into_inner) {
            *kinds.entry(fact.kind()).or_default() += 1;
        }
        kinds
    }

    pub fn take_in(&mut self, other: Self) {
        let other = other.facts.into_inner().unwrap_or_else(PoisonError::into_inner);
        self.facts.get_mut().unwrap_or_else(PoisonError::into_inner).extend(other);
    }

    /// Ready once so many are written down.
    pub async fn reaches(&self, count: u64) {
        loop {
            let news = self.news.notified();
            tokio::pin!(news);
            news.as_mut().enable();
            if self.len() >= count {
                return;
            }
            news.await;
        }
    }

    /// The bank has all of it.
    pub fn check(&self, sql: &Connection) {
        for fact in &*self.facts.lock().unwrap_or_else(PoisonError::into_inner) {
            assert!(holds(sql, fact), "acknowledged, and not there after a kill: {fact:?}");
        }
    }
}

fn holds(sql: &Connection, fact: &Fact) -> bool {
    let state = |order: &str| text(sql, "SELECT state FROM orders WHERE id = ?1", order);
    match fact {
        Fact::Ordered { order, key } => {
            let stored: Option<Vec<u8>> = one(sql, "SELECT key FROM orders WHERE id = ?1", order);
            stored == Some(bytes(key))
        }
        Fact::Issued { order, der } => {
            let stored: Option<Vec<u8>> =
                one(sql, "SELECT der FROM certificate WHERE from_order = ?1", order);
            stored.as_ref() == Some(der)
        }
        Fact::Completed { order } => {
            matches!(state(order).as_deref(), Some("completed" | "rolledBack"))
        }
        Fact::Canceled { order } => state(order).as_deref() == Some("canceled"),
        Fact::RolledBack { order } => state(order).as_deref() == Some("rolledBack"),
        Fact::Final { order } => {
            text(sql, "SELECT rollback FROM orders WHERE id = ?1", order).as_deref()
                == Some("ended")
        }
        Fact::LoggedOn { session } => {
            one::<i64>(sql, "SELECT created FROM session WHERE id = ?1", session).is_some()
        }
        Fact::Deferred { session } => {
            one(sql, "SELECT deferred FROM session WHERE id = ?1", session) == Some(1)
        }
        Fact::LoggedOff { session } => {
            text(sql, "SELECT ended FROM session WHERE id = ?1", session).is_some()
        }
        Fact::PinChanged => true,
    }
}

fn bytes(id: &str) -> Vec<u8> {
    base64url::decode(id).expect("base64url")
}

fn text(sql: &Connection, query: &str, id: &str) -> Option<String> {
    one::<Option<String>>(sql, query, id).flatten()
}

fn one<T: rusqlite::types::FromSql>(sql: &Connection, query: &str, id: &str) -> Option<T> {
    let mut statement = sql.prepare_cached(query).expect("a query");
    statement.query_row([bytes(id)], |row| row.get(0)).optional().expect("read")
}
