//! Opening and canceling reissues (SPEC.md 7.15, 7.16, 10.4, 13).

use koshin_protocol::problem::Token;
use koshin_protocol::state::reissue::{Event, Reissue as State, Revocation};
use koshin_protocol::time::Time;

use super::actor::Authority;
use super::command::NewReissue;
use super::refused::{Failure, OrderRefused, Refused};
use super::row::{Reason, ReissueRow, Role};
use super::subject::{Reissue, Subject};
use super::transition::reissue::word;
use super::transition::{Name, Transition};
use super::{Judged, Known};
use crate::id::ReissueId;

/// The refusal of a reissue's machine.
pub(super) fn refused(subject: &Subject, reissue: &Reissue, token: Token) -> Failure {
    let role = subject.role;
    match token {
        Token::EnrollmentUsed => Refused::EnrollmentUsed { role }.into(),
        Token::EnrollmentExpired => Refused::EnrollmentExpired { role }.into(),
        Token::EnrollmentCanceled => Refused::EnrollmentCanceled { role }.into(),
        Token::ReissueClosed => Refused::ReissueClosed.into(),
        other => match reissue.order.and_then(|order| subject.order(order)) {
            Some(order) => Refused::Order(OrderRefused {
                token: other,
                order: order.id,
                key: order.key,
                successor: order
                    .certificate
                    .and_then(|number| subject.certificate(number))
                    .map(|certificate| certificate.id.clone()),
                predecessor: None,
            })
            .into(),
            None => Failure::corrupt(format_args!("reissue {} has no order", reissue.id)),
        },
    }
}

/// Who opens a reissue, and on what paper.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Opener<'a> {
    /// An administrator, or an operator for a user.
    One(&'a Authority),
    /// A checker, who approves what a maker requested with this paper form (REI-30).
    Two {
        /// The checker.
        checker: &'a Authority,
        /// The number of the paper form.
        form: &'a str,
    },
}

/// Opens a reissue. The same id with the same content gives the same one, with `false`.
///
/// `taken`: some reissue of the bank has that id.
pub fn open(
    known: &Known,
    new: &NewReissue,
    by: &Opener<'_>,
    taken: bool,
    now: Time,
) -> Result<Judged<(ReissueRow, bool)>, Failure> {
    let subject = &known.subject;
    let (authority, form) = match by {
        Opener::One(authority) => {
            may_open(authority, subject)?;
            (*authority, None)
        }
        Opener::Two { checker, form } => (*checker, Some(*form)),
    };
    if let Some(there) = subject.reissue(new.id) {
        let same = subject.name == new.subject_name
            && there.reason == new.reason
            && there.enrollment_key == new.enrollment_key;
        return if same {
            Ok(Judged::already((known.reissue_row(there), false))) // REI-05
        } else {
            Err(Refused::ReissueConflict.into())
        };
    }
    if taken {
        return Err(match subject.chapter {
            Some(_) => Failure::Chapter,
            None => Refused::ReissueConflict.into(),
        });
    }
    if subject.name != new.subject_name {
        return Err(Refused::SubjectMismatch.into());
    }
    let mut transition = Transition::new(subject, now, "reissueOpened", authority.principal());
    let opened = State::open(new.expires, revocation_of(new.reason));
    let reissue = Reissue {
        id: new.id,
        reason: new.reason,
        enrollment_key: new.enrollment_key.clone(),
        created: now,
        expires: new.expires,
        state: opened.state,
        order: None,
    };
    for effect in opened.effects {
        transition.reissue_effect(&reissue, *effect)?;
    }
    transition.entry.change("reissue", &new.id, word(opened.state));
    transition.entry.say("reason", new.reason.as_str());
    if let Some(form) = form {
        transition.entry.say("form", form);
    }
    transition.rows.names.push(Name::Reissue(new.id));
    transition.subject.reissues.push(reissue.clone());
    Judged::of(known, transition, |after| Ok((after.reissue_row(&reissue), true)))
}

fn may_open(authority: &Authority, subject: &Subject) -> Result<(), Refused> {
    match authority.administers(subject) {
        Ok(()) => {}
        Err(Refused::NotAuthorized) => return Err(Refused::ReissueNotAllowed),
        Err(other) => return Err(other),
    }
    // An administrator's code takes a maker and a checker, whoever the operator is (REI-30).
    match (authority, subject.role) {
        (Authority::Operator(_), Role::Administrator) => Err(Refused::ReissueNotAllowed),
        (Authority::Operator(_) | Authority::Administrator { .. }, Role::User)
        | (Authority::Administrator { .. }, Role::Administrator)
        | (Authority::Bank, _) => Ok(()),
    }
}

/// When a reissue for this reason revokes (SPEC.md 13.1).
fn revocation_of(reason: Reason) -> Revocation {
    if reason.revokes_at_once() { Revocation::AtOnce } else { Revocation::AtConfirmation }
}

/// Cancels a reissue.
pub fn cancel(
    known: &Known,
    id: ReissueId,
    by: &Authority,
    now: Time,
) -> Result<Judged<ReissueRow>, Failure> {
    by.administers(&known.subject).map_err(|_| Refused::NotFound)?;
    let before = match known.subject.reissue(id) {
        Some(reissue) => reissue,
        None if known.subject.chapter.is_some() => return Err(Failure::Chapter),
        None => return Err(Refused::NotFound.into()),
    };
    let mut transition = Transition::new(&known.subject, now, "reissueCanceled", by.principal());
    transition.reissue_event(id, Event::Cancel { now })?;
    if transition.reissue(id)?.state == before.state {
        return Ok(Judged::already(known.reissue_row(before)));
    }
    Judged::of(known, transition, |after| {
        let reissue = after.subject.reissue(id).ok_or(Refused::NotFound)?;
        Ok(after.reissue_row(reissue))
    })
}
