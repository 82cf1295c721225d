//! Contracts, subjects, PINs, operators, imported certificates.

use koshin_protocol::cert_id::CertId;
use koshin_protocol::state::session::Need;
use koshin_protocol::state::{certificate, order};
use koshin_protocol::subject::SubjectName;
use koshin_protocol::time::Time;
use rusqlite::{Connection, params};

use super::column::{Sql, Text, all, execute, one};
use super::read;
use super::revocation::Cause;
use super::session::pin_verified;
use super::signer::{self, Deed};
use super::touch::Touches;
use super::transition::{Transition, run};
use crate::audit::{Chain, Principal};
use crate::store::change::{
    Actor, Attempt, Import, ImportOutcome, ImportRefused, NewContract, NewSubject, PinCheck,
};
use crate::store::id::{ContractId, Fingerprint, SubjectId};
use crate::store::row::{ContractLine, OperatorRow, SubjectRow};
use crate::store::{Failure, OperatorRefused, PIN_ATTEMPTS, Refused, StoreError};

const CONTRACT: &str = "SELECT name FROM contract WHERE id = ?1";
const INSERT_CONTRACT: &str = "INSERT INTO contract (id, name, created) VALUES (?1, ?2, ?3)";

/// Adds a contract.
pub(super) fn add_contract(
    connection: &Connection,
    new: &NewContract,
    by: &Actor,
    now: Time,
) -> Result<(), Failure> {
    let deed = Deed::check_staff(connection, by)?;
    let there: Option<String> = one(connection, CONTRACT, [new.id], |row| row.get(0))?;
    match there {
        Some(name) if name == new.name => return Ok(()),
        Some(_) => return Err(Refused::Operator(OperatorRefused::Conflict).into()),
        None => {}
    }
    run(connection, now, "contractAdded", deed.principal, |transition| {
        execute(connection, INSERT_CONTRACT, params![new.id, new.name, Sql(now)])?;
        transition.changed(new.id, "contract", &new.id, "enabled");
        transition.entry(Chain::Contract(new.id)).say("name", new.name.as_str());
        Ok(())
    })
}

const CONTRACTS: &str = "
    SELECT id, name, disabled, created, (SELECT count(*) FROM subject WHERE contract = listed.id)
    FROM contract AS listed ORDER BY name";

/// Every contract.
pub(super) fn contracts(connection: &Connection) -> Result<Vec<ContractLine>, StoreError> {
    all(connection, CONTRACTS, [], |row| {
        Ok(ContractLine {
            id: row.get(0)?,
            name: row.get(1)?,
            disabled: row.get(2)?,
            created: row.get::<_, Sql<Time>>(3)?.0,
            subjects: row.get::<_, i64>(4)?.unsigned_abs(),
        })
    })
}

const INSERT_SUBJECT: &str = "
    INSERT INTO subject (id, contract, name, name_der, role, pin_hash, created)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";

/// Adds a subject.
pub(super) fn add_subject(
    connection: &Connection,
    new: &NewSubject,
    by: &Actor,
    now: Time,
) -> Result<SubjectRow, Failure> {
    let deed = Deed::check_staff(connection, by)?;
    run(connection, now, "subjectAdded", deed.principal, |transition| {
        let contract: Option<String> = one(connection, CONTRACT, [new.contract], |row| row.get(0))?;
        if contract.is_none() {
            return Err(Refused::Operator(OperatorRefused::ContractUnknown).into());
        }
        let taken = read::subject(connection, new.id)?.is_some()
            || read::subject_by_name(connection, &new.name)?.is_some();
        if taken {
            return Err(Refused::Operator(OperatorRefused::Conflict).into());
        }
        execute(
            connection,
            INSERT_SUBJECT,
            params![
                new.id,
                new.contract,
                new.name.as_str(),
                new.name.der(),
                Sql(new.role),
                new.pin_hash,
                Sql(now)
            ],
        )?;
        transition.changed(new.contract, "subject", &new.id, "enabled");
        let entry = transition.entry(Chain::Contract(new.contract));
        entry.say("name", new.name.as_str());
        entry.say("role", new.role.text());
        Ok(read::subject(connection, new.id)?.ok_or(Refused::SubjectUnknown)?)
    })
}

const SUBJECT_DISABLED: &str = "UPDATE subject SET disabled = ?2 WHERE id = ?1";
const CONTRACT_DISABLED: &str = "UPDATE contract SET disabled = ?2 WHERE id = ?1";

