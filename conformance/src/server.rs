//! Cases for banks: one file for each chapter of SPEC.md, over HTTPS and as a black box.
//!
//! A case gets a [`Bank`]: the bank as that case sees it, with its own record of exchanges. What a case builds upon is made with
//! the deeds that block it where they fail ([`deed`]); what it shows it judges itself ([`answer::Answer`]). A refusal is judged
//! beside the same request without the defect ([`good`], [`refusal`]): a bank that refuses everything passes nothing.

#![allow(clippy::too_many_lines, reason = "a list of cases is read case by case")]

mod annex_a_1_renewal;
mod annex_a_2_expiry;
mod annex_a_3_troubles;
pub mod answer;
pub mod bank;
pub(crate) mod bent;
mod binding;
pub mod csr;
pub mod deed;
pub mod draft;
pub mod good;
pub mod key;
pub mod mutants;
pub mod person;
pub mod refusal;

mod s04_1_base64;
mod s04_2_json;
mod s04_3_values;
mod s05_1_https;
mod s05_3_signed_request;
mod s05_4_operations;
mod s05_5_signers;
mod s05_6_nonces;
mod s05_7_checks;
mod s05_8_limits;
mod s05_9_headers;
mod s06_1_algorithms;
mod s06_3_csr;
mod s06_4_certificates;
mod s06_6_crls;
mod s07_11_cancel;
mod s07_12_certificate;
mod s07_13_confirm;
mod s07_14_rollback;
mod s07_15_effects;
mod s07_15_reissue;
mod s07_17_unlock;
mod s07_1_directory;
mod s07_20_administrators;
mod s07_20_revocation;
mod s07_4_session;
mod s07_8_order;
mod s08_windows;
mod s09_pin;
mod s09_sessions;
mod s10_1_order;
mod s10_2_certificate;
mod s10_4_reissue;
mod s11_errors;
mod s13_4_binding;
mod s13_5_defects;
mod s13_5_enrollment;
mod s14_durability;
mod situation;

pub use bank::Bank;

use std::sync::Arc;

use crate::case::{About, Case, Draft, Need, Outcome, Side, Stop};
use crate::exchange::Log;
use crate::runner::Subject;
use crate::target::Target;

/// All cases for banks, in the order of SPEC.md.
pub fn cases() -> Vec<Case<Bank>> {
    [
        s04_1_base64::cases(),
        s04_2_json::cases(),
        s04_3_values::cases(),
        s05_1_https::cases(),
        s05_3_signed_request::cases(),
        s05_4_operations::cases(),
        s05_5_signers::cases(),
        s05_6_nonces::cases(),
        s05_7_checks::cases(),
        s05_8_limits::cases(),
        s05_9_headers::cases(),
        s06_1_algorithms::cases(),
        s06_3_csr::cases(),
        s06_4_certificates::cases(),
        s06_6_crls::cases(),
        s07_1_directory::cases(),
        s07_4_session::cases(),
        s07_8_order::cases(),
        s07_11_cancel::cases(),
        s07_12_certificate::cases(),
        s07_13_confirm::cases(),
        s07_14_rollback::cases(),
        s07_15_reissue::cases(),
        s07_15_effects::cases(),
        s07_17_unlock::cases(),
        s07_20_revocation::cases(),
        s07_20_administrators::cases(),
        s08_windows::cases(),
        s09_pin::cases(),
        s09_sessions::cases(),
        s10_1_order::cases(),
        s10_2_certificate::cases(),
        s10_4_reissue::cases(),
        s11_errors::cases(),
        s13_4_binding::cases(),
        s13_5_enrollment::cases(),
        s13_5_defects::cases(),
        s14_durability::cases(),
        annex_a_1_renewal::cases(),
        annex_a_2_expiry::cases(),
        annex_a_3_troubles::cases(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// A name of the protocol as part of a slug: `new-order` for `newOrder`.
pub(crate) fn kebab(name: &str) -> String {
    let mut slug = String::new();
    for letter in name.chars() {
        if letter.is_ascii_uppercase() {
            slug.push('-');
        }
        slug.push(letter.to_ascii_lowercase());
    }
    slug
}

/// Begins a case for banks.
pub(crate) fn case(slug: impl Into<String>, sentence: impl Into<String>) -> Draft {
    Case::<Bank>::new(Side::Server, slug, sentence)
}

impl Subject for Target {
    type View = Bank;

    async fn view(target: &Arc<Self>, about: &About, log: &Log) -> Outcome<Bank> {
        if about.needs.contains(&Need::Control) && target.control.is_none() {
            return Err(Stop::Skipped("no --control command was given".to_owned()));
        }
        let bank = Bank::new(Arc::clone(target), about, log.clone());
        bank.has_needs().await?;
        Ok(bank)
    }
}

/// What a run tests: shared by its cases.
pub type Shared = Arc<Target>;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::requirements::embedded;

    #[test]
    fn slugs_are_unique_and_requirements_are_of_spec_md() {
        let mut slugs = BTreeSet::new();
        for about in cases().into_iter().map(|case| case.about) {
            assert!(slugs.insert(about.slug.clone()), "{} twice", about.slug);
            assert!(
                about
                    .slug
                    .chars()
                    .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "/-".contains(c)),
                "{}",
                about.slug
            );
            assert!(!about.requirements.is_empty(), "{}", about.slug);
            for id in &about.requirements {
                let row = embedded(id)
                    .unwrap_or_else(|| panic!("{}: {id} is not in SPEC.md", about.slug));
                assert_ne!(row.actor, "client", "{}: {id} is the client's", about.slug);
            }
            assert!(about.sentence.ends_with('.'), "{}: a sentence", about.slug);
        }
        assert!(slugs.len() >= 250, "{}", slugs.len());
    }
}
