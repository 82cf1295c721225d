//! Orders and reissues, brought into each of their states.

use koshin_protocol::cert_id::CertId;
use koshin_protocol::certificate_entry::CertificateState;
use koshin_protocol::order::{Order, Status, StatusName};
use koshin_protocol::problem::{Problem, Token};
use koshin_protocol::reissue;
use koshin_protocol::session::Access;
use koshin_protocol::subject::Role;
use koshin_protocol::url::Url;
use serde_json::json;

use super::{Logon, Placed, Ticket};
use crate::case::{Outcome, Prepares as _, Stop, ensure};
use crate::control::Request;
use crate::server::Bank;
use crate::server::key::{Key, Pair};
use crate::server::person::Person;

/// A renewal order in a certain state.
#[derive(Debug, Clone)]
pub struct Staged {
    /// Whose certificate it replaces.
    pub person: Person,
    /// The order when it was `valid`.
    pub placed: Placed,
    /// Its pair.
    pub pair: Pair,
    /// The order as it is now.
    pub order: Order,
}

impl Staged {
    /// Where it was confirmed.
    pub fn confirm(&self) -> Outcome<Url> {
        Ok(self.placed.issued()?.confirm.clone())
    }

    /// The pair that is current now, where one is.
    pub fn current(&self) -> Pair {
        match self.order.status {
            Status::Completed { .. } => self.pair.clone(),
            _ => self.person.pair.clone(),
        }
    }
}

/// A reissue in a certain state.
#[derive(Clone)]
pub struct Reissued {
    /// An administrator's session.
    pub by: Logon,
    /// For whom.
    pub person: Person,
    /// Its id and code.
    pub ticket: Ticket,
    /// Its URL.
    pub url: Url,
    /// Where it is canceled.
    pub cancel: Url,
    /// The order, once it was redeemed.
    pub placed: Option<Placed>,
}

/// The action of a problem's remedy is this.
pub fn remedy(problem: &Problem, action: &str) -> Outcome {
    let said = problem.remedy.action.as_str();
    ensure(said == action, format_args!("the remedy {action}"), said)
}

/// Two answers tell the same of an order. A receipt may be signed anew, and `error` tells the time of the answer.
pub fn same_order(before: &Order, after: &Order) -> Outcome {
    let essence = |order: &Order| {
        let mut value = serde_json::to_value(order).unwrap_or_default();
        if let Some(receipt) = value.get_mut("receipt") {
            *receipt = receipt["payload"].take();
        }
        if let Some(error) = value.get_mut("error").and_then(|error| error.as_object_mut()) {
            error.remove("serverTime");
            error.remove("instance");
        }
        value
    };
    let (before, after) = (essence(before), essence(after));
    let names =
        before.as_object().into_iter().chain(after.as_object()).flat_map(|members| members.keys());
    for name in names {
        let (one, other) = (&before[name], &after[name]);
        ensure(one == other, format_args!("`{name}` {one} as before"), other)?;
    }
    Ok(())
}

impl Bank {
    /// A user's renewal order in this state; not `processing`.
    pub async fn staged(&self, status: StatusName) -> Outcome<Staged> {
        self.staged_for(self.user().await?, status).await
    }

    /// A person's renewal order in this state; not `processing`.
    pub async fn staged_for(&self, person: Person, status: StatusName) -> Outcome<Staged> {
        let logon = self.log_on(&person).await?;
        let placed = self.order(&logon).await?;
        let pair = placed.pair()?;
        match status {
            StatusName::Processing | StatusName::Valid => {}
            StatusName::Completed => drop(self.confirm(&placed).await?),
            StatusName::Canceled => drop(self.cancel(&placed, &logon).await?),
            StatusName::Invalid => self.revoke_itself(&pair, "unspecified").await?,
            StatusName::RolledBack => {
                let renewed = self.confirm(&placed).await?;
                let recovery = self.recover(&person.pair, person.pin.as_deref()).await?;
                let answer = self.try_roll_back(&renewed.completed, &recovery).await;
                answer.and_then(|answer| answer.status(200)).prepares("rollback")?;
            }
        }
        let order = self.read_order(placed.url(), &placed.by_key()).await.prepares("the order")?;
        let found = order.status.name();
        ensure(found == status, status, found).prepares("the order's state")?;
        Ok(Staged { person, placed, pair, order })
    }

    /// Does something with an order in `processing` while the CA is down, and sees to it that the CA is up again.
    pub async fn while_ca_down<T, R>(
        &self,
        person: &Person,
        what: impl FnOnce(Self, Logon, Placed) -> R,
    ) -> Outcome<T>
    where
        R: Future<Output = Outcome<T>>,
    {
        let logon = self.log_on(person).await?;
        self.control(Request::CaDown).await?;
        let done = async {
            let key = Key::new();
            let answer = self.try_order(&logon, &key).await.prepares("newOrder")?;
            let order: Order = answer.object(201).prepares("newOrder")?;
            let status = order.status.name();
            ensure(status == StatusName::Processing, "an order in `processing`", status)
                .prepares("newOrder without the CA")?;
            what(self.clone(), logon, Placed { order, key }).await
        }
        .await;
        self.control(Request::CaUp).await?;
        done
    }

    /// The order is in this state now, as its key reads it.
    pub async fn stands(&self, placed: &Placed, status: StatusName) -> Outcome<Order> {
        let order = self.read_order(placed.url(), &placed.by_key()).await?;
        let found = order.status.name();
        ensure(found == status, format_args!("the order in `{status}`"), found)?;
        Ok(order)
    }

