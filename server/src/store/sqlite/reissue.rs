//! Reissues and enrollments (SPEC.md 7.15, 7.16, 7.19, 10.4, 13).

use koshin_protocol::problem::Token;
use koshin_protocol::state::order::Order;
use koshin_protocol::state::reissue::{Event, Reissue};
use koshin_protocol::time::Time;
use rusqlite::{Connection, params};

use super::column::{Sql, Text, all, execute, one, reissue_text, revocation_of};
use super::order::New;
use super::read;
use super::signer::{self, Deed};
use super::touch::Touches;
use super::transition::{ReissueLine, Transition, run};
use crate::audit::{Chain, Object, Principal};
use crate::store::change::{Actor, Enroll, NewReissue, NewRequest, Placed};
use crate::store::id::{ReissueId, RequestId};
use crate::store::row::{Approval, Reason, ReissueRow, RequestRow, Role, SubjectRow};
use crate::store::{Failure, OperatorRefused, OrderRefused, Refused, StoreError};

/// The refusal of a reissue's machine.
pub(super) fn refused(
    connection: &Connection,
    line: &ReissueLine,
    token: Token,
) -> Result<Failure, StoreError> {
    let role = read::subject(connection, line.subject)?.map_or(Role::User, |subject| subject.role);
    Ok(match token {
        Token::EnrollmentUsed => Refused::EnrollmentUsed { role }.into(),
        Token::EnrollmentExpired => Refused::EnrollmentExpired { role }.into(),
        Token::EnrollmentCanceled => Refused::EnrollmentCanceled { role }.into(),
        Token::ReissueClosed => Refused::ReissueClosed.into(),
        other => match line.order {
            Some(id) => {
                let order = read::order_that_is(connection, id)?;
                Refused::Order(OrderRefused {
                    token: other,
                    order: id,
                    key: order.key,
                    successor: order.certificate.map(|certificate| certificate.cert_id),
                    predecessor: None,
                })
                .into()
            }
            None => StoreError::Corrupt(format!("reissue {} has no order", line.id)).into(),
        },
    })
}

/// Opens a reissue, for an administrator's user or by the bank.
pub(super) fn open(
    connection: &Connection,
    touches: &Touches,
    new: &NewReissue,
    by: &Actor,
    now: Time,
) -> Result<(ReissueRow, bool), Failure> {
    if matches!(by, Actor::Certificate(_)) {
        return Err(Refused::NotAuthorized.into());
    }
    let deed = Deed::check(connection, touches, by, now)?;
    let subject = read::subject(connection, new.subject)?.ok_or(Refused::SubjectUnknown)?;
    match deed.administers(&subject) {
        Ok(()) => {}
        Err(Refused::NotAuthorized) => return Err(Refused::ReissueNotAllowed.into()),
        Err(other) => return Err(other.into()),
    }
    // An administrator's code takes a maker and a checker, whoever the operator is (REI-30).
    if matches!(by, Actor::Operator(_)) && subject.role == Role::Administrator {
        return Err(Refused::ReissueNotAllowed.into());
    }
    insert(connection, new, &subject, deed.principal, None, now)
}

const INSERT: &str = "
    INSERT INTO reissue (id, subject, reason, enrollment_key, created, expires, state)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";