/// Disables or enables a subject.
pub(super) fn set_subject_disabled(
    connection: &Connection,
    subject: SubjectId,
    disabled: bool,
    by: &Actor,
    now: Time,
) -> Result<(), Failure> {
    let deed = Deed::check_staff(connection, by)?;
    let subject = read::subject(connection, subject)?.ok_or(Refused::SubjectUnknown)?;
    let (event, state) =
        if disabled { ("subjectDisabled", "disabled") } else { ("subjectEnabled", "enabled") };
    run(connection, now, event, deed.principal, |transition| {
        execute(connection, SUBJECT_DISABLED, params![subject.id, disabled])?;
        transition.changed(subject.contract, "subject", &subject.id, state);
        Ok(())
    })
}

/// Disables or enables a contract.
pub(super) fn set_contract_disabled(
    connection: &Connection,
    contract: ContractId,
    disabled: bool,
    by: &Actor,
    now: Time,
) -> Result<(), Failure> {
    let deed = Deed::check_staff(connection, by)?;
    let (event, state) =
        if disabled { ("contractDisabled", "disabled") } else { ("contractEnabled", "enabled") };
    run(connection, now, event, deed.principal, |transition| {
        if execute(connection, CONTRACT_DISABLED, params![contract, disabled])? == 0 {
            return Err(Refused::Operator(OperatorRefused::ContractUnknown).into());
        }
        transition.changed(contract, "contract", &contract, state);
        Ok(())
    })
}

const PIN: &str = "SELECT pin_hash, pin_attempts FROM subject WHERE id = ?1";
const SET_ATTEMPTS: &str = "UPDATE subject SET pin_attempts = ?2 WHERE id = ?1";
const SET_PIN: &str =
    "UPDATE subject SET pin_hash = ?2, pin_attempts = 0, pin_set = ?3 WHERE id = ?1";