    /// The order is `invalid` and says this token.
    pub async fn invalid_for(&self, placed: &Placed, token: Token) -> Outcome {
        let order = self.stands(placed, StatusName::Invalid).await?;
        let Status::Invalid { error, .. } = order.status else {
            return Err(Stop::fail("an order in `invalid`", order.status.name()));
        };
        ensure(error.token() == Some(token), format_args!("`error` {token}"), &error.kind)
    }

    /// Logs on and expects to be refused so.
    pub async fn refused_logon(&self, pair: &Pair, token: Token) -> Outcome<Problem> {
        self.try_log_on_for(pair, None, "renewal").await?.refused(token)
    }

    /// A session's recovery URL; that of an order from before has its own.
    pub fn rollback_of(&self, order: &Order, recovery: &Logon) -> Outcome<Url> {
        // Where a rollback is below its order's URL, so is that of an order that shows none.
        let Access::Recovery { rollback } = &recovery.session.access else {
            return Err(Stop::blocked("no recovery session"));
        };
        let at = rollback.as_str().rfind('/').unwrap_or(0);
        let (_, last) = rollback.as_str().split_at(at);
        Url::parse(&format!("{}{last}", order.url))
            .map_err(|_| Stop::Skipped("this bank's `rollback` is not below its order".to_owned()))
    }

    /// In which state the contract shows a certificate; `None` where it does not show it.
    pub async fn shown(&self, by: &Logon, cert_id: &CertId) -> Outcome<Option<CertificateState>> {
        let contract = self.read_contract(by).await?;
        let mut entries = contract.subjects.iter().flat_map(|subject| &subject.certificates);
        Ok(entries.find(|entry| entry.cert_id == *cert_id).map(|entry| entry.state))
    }

    /// The contract shows the certificate in this state.
    pub async fn shows(&self, by: &Logon, pair: &Pair, state: CertificateState) -> Outcome {
        let shown = self.shown(by, &pair.cert_id()).await?;
        let said = shown.map_or("not shown", CertificateState::as_str);
        ensure(shown == Some(state), format_args!("the certificate `{state}`"), said)
    }

    /// A user's reissue in this state; `canceled` and `voided` ones were redeemed before. Not `expired`.
    pub async fn reissued(&self, status: reissue::StatusName) -> Outcome<Reissued> {
        let (administrator, person) = self.contract().await?;
        let by = self.log_on(&administrator).await?;
        self.reissued_by(by, person, status).await
    }

    /// The same for a certain user.
    pub async fn reissued_by(
        &self,
        by: Logon,
        person: Person,
        status: reissue::StatusName,
    ) -> Outcome<Reissued> {
        use reissue::StatusName as Name;
        let (ticket, reissue, url) = self.reissue(&by, &person, "keyLost").await?;
        let reissue::Status::Pending { cancel } = reissue.status else {
            return Err(Stop::blocked(format_args!(
                "a reissue {}",
                reissue.status.name().as_str()
            )));
        };
        let mut made = Reissued { by, person, ticket, url, cancel, placed: None };
        if status == Name::Pending {
            return Ok(made);
        }
        let placed = self.enroll(&made.ticket, &made.person).await?;
        match status {
            Name::Pending | Name::Redeemed | Name::Expired => {}
            Name::Completed => drop(self.confirm(&placed).await?),
            Name::Failed => self.revoke_itself(&placed.pair()?, "unspecified").await?,
            Name::Canceled => {
                let answer = self.try_cancel_reissue(&made.by, &made.cancel).await;
                answer.and_then(|answer| answer.status(200)).prepares("cancelReissue")?;
            }
            Name::Voided => drop(self.reissue(&made.by, &made.person, "keyLost").await?),
        }
        made.placed = Some(placed);
        let found = self.read_reissue(&made).await.prepares("the reissue")?.status.name();
        ensure(found == status, status.as_str(), found.as_str()).prepares("the reissue's state")?;
        Ok(made)
    }

    /// The administrator reads it.
    pub async fn read_reissue(&self, made: &Reissued) -> Outcome<reissue::Reissue> {
        self.read(&made.url, &made.by.by()).await?.object(200)
    }

    /// The administrator finds it in this state.
    pub async fn reissue_stands(&self, made: &Reissued, status: reissue::StatusName) -> Outcome {
        let found = self.read_reissue(made).await?.status.name().as_str();
        ensure(
            found == status.as_str(),
            format_args!("the reissue in `{}`", status.as_str()),
            found,
        )
    }

    /// An administrator and two users of one contract.
    pub async fn three(&self) -> Outcome<(Person, Person, Person)> {
        let (administrator, user) = self.contract().await?;
        let other = self.wanted(Role::User).await?.of("together");
        Ok((administrator, user, self.person(other).await?))
    }

    /// An administrator revokes a certificate.
    pub async fn revoke_by(
        &self,
        by: &Logon,
        pair: &Pair,
        successors: bool,
    ) -> Outcome<Vec<String>> {
        let payload = json!({
            "certID": pair.cert_id().as_str(), "reason": "unspecified", "includeSuccessors": successors,
        });
        let answer = self.try_revoke(&by.by(), payload).await?;
        let done: koshin_protocol::revocation::Revocation = answer.object(200)?;
        let mut revoked: Vec<String> = done.revoked.iter().map(ToString::to_string).collect();
        revoked.sort();
        Ok(revoked)
    }
}