fn insert(
    connection: &Connection,
    new: &NewReissue,
    subject: &SubjectRow,
    by: Principal,
    form: Option<&str>,
    now: Time,
) -> Result<(ReissueRow, bool), Failure> {
    if let Some(there) = read::reissue(connection, new.id)? {
        let same = there.subject == new.subject
            && there.subject_name == new.subject_name
            && there.reason == new.reason
            && there.enrollment_key == new.enrollment_key;
        return if same { Ok((there, false)) } else { Err(Refused::ReissueConflict.into()) };
    }
    if subject.name != new.subject_name {
        return Err(Refused::SubjectMismatch.into());
    }
    run(connection, now, "reissueOpened", by, |transition| {
        let opened = Reissue::open(new.expires, revocation_of(new.reason));
        let line = ReissueLine {
            id: new.id,
            subject: subject.id,
            contract: subject.contract,
            reason: new.reason,
            state: opened.state,
            order: None,
        };
        for effect in opened.effects {
            transition.reissue_effect(&line, *effect)?;
        }
        let state = reissue_text(&opened.state);
        execute(
            connection,
            INSERT,
            params![
                new.id,
                subject.id,
                Sql(new.reason),
                new.enrollment_key,
                Sql(now),
                Sql(new.expires),
                state
            ],
        )?;
        transition.changed(subject.contract, Object::Reissue, &new.id, state);
        let entry = transition.entry(Chain::Contract(subject.contract));
        entry.say("subject", subject.id.to_string());
        entry.say("reason", new.reason.text());
        if let Some(form) = form {
            entry.say("form", form);
        }
        let row = read::reissue(connection, new.id)?
            .ok_or_else(|| StoreError::Corrupt("the new reissue is missing".to_owned()))?;
        Ok((row, true))
    })
}

/// Cancels a reissue.
pub(super) fn cancel(
    connection: &Connection,
    touches: &Touches,
    id: ReissueId,
    by: &Actor,
    now: Time,
) -> Result<ReissueRow, Failure> {
    if matches!(by, Actor::Certificate(_)) {
        return Err(Refused::NotAuthorized.into());
    }
    let deed = Deed::check(connection, touches, by, now)?;
    let there = read::reissue(connection, id)?.ok_or(Refused::NotFound)?;
    let subject = read::subject(connection, there.subject)?.ok_or(Refused::NotFound)?;
    deed.administers(&subject).map_err(|_| Refused::NotFound)?;
    run(connection, now, "reissueCanceled", deed.principal, |transition| {
        transition.reissue_event(id, Event::Cancel { now })?;
        Ok(read::reissue(connection, id)?.ok_or(Refused::NotFound)?)
    })
}

/// Redeems a code.
pub(super) fn enroll(
    connection: &Connection,
    enroll: &Enroll,
    now: Time,
) -> Result<Placed, Failure> {
    let by = Principal::Key(enroll.key.to_string());
    run(connection, now, "enrolled", by, |transition| {
        let line = transition
            .find_reissue(enroll.reissue)?
            .ok_or(Refused::EnrollmentRefused { role: Role::User })?;
        let subject = read::subject(connection, line.subject)?
            .ok_or_else(|| StoreError::Corrupt("a reissue has no subject".to_owned()))?;
        if let Some(order) = line.order {
            let order = read::order_that_is(connection, order)?;
            if order.key == enroll.key {
                transition.reissue_event(line.id, Event::RedeemAgain)?;
                return Ok(Placed { order, created: false });
            }
        }
        if subject.disabled {
            return Err(Refused::SubjectDisabled.into());
        }
        transition.reissue_event(line.id, Event::Redeem { now })?;
        transition.pin_verified(&subject, &enroll.pin)?;
        place(transition, enroll, &subject)
    })
}

fn place(
    transition: &mut Transition<'_>,
    enroll: &Enroll,
    subject: &SubjectRow,
) -> Result<Placed, Failure> {
    let placed = Order::enrollment();
    let new = New {
        id: enroll.order,
        subject: subject.id,
        replaces: None,
        reissue: Some(enroll.reissue),
        key: enroll.key,
        key_store: &enroll.key_store,
        environment: Some(&enroll.environment),
        csr: &enroll.csr,
        state: placed.state,
    };
    let line = transition.insert_order(&new, enroll.issued.as_ref())?;
    for effect in placed.effects {
        transition.order_effect(&line, *effect)?;
    }
    let entry = transition.entry(Chain::Contract(subject.contract));
    entry.say("order", enroll.order.to_string());
    entry.say("subject", subject.id.to_string());
    entry.say("reissue", enroll.reissue.to_string());
    let order = read::order_that_is(transition.connection, enroll.order)?;
    Ok(Placed { order, created: true })
}