/// Counts an attempt before it is made.
pub(super) fn begin_pin_attempt(
    connection: &Connection,
    id: SubjectId,
    now: Time,
) -> Result<Attempt, Failure> {
    let subject = read::subject(connection, id)?.ok_or(Refused::SubjectUnknown)?;
    let pin = one(connection, PIN, [id], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let (hash, attempts): (Option<String>, u32) = pin.ok_or(Refused::SubjectUnknown)?;
    if hash.is_none() {
        return Ok(Attempt { hash, left: PIN_ATTEMPTS });
    }
    if attempts >= PIN_ATTEMPTS {
        return Err(Refused::PinLocked { role: subject.role }.into());
    }
    let attempts = attempts + 1;
    run(connection, now, "pinAttempted", Principal::Bank, |transition| {
        execute(connection, SET_ATTEMPTS, params![id, attempts])?;
        let entry = transition.entry(Chain::Contract(subject.contract));
        entry.say("subject", id.to_string());
        entry.say("attempt", attempts);
        Ok(Attempt { hash, left: PIN_ATTEMPTS - attempts })
    })
}

const RESET: &str = "
    UPDATE subject SET pin_attempts = 0 WHERE id = ?1 AND pin_hash = ?2 AND pin_attempts <> 0";

/// Starts the count anew after a right PIN whose request was refused for something else.
pub(super) fn pin_was_right(
    connection: &Connection,
    id: SubjectId,
    hash: &str,
    now: Time,
) -> Result<(), Failure> {
    let subject = read::subject(connection, id)?.ok_or(Refused::SubjectUnknown)?;
    if execute(connection, RESET, params![id, hash])? == 0 {
        return Ok(());
    }
    run(connection, now, "pinVerified", Principal::Bank, |transition| {
        transition.entry(Chain::Contract(subject.contract)).say("subject", id.to_string());
        Ok(())
    })
}

/// Lets a PIN be tried again.
pub(super) fn unlock(
    connection: &Connection,
    touches: &Touches,
    id: SubjectId,
    by: &Actor,
    now: Time,
) -> Result<(), Failure> {
    if matches!(by, Actor::Certificate(_)) {
        return Err(Refused::NotAuthorized.into());
    }
    let deed = Deed::check(connection, touches, by, now)?;
    let subject = read::subject(connection, id)?.ok_or(Refused::SubjectUnknown)?;
    deed.administers(&subject)?;
    run(connection, now, "pinUnlocked", deed.principal, |transition| {
        execute(connection, SET_ATTEMPTS, params![id, 0])?;
        transition.entry(Chain::Contract(subject.contract)).say("subject", id.to_string());
        Ok(())
    })
}

/// Sets a PIN: a subject its own, having shown the old one; the bank anybody's.
pub(super) fn set_pin_hash(
    connection: &Connection,
    touches: &Touches,
    id: SubjectId,
    hash: &str,
    old: &PinCheck,
    by: &Actor,
    now: Time,
) -> Result<(), Failure> {
    let principal = match by {
        Actor::Session(session) => {
            let (session, _) = signer::session(connection, touches, *session, Need::Renewal, now)?;
            if session.holder.subject.id != id || *old == PinCheck::NotAsked {
                return Err(Refused::NotAuthorized.into());
            }
            signer::principal(&session)
        }
        Actor::Certificate(_) | Actor::Operator(_) | Actor::Bank => {
            Deed::check_staff(connection, by)?.principal
        }
    };
    let subject = read::subject(connection, id)?.ok_or(Refused::SubjectUnknown)?;
    run(connection, now, "pinSet", principal, |transition| {
        pin_verified(connection, id, old)?;
        execute(connection, SET_PIN, params![id, hash, Sql(now)])?;
        transition.entry(Chain::Contract(subject.contract)).say("subject", id.to_string());
        Ok(())
    })
}

const OPERATOR: &str = "SELECT 1 FROM operator WHERE name = ?1";
const SOME_OPERATOR: &str = "SELECT 1 FROM operator LIMIT 1";
const ENABLED: &str = "SELECT count(*) FROM operator WHERE disabled IS NULL";
const OPERATORS: &str = "SELECT name, created, disabled FROM operator ORDER BY name";
const CREDENTIAL: &str =
    "SELECT credential_hash FROM operator WHERE name = ?1 AND disabled IS NULL";
const INSERT_OPERATOR: &str =
    "INSERT INTO operator (name, credential_hash, created) VALUES (?1, ?2, ?3)";
const DISABLE_OPERATOR: &str =
    "UPDATE operator SET disabled = ?2 WHERE name = ?1 AND disabled IS NULL";

/// Every operator.
pub(super) fn operators(connection: &Connection) -> Result<Vec<OperatorRow>, StoreError> {
    all(connection, OPERATORS, [], |row| {
        Ok(OperatorRow {
            name: row.get(0)?,
            created: row.get::<_, Sql<Time>>(1)?.0,
            disabled: row.get::<_, Option<Sql<Time>>>(2)?.map(|time| time.0),
        })
    })
}

/// The hash of an enabled operator's credential.
pub(super) fn credential(
    connection: &Connection,
    name: &str,
) -> Result<Option<String>, StoreError> {
    one(connection, CREDENTIAL, [name], |row| row.get(0))
}

/// Adds an operator.
pub(super) fn add_operator(
    connection: &Connection,
    name: &str,
    credential_hash: &str,
    by: &Actor,
    now: Time,
) -> Result<(), Failure> {
    let deed = Deed::check_staff(connection, by)?;
    let others: Option<i64> = one(connection, SOME_OPERATOR, [], |row| row.get(0))?;
    if *by == Actor::Bank && others.is_some() {
        return Err(Refused::Operator(OperatorRefused::NotTheFirst).into());
    }
    let taken: Option<i64> = one(connection, OPERATOR, [name], |row| row.get(0))?;
    if taken.is_some() {
        return Err(Refused::Operator(OperatorRefused::NameTaken).into());
    }
    run(connection, now, "operatorAdded", deed.principal, |transition| {
        execute(connection, INSERT_OPERATOR, params![name, credential_hash, Sql(now)])?;
        transition.entry(Chain::Bank).change("operator", &name, "enabled");
        Ok(())
    })
}

/// Writes down that somebody was not believed to be an operator.
pub(super) fn operator_refused(
    connection: &Connection,
    name: String,
    now: Time,
) -> Result<(), Failure> {
    run(connection, now, "operatorRefused", Principal::Bank, |transition| {
        transition.entry(Chain::Bank).say("claimed", name);
        Ok(())
    })
}

/// Disables an operator.
pub(super) fn disable_operator(
    connection: &Connection,
    name: &str,
    by: &Actor,
    now: Time,
) -> Result<(), Failure> {
    let deed = Deed::check_staff(connection, by)?;
    run(connection, now, "operatorDisabled", deed.principal, |transition| {
        if execute(connection, DISABLE_OPERATOR, params![name, Sql(now)])? == 0 {
            return Err(Refused::Operator(OperatorRefused::Unknown).into());
        }
        if one(connection, ENABLED, [], |row| row.get(0))? == Some(0) {
            return Err(Refused::Operator(OperatorRefused::LastOne).into());
        }
        transition.entry(Chain::Bank).change("operator", &name, "disabled");
        Ok(())
    })
}

/// Takes in certificates. A dry run is undone by its caller.
pub(super) fn import(
    connection: &Connection,
    imports: &[Import],
    by: &Actor,
    now: Time,
) -> Result<Vec<ImportOutcome>, Failure> {
    let deed = Deed::check_staff(connection, by)?;
    imports
        .iter()
        .map(|certificate| import_one(connection, certificate, deed.principal.clone(), now))
        .collect()
}

const CURRENT: &str =
    "SELECT id, not_after FROM certificate WHERE subject = ?1 AND state = 'current'";
const OPEN_ORDER: &str =
    "SELECT 1 FROM orders WHERE replaces = ?1 AND state IN ('processing', 'valid')";
const SERIAL: &str = "SELECT 1 FROM certificate WHERE cert_id = ?1";
const LISTED: &str = "SELECT 1 FROM revocation WHERE issuer = ?1 AND serial = ?2";
const INSERT_CERTIFICATE: &str = "
    INSERT INTO certificate (cert_id, issuer, serial, fingerprint, key, subject, not_before,
                             not_after, state, stored, der)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 'current', ?9, ?10)";

