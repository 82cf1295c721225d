//! A contract with its subjects and certificates, as operators see it.

use std::fmt::Write as _;

use koshin_protocol::cert_id::CertId;
use koshin_protocol::time::Time;
use koshin_server::store::id::ContractId;
use koshin_server::store::row::{CertificateEntry, ContractRow, SubjectEntry};
use koshin_server::store::{Shown, Store};
use serde_json::{Value, json};

use super::failure::Failure;

/// Subjects that are read at a time.
const AT_A_TIME: u32 = 1000;

/// A contract with all its subjects, read in pages, so that a bank that serves waits for none of them.
pub(crate) async fn whole(
    store: &dyn Store,
    contract: ContractId,
    now: Time,
) -> Result<ContractRow, Failure> {
    let page = async |after| {
        let shown = Shown::Some { after, most: AT_A_TIME };
        let row = store.contract(contract, shown, now).await?;
        row.ok_or_else(|| Failure::refused("no such contract"))
    };
    let mut row = page(None).await?;
    while let Some(last) = row.next {
        let further = page(Some(last)).await?;
        row.subjects.extend(further.subjects);
        row.next = further.next;
    }
    Ok(row)
}

/// The status page of a contract.
pub(crate) struct Page<'a> {
    pub(crate) contract: &'a ContractRow,
    pub(crate) now: Time,
}

impl Page<'_> {
    pub(crate) fn value(&self) -> Value {
        json!({
            "contract": self.contract.id.to_string(),
            "name": self.contract.name,
            "subjects": self.subjects(),
        })
    }

    /// The subjects alone.
    pub(crate) fn subjects(&self) -> Vec<Value> {
        self.contract.subjects.iter().map(|entry| self.subject(entry)).collect()
    }

    /// The certificates alone.
    pub(crate) fn certificates(&self) -> Vec<Value> {
        let of = |entry: &SubjectEntry| -> Vec<Value> {
            let subject = (entry.subject.id.to_string(), &entry.subject.name);
            let listed = entry.certificates.iter();
            listed
                .map(|listed| {
                    let mut value = self.certificate(listed);
                    value["subject"] = json!(subject.0);
                    value["name"] = json!(subject.1);
                    value
                })
                .collect()
        };
        self.contract.subjects.iter().flat_map(of).collect()
    }

    fn subject(&self, entry: &SubjectEntry) -> Value {
        json!({
            "subject": entry.subject.id.to_string(),
            "contract": self.contract.id.to_string(),
            "name": entry.subject.name,
            "role": entry.subject.role.as_str(),
            "pin": entry.subject.pin.as_str(),
            "disabled": entry.subject.disabled,
            "order": entry.order.map(|order| order.to_string()),
            "reissue": entry.open_reissue(self.now).map(|reissue| reissue.to_string()),
            "certificates": entry.certificates.iter().map(|listed| self.certificate(listed)).collect::<Vec<_>>(),
        })
    }

    fn certificate(&self, listed: &CertificateEntry) -> Value {
        let row = &listed.certificate;
        json!({
            "certID": row.cert_id.as_str(),
            "state": row.shown(self.now).as_str(),
            "notBefore": row.not_before,
            "notAfter": row.not_after,
            "successor": listed.successor.as_ref().map(CertId::as_str),
            "deferrals": row.deferrals,
            "imported": row.order.is_none(),
        })
    }

    pub(crate) fn text(&self) -> String {
        let mut text = format!("{}  {}\n", self.contract.id, self.contract.name);
        for entry in &self.contract.subjects {
            self.write_subject(&mut text, entry);
        }
        text
    }

    fn write_subject(&self, text: &mut String, entry: &SubjectEntry) {
        let subject = &entry.subject;
        let disabled = if subject.disabled { "  disabled" } else { "" };
        let order = entry.order.map_or_else(String::new, |id| format!("  order {id}"));
        let reissue = entry.open_reissue(self.now);
        let reissue = reissue.map_or_else(String::new, |id| format!("  reissue {id}"));
        let (id, name, role) = (subject.id, &subject.name, subject.role);
        let pin = subject.pin.as_str();
        let mut line = |line: std::fmt::Arguments<'_>| {
            text.write_fmt(line).expect("a String grows");
        };
        line(format_args!("  {id}  {role}  {name}  PIN {pin}{disabled}{order}{reissue}\n"));
        for listed in &entry.certificates {
            let row = &listed.certificate;
            let state = row.shown(self.now);
            line(format_args!("    {}  {state} until {}\n", row.cert_id, row.not_after));
        }
    }
}