const INSERT_REQUEST: &str = "
    INSERT INTO reissue_request (id, subject, reason, form, maker, created)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
const APPROVE: &str = "
    UPDATE reissue_request SET checker = ?2, approved = ?3, reissue = ?4
    WHERE id = ?1 AND checker IS NULL";
macro_rules! requests {
    ($where:literal) => {
        concat!(
            "SELECT id, subject, reason, form, maker, created, checker, approved, reissue
             FROM reissue_request ",
            $where
        )
    };
}
const REQUEST: &str = requests!("WHERE id = ?1");
const REQUESTS: &str = requests!("WHERE checker IS NULL ORDER BY created");

fn request_row(row: &rusqlite::Row<'_>) -> rusqlite::Result<RequestRow> {
    let approved = match row.get::<_, Option<String>>("checker")? {
        Some(checker) => Some(Approval {
            checker,
            at: row.get::<_, Sql<Time>>("approved")?.0,
            reissue: row.get("reissue")?,
        }),
        None => None,
    };
    Ok(RequestRow {
        id: row.get("id")?,
        subject: row.get("subject")?,
        reason: row.get::<_, Sql<Reason>>("reason")?.0,
        form: row.get("form")?,
        maker: row.get("maker")?,
        created: row.get::<_, Sql<Time>>("created")?.0,
        approved,
    })
}

/// The requests that wait for a checker.
pub(super) fn requests(connection: &Connection) -> Result<Vec<RequestRow>, StoreError> {
    all(connection, REQUESTS, [], request_row)
}

/// The maker's half.
pub(super) fn request(
    connection: &Connection,
    new: &NewRequest,
    maker: &str,
    now: Time,
) -> Result<RequestRow, Failure> {
    signer::operator(connection, maker)?;
    let subject = read::subject(connection, new.subject)?.ok_or(Refused::SubjectUnknown)?;
    let by = Principal::Operator(maker.to_owned());
    run(connection, now, "reissueRequested", by, |transition| {
        execute(
            connection,
            INSERT_REQUEST,
            params![new.id, new.subject, Sql(new.reason), new.form, maker, Sql(now)],
        )?;
        transition.changed(subject.contract, Object::Request, &new.id, "requested");
        let entry = transition.entry(Chain::Contract(subject.contract));
        entry.say("subject", subject.id.to_string());
        entry.say("reason", new.reason.text());
        entry.say("form", new.form.as_str());
        Ok(one(connection, REQUEST, [new.id], request_row)?.ok_or(Refused::NotFound)?)
    })
}

/// The checker's half.
pub(super) fn approve(
    connection: &Connection,
    id: RequestId,
    new: &NewReissue,
    checker: &str,
    now: Time,
) -> Result<ReissueRow, Failure> {
    signer::operator(connection, checker)?;
    let request = one(connection, REQUEST, [id], request_row)?.ok_or(Refused::NotFound)?;
    if request.maker == checker {
        return Err(Refused::Operator(OperatorRefused::SamePerson).into());
    }
    if request.approved.is_some() {
        return Err(Refused::Operator(OperatorRefused::AlreadyApproved).into());
    }
    if new.subject != request.subject || new.reason != request.reason {
        return Err(Refused::SubjectMismatch.into());
    }
    let subject = read::subject(connection, new.subject)?.ok_or(Refused::SubjectUnknown)?;
    let by = Principal::Operator(checker.to_owned());
    let (row, created) = insert(connection, new, &subject, by.clone(), Some(&request.form), now)?;
    if !created {
        return Err(Refused::ReissueConflict.into());
    }
    run(connection, now, "reissueApproved", by, |transition| {
        execute(connection, APPROVE, params![id, checker, Sql(now), new.id])?;
        transition.changed(subject.contract, Object::Request, &id, "approved");
        let entry = transition.entry(Chain::Contract(subject.contract));
        entry.say("maker", request.maker.as_str());
        entry.say("reissue", new.id.to_string());
        Ok(row)
    })
}
