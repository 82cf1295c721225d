//! Revoking certificates (SPEC.md 7.20).

use koshin_protocol::cert_id::CertId;
use koshin_protocol::state::certificate::{Certificate as State, Event, Use};
use koshin_protocol::time::Time;

use super::actor::{self, Authority};
use super::cause::Cause;
use super::command::Revoke;
use super::refused::{Failure, Refused};
use super::subject::{Certificate, Subject};
use super::transition::Transition;
use super::{Judged, Known};
use crate::id::Fingerprint;

/// Revokes a certificate on its own word: itself, and no successor (REV-02).
pub fn itself(
    known: &Known,
    by: Fingerprint,
    revoke: &Revoke,
    now: Time,
) -> Result<Judged<Vec<CertId>>, Failure> {
    let certificate = known.certificate_by(by)?;
    if certificate.id != revoke.certificate || revoke.include_successors {
        return Err(Refused::NotAuthorized.into());
    }
    actor::admit(known, certificate, Use::RevokeItself, now)?;
    carry_out(known, certificate, revoke, by.into(), now)
}

/// Revokes a certificate on the word of an administrator, an operator or the bank. The answer names everything that is
/// revoked of it and its successors, by or before this.
pub fn of_another(
    known: &Known,
    by: &Authority,
    revoke: &Revoke,
    now: Time,
) -> Result<Judged<Vec<CertId>>, Failure> {
    by.administers(&known.subject).map_err(|refused| match refused {
        Refused::SubjectUnknown => Refused::NotFound,
        other => other,
    })?;
    // Successors may stand in any chapter.
    if known.subject.chapter.is_some() {
        return Err(Failure::Chapter);
    }
    let certificates = known.subject.certificates.iter();
    let mut named = certificates.filter(|certificate| certificate.id == revoke.certificate);
    let certificate = named.next().ok_or(Refused::NotFound)?;
    carry_out(known, certificate, revoke, by.principal(), now)
}

fn carry_out(
    known: &Known,
    certificate: &Certificate,
    revoke: &Revoke,
    by: crate::audit::Principal,
    now: Time,
) -> Result<Judged<Vec<CertId>>, Failure> {
    let cause = Cause::Asked(revoke.reason);
    let successors = descendants(&known.subject, certificate.number);
    let mut transition = Transition::new(&known.subject, now, "certificateRevoked", by);
    transition.certificate_event(certificate.number, Event::Revoked, cause)?;
    if revoke.include_successors {
        for number in &successors {
            transition.certificate_event(*number, Event::Revoked, cause)?;
        }
    }
    let revoked = |subject: &Subject| {
        let successors = successors.iter().filter_map(|number| subject.certificate(*number));
        let revoked = successors.filter(|successor| successor.state == State::Revoked);
        std::iter::once(certificate).chain(revoked).map(|found| found.id.clone()).collect()
    };
    if transition.subject == known.subject {
        return Ok(Judged::already(revoked(&known.subject)));
    }
    Judged::of(known, transition, |after| Ok(revoked(&after.subject)))
}

/// The numbers of all certificates that descend from this one, nearest first.
fn descendants(subject: &Subject, number: u64) -> Vec<u64> {
    let mut line = vec![number];
    let mut next = 0;
    while let Some(&of) = line.get(next) {
        let children = subject.certificates.iter().filter(|child| child.replaces == Some(of));
        line.extend(children.map(|child| child.number));
        next += 1;
    }
    line.remove(0);
    line
}
