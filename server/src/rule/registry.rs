//! What the bank's staff does to subjects: adding, disabling, taking in certificates of before (SPEC.md 14).

use koshin_protocol::cert_id::CertId;
use koshin_protocol::state::certificate::{Certificate as State, Event, Validity};
use koshin_protocol::state::order;
use koshin_protocol::time::Time;

use super::actor::Authority;
use super::cause::Cause;
use super::command::{Import, ImportOutcome, ImportRefused, NewSubject};
use super::refused::Failure;
use super::subject::{Certificate, Origin, Subject};
use super::transition::{Name, Transition};
use super::{Judged, Known};
use crate::id::Fingerprint;

/// A new subject.
pub fn add(new: &NewSubject, by: &Authority, now: Time) -> Result<Judged<()>, Failure> {
    by.is_staff()?;
    let name = (new.name.clone(), new.name_der.clone());
    let subject = Subject::new(new.id, new.contract, name, new.role, new.pin_hash.clone());
    Ok(Judged::done(added(&subject, by, now, "subjectAdded")))
}

fn added(subject: &Subject, by: &Authority, now: Time, event: &'static str) -> Transition {
    let mut transition = Transition::new(subject, now, event, by.principal());
    transition.rows.names.push(Name::Subject(subject.id));
    transition.rows.names.push(Name::SubjectName(subject.name_key()));
    transition.entry.change("subject", &subject.id, "enabled");
    transition.entry.say("contract", subject.contract.to_string());
    transition.entry.say("name", subject.name.as_str());
    transition.entry.say("role", subject.role.as_str());
    transition
}

/// Disables or enables a subject. Everything that its certificates sign is refused meanwhile.
pub fn set_disabled(
    known: &Known,
    disabled: bool,
    by: &Authority,
    now: Time,
) -> Result<Judged<()>, Failure> {
    by.is_staff()?;
    let (event, state) =
        if disabled { ("subjectDisabled", "disabled") } else { ("subjectEnabled", "enabled") };
    let mut transition = Transition::new(&known.subject, now, event, by.principal());
    transition.subject.disabled = disabled;
    transition.entry.change("subject", &known.subject.id, state);
    Ok(Judged::done(transition))
}

/// What the registry has of a certificate that is to be taken in.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// The subject of its name.
    pub subject: Option<Known>,
    /// The very certificate is there, of this subject and its contract.
    pub same: Option<(crate::id::SubjectId, crate::id::ContractId)>,
    /// Another certificate has its certID.
    pub serial_taken: bool,
    /// A certificate or an order has its key.
    pub key_taken: bool,
}

/// Takes in a certificate of another CA, or of before, as its subject's current one.
pub fn import(
    found: &Found,
    import: &Import,
    number: u64,
    by: &Authority,
    now: Time,
) -> Result<Judged<ImportOutcome>, Failure> {
    by.is_staff()?;
    if let Some((subject, contract)) = found.same {
        return Ok(Judged::already(if contract == import.contract {
            ImportOutcome::Unchanged { subject }
        } else {
            ImportOutcome::Refused(ImportRefused::OtherContract)
        }));
    }
    if let Some(refused) = refuse(found, import, now) {
        return Ok(Judged::already(ImportOutcome::Refused(refused)));
    }
    let certificate = &import.certificate;
    let event = "certificateImported";
    let (subject_created, mut transition) = match &found.subject {
        Some(known) => (false, Transition::new(&known.subject, now, event, by.principal())),
        None => {
            let name = certificate.subject();
            let name = (name.as_str().to_owned(), name.der().to_vec());
            let subject = Subject::new(import.subject, import.contract, name, import.role, None);
            (true, added(&subject, by, now, event))
        }
    };
    if let Some(former) = transition.subject.current().cloned() {
        supersede(&mut transition, &former)?;
    }
    let id = CertId::of(certificate);
    let key = certificate.key().thumbprint();
    transition.rows.names.push(Name::Key(key));
    transition.entry.change("certificate", &id, State::Current.as_str());
    let imported = Certificate {
        number,
        id,
        fingerprint: Fingerprint::from_bytes(certificate.fingerprint()),
        key,
        order: None,
        replaces: None,
        key_store: None,
        not_before: certificate.not_before(),
        not_after: certificate.not_after(),
        state: State::Current,
        deferrals: 0,
        deferred_at: None,
    };
    transition.add_certificate(imported, certificate.der(), None);
    let subject = transition.subject.id;
    let answer = ImportOutcome::Imported { subject, subject_created };
    Ok(Judged { change: Some(transition.end()), answer })
}

/// The imported certificate takes the place of one that has expired, as a renewal of it would: its holder is told the other
/// one, and what brought it cannot be rolled back any more.
fn supersede(transition: &mut Transition, former: &Certificate) -> Result<(), Failure> {
    if let Some(own) = former.order.filter(|own| transition.subject.order(*own).is_some()) {
        transition.order_event(own, order::Event::SuccessorOrdered)?;
    }
    transition.certificate_event(former.number, Event::Superseded, Cause::OrderEnded)
}

fn refuse(found: &Found, import: &Import, now: Time) -> Option<ImportRefused> {
    if now > import.certificate.not_after() {
        return Some(ImportRefused::Expired);
    }
    let subject = found.subject.as_ref().map(|known| &known.subject);
    if let Some(subject) = subject {
        if subject.contract != import.contract {
            return Some(ImportRefused::OtherContract);
        }
        if subject.role != import.role {
            return Some(ImportRefused::OtherRole);
        }
    }
    if found.serial_taken {
        return Some(ImportRefused::SerialReused);
    }
    if let Some(current) = subject.and_then(Subject::current)
        && current.validity(now) != Validity::Over
    {
        return Some(ImportRefused::OtherCurrent);
    }
    if let Some(current) = subject.and_then(Subject::current)
        && subject.and_then(Subject::open_order).map(|open| open.origin)
            == Some(Origin::Renewal(current.number))
    {
        return Some(ImportRefused::OrderOpen);
    }
    found.key_taken.then_some(ImportRefused::KeyReused)
}
