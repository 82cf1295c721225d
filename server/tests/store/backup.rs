//! A bank's backup, its newest CRL and its heads, and the bank that a restore makes of them.

use std::path::{Path, PathBuf};

use koshin_protocol::certificate::Certificate;
use koshin_protocol::verify::default_verifier;
use koshin_server::audit::{self, Export};
use koshin_server::store::Store;
use koshin_server::store::backup::Backup;
use koshin_server::store::change::Actor;
use koshin_server::store::latest_crl::LatestCrl;
use koshin_server::store::row::RevocationRow;
use koshin_server::store::sqlite::{Note, Restore, RestoreError, RestoreReport, Source, restore};

use crate::bank::Bank;
use crate::invariants;

/// Who accepts the loss of records.
pub const OPERATOR: &str = "sato";

impl Bank {
    pub async fn operator(&self, name: &str) {
        let by = match name {
            OPERATOR => Actor::Bank,
            _ => Actor::Operator(OPERATOR.to_owned()),
        };
        let hash = "hash".to_owned();
        self.store.add_operator(name.to_owned(), hash, by, self.now()).await.expect("an operator");
    }

    pub async fn backup(&self) -> PathBuf {
        let path = self.folder().join("backup.db");
        self.store.backup(Backup::to(&path)).await.expect("a backup");
        path
    }

    pub async fn export(&self) -> Export {
        self.store.audit_export(self.now()).await.expect("read")
    }

    /// The newest CRL, made as by a policy that lists superseded certificates at once.
    pub async fn newest_crl(&self) -> LatestCrl {
        let issuer = self.ca.id();
        let number = self.store.next_crl_number(issuer, self.now()).await.expect("a number");
        let der = self.ca.crl(number, self.now(), &self.listed().await);
        LatestCrl::from_der(&der, &self.ca.certificate(), default_verifier()).expect("a CRL")
    }

    /// What such a CRL lists.
    pub async fn listed(&self) -> Vec<RevocationRow> {
        let now = self.now();
        let mut listed = self.store.revocations(self.ca.id(), now).await.expect("read");
        let superseded = self.store.superseded(self.ca.id(), now).await.expect("read");
        listed.extend(superseded.into_iter().map(|row| RevocationRow {
            serial: row.serial,
            revoked_at: row.confirmed,
            crl_reason: Some(4),
            not_after: None,
            listed_from: 0,
        }));
        listed
    }

    pub async fn lists(&self, certificate: &Certificate) -> bool {
        self.listed().await.iter().any(|row| row.serial == certificate.serial())
    }

    /// What a restore would do.
    pub fn try_restore(
        &self,
        backup: &Path,
        crls: &[LatestCrl],
        heads: Option<&Export>,
        by: Option<&str>,
    ) -> Result<RestoreReport, RestoreError> {
        let folder = self.folder().join("restored");
        std::fs::create_dir_all(&folder).expect("a folder");
        let target = folder.join("koshin.db");
        restore(&Restore {
            backup: &Source::open(backup, &target, None)?,
            target: &target,
            crls,
            heads,
            loss_accepted_by: by,
            now: self.now(),
        })
    }

    /// The bank after a restore that an operator accepted, sound, at the same time.
    pub async fn restored(
        &self,
        backup: &Path,
        crls: &[LatestCrl],
        heads: Option<&Export>,
    ) -> (Self, Vec<Note>) {
        let report = self.try_restore(backup, crls, heads, Some(OPERATOR)).expect("restored");
        let bank = Self::at(&self.folder().join("restored")).await;
        bank.set(self.now().unix());
        // Keys that the lost bank had go on being somebody's.
        for _ in 0..self.new_key() {
            bank.new_key();
        }
        invariants::check(&bank);
        audit::verify(bank.store.as_ref(), None).await.expect("sound");
        (bank, report.notes)
    }
}