fn import_one(
    connection: &Connection,
    import: &Import,
    by: Principal,
    now: Time,
) -> Result<ImportOutcome, Failure> {
    let certificate = &import.certificate;
    let fingerprint = Fingerprint::from_bytes(certificate.fingerprint());
    let cert_id = CertId::of(certificate);
    let refused = |why| Ok(ImportOutcome::Refused(why));
    if let Some(there) = read::holder_by_fingerprint(connection, fingerprint)? {
        let subject = there.holder.subject;
        return if subject.contract == import.contract {
            Ok(ImportOutcome::Unchanged { subject: subject.id })
        } else {
            refused(ImportRefused::OtherContract)
        };
    }
    let contract: Option<String> = one(connection, CONTRACT, [import.contract], |row| row.get(0))?;
    if contract.is_none() {
        return refused(ImportRefused::ContractUnknown);
    }
    if now > certificate.not_after() {
        return refused(ImportRefused::Expired);
    }
    let name = certificate.subject();
    if SubjectName::of(name).is_none() {
        return refused(ImportRefused::Nameless);
    }
    let there = read::subject_by_name(connection, name)?;
    if let Some(subject) = &there {
        if subject.contract != import.contract {
            return refused(ImportRefused::OtherContract);
        }
        if subject.role != import.role {
            return refused(ImportRefused::OtherRole);
        }
    }
    let serial: Option<i64> = one(connection, SERIAL, [Sql(&cert_id)], |row| row.get(0))?;
    if serial.is_some() {
        return refused(ImportRefused::SerialReused);
    }
    let name_on_list = params![cert_id.authority(), cert_id.serial()];
    let listed: Option<i64> = one(connection, LISTED, name_on_list, |row| row.get(0))?;
    if listed.is_some() {
        return refused(ImportRefused::Listed);
    }
    let subject = there.as_ref().map_or(import.subject, |subject| subject.id);
    let subject_created = there.is_none();
    if subject_created && read::subject(connection, subject)?.is_some() {
        return Err(Refused::Operator(OperatorRefused::Conflict).into());
    }
    let current = one(connection, CURRENT, [subject], |row| {
        Ok((row.get::<_, i64>(0)?, row.get::<_, Sql<Time>>(1)?.0))
    })?;
    if let Some((former, not_after)) = current {
        if now <= not_after {
            return refused(ImportRefused::OtherCurrent);
        }
        if one(connection, OPEN_ORDER, [former], |row| row.get::<_, i64>(0))?.is_some() {
            return refused(ImportRefused::OrderOpen);
        }
    }
    let key = certificate.key().thumbprint();
    let key_taken: Option<i64> = one(connection, KEY, [Sql(key)], |row| row.get(0))?;
    if key_taken.is_some() {
        return refused(ImportRefused::KeyReused);
    }
    run(connection, now, "certificateImported", by, |transition| {
        if let Some((former, _)) = current {
            transition.supersede_by_import(former)?;
        }
        if subject_created {
            execute(
                connection,
                INSERT_SUBJECT,
                params![
                    subject,
                    import.contract,
                    name.as_str(),
                    name.der(),
                    Sql(import.role),
                    None::<String>,
                    Sql(now)
                ],
            )?;
            transition.changed(import.contract, "subject", &subject, "enabled");
        }
        transition.take_key(key)?;
        execute(
            connection,
            INSERT_CERTIFICATE,
            params![
                Sql(&cert_id),
                cert_id.authority(),
                cert_id.serial(),
                fingerprint,
                Sql(key),
                subject,
                Sql(certificate.not_before()),
                Sql(certificate.not_after()),
                Sql(now),
                certificate.der()
            ],
        )?;
        transition.changed(import.contract, "certificate", &cert_id, "current");
        transition.entry(Chain::Contract(import.contract)).say("subject", subject.to_string());
        Ok(ImportOutcome::Imported { subject, subject_created })
    })
}

impl Transition<'_> {
    /// Another certificate takes the place of one that has expired, as a renewal of it would: its holder
    /// is told the other one, and what brought it cannot be rolled back any more.
    fn supersede_by_import(&mut self, former: i64) -> Result<(), Failure> {
        let line = self.certificate(former)?;
        if let Some(own) = line.from_order {
            self.order_event(own, order::Event::SuccessorOrdered)?;
        }
        self.certificate_event(former, certificate::Event::Superseded, Cause::OrderEnded)
    }
}

const KEY: &str = "SELECT 1 FROM taken_key WHERE thumbprint = ?1";
