//! SPEC.md 6.6: CRLs.

use der::{Decode as _, Encode as _};
use koshin_protocol::algorithm::X509Algorithm;
use koshin_protocol::certificate::Certificate;
use koshin_protocol::chain::Chain;
use koshin_protocol::subject::Role;
use koshin_protocol::verify::default_verifier;
use serde_json::json;
use std::time::Duration;
use x509_cert::crl::CertificateList;

use super::key::Pair;
use super::{Bank, case, kebab};
use crate::case::{Case, Need, Outcome, Prepares as _, Stop, ensure};

/// The cases of this section.
pub(super) fn cases() -> Vec<Case<Bank>> {
    let mut cases = vec![
        case(
            "crl/form",
            "Each CRL is of version 2, by an issuer, signed by it, with AKI and number.",
        )
        .shows(&["CRL-01"])
        .needs(&[Need::Crl])
        .run(form),
        case("crl/of-each-issuer", "There is a CRL of each issuer.")
            .shows(&["CRL-01", "CRL-10"])
            .needs(&[Need::Crl])
            .run(of_each_issuer),
        case("crl/number-rises", "A CRL that lists more has a higher number.")
            .shows(&["CRL-02", "CRL-03"])
            .needs(&[Need::Crl])
            .run(number_rises),
        case(
            "crl/next-update",
            "`nextUpdate` is at most seven days after `thisUpdate`, and not past.",
        )
        .shows(&["CRL-05"])
        .needs(&[Need::Crl])
        .run(|bank: Bank| async move {
            for crl in lists(&bank).await? {
                let seconds = |time: &x509_cert::time::Time| {
                    i64::try_from(time.to_unix_duration().as_secs()).unwrap_or(i64::MAX)
                };
                let this = seconds(&crl.tbs_cert_list.this_update);
                let next = crl
                    .tbs_cert_list
                    .next_update
                    .as_ref()
                    .map(seconds)
                    .ok_or_else(|| Stop::fail("`nextUpdate`", "none"))?;
                ensure(
                    next > this && next - this <= 7 * 86_400,
                    "at most seven days",
                    format_args!("{} seconds", next - this),
                )?;
                ensure(next >= bank.now().unix(), "a CRL that is not out of date", next)?;
            }
            Ok(())
        }),
        case(
            "crl/superseded-not-listed",
            "A superseded certificate is not listed while the right to roll back to it exists.",
        )
        .shows(&["CRL-07"])
        .needs(&[Need::Crl, Need::Rollback])
        .run(|bank: Bank| async move {
            let person = bank.user().await?;
            bank.renew(&person).await?;
            // A CRL that is newer than the renewal: it lists who was revoked after it.
            let later = bank.user().await?;
            bank.revoke_itself(&later.pair, "keyCompromise").await?;
            listed_in_time(&bank, &later.pair).await?;
            let entry = listed(&bank, &person.pair).await?;
            ensure(entry.is_none(), "the superseded certificate not listed", "listed")
        }),
        case(
            "crl/canceled-order",
            "The certificate of a canceled order is listed as cessationOfOperation.",
        )
        .shows(&["CRL-06", "CAN-07"])
        .needs(&[Need::Crl])
        .run(|bank: Bank| async move {
            let logon = bank.log_on(&bank.user().await?).await?;
            let placed = bank.order(&logon).await?;
            bank.cancel(&placed, &logon).await?;
            reason(&bank, &placed.pair()?, Some(5)).await
        }),
    ];
    for (word, code) in [
        ("keyCompromise", Some(1)),
        ("deviceLost", Some(1)),
        ("affiliationChanged", Some(3)),
        ("cessationOfOperation", Some(5)),
        ("keyLost", None),
        ("unspecified", None),
    ] {
        cases.push(
            case(
                format!("crl/reason-{}", kebab(word)),
                format!("A certificate that was revoked for `{word}` is listed so within an hour."),
            )
            .shows(&["CRL-06", "CRL-04", "CRL-03"])
            .needs(&[Need::Crl])
            .run(move |bank: Bank| async move {
                let person = bank.user().await?;
                bank.revoke_itself(&person.pair, word).await?;
                reason(&bank, &person.pair, code).await
            }),
        );
    }
    cases.push(
        case("crl/by-administrator", "A certificate that an administrator revoked is listed.").shows(&["CRL-03"]).needs(&[Need::Crl, Need::Full]).run(|bank: Bank| async move {
            let administrator = bank.wanted(Role::Administrator).await?.of("crl");
            let user = bank.wanted(Role::User).await?.of("crl");
            let (administrator, user) = (bank.person(administrator).await?, bank.person(user).await?);
            let logon = bank.log_on(&administrator).await?;
            let payload = json!({ "certID": user.pair.cert_id().as_str(), "reason": "affiliationChanged" });
            bank.try_revoke(&logon.by(), payload).await?.status(200).prepares("revokeCert")?;
            reason(&bank, &user.pair, Some(3)).await
        }),
    );
    cases
}

async fn lists(bank: &Bank) -> Outcome<Vec<CertificateList>> {
    let mut lists = Vec::new();
    for url in bank.directory().await?.crl() {
        let answer = bank.get(url).await?;
        answer.status(200)?;
        let list = CertificateList::from_der(&answer.body);
        lists.push(
            list.map_err(|error| Stop::fail("a CRL in DER", format_args!("{url}: {error}")))?,
        );
    }
    Ok(lists)
}

async fn issuers(bank: &Bank) -> Outcome<Vec<Certificate>> {
    let directory = bank.directory().await?;
    let mut issuers = Vec::new();
    for der in directory.meta.issuers.iter().flat_map(Chain::iter) {
        issuers.push(
            Certificate::from_der(der)
                .map_err(|error| Stop::fail("certificates in `meta.issuers`", error))?,
        );
    }
    issuers.extend(bank.target.roots.iter().cloned());
    Ok(issuers)
}

fn by<'a>(issuers: &'a [Certificate], crl: &CertificateList) -> Outcome<Option<&'a Certificate>> {
    let name = crl.tbs_cert_list.issuer.to_der().map_err(Stop::blocked)?;
    Ok(issuers.iter().find(|issuer| issuer.subject().der() == name))
}

/// An extension of a CRL by its OID.
fn extension(crl: &CertificateList, oid: &str) -> Option<Vec<u8>> {
    let all = crl.tbs_cert_list.crl_extensions.as_deref().unwrap_or_default();
    all.iter()
        .find(|one| one.extn_id.to_string() == oid)
        .map(|one| one.extn_value.as_bytes().to_vec())
}

async fn form(bank: Bank) -> Outcome {
    let issuers = issuers(&bank).await?;
    for crl in lists(&bank).await? {
        let version = crl.tbs_cert_list.version;
        ensure(version == x509_cert::Version::V2, "version 2", format!("{version:?}"))?;
        let issuer = by(&issuers, &crl)?.ok_or_else(|| {
            Stop::fail("a CRL by an issuer of the bank", &crl.tbs_cert_list.issuer)
        })?;
        ensure(extension(&crl, "2.5.29.35").is_some(), "an AKI", "none")?;
        ensure(extension(&crl, "2.5.29.20").is_some(), "a CRL number", "none")?;
        let signed = crl.tbs_cert_list.to_der().map_err(Stop::blocked)?;
        let algorithm = crl.signature_algorithm.to_der().map_err(Stop::blocked)?;
        let algorithm = X509Algorithm::from_der(&algorithm)
            .map_err(|_| Stop::fail("a signature algorithm of 6.1", crl.signature_algorithm.oid))?;
        let signature = crl.signature.as_bytes().unwrap_or_default();
        default_verifier()
            .verify_x509(algorithm, issuer.key(), &signed, signature)
            .map_err(|error| Stop::fail("a signature by the issuer", format!("{error:?}")))?;
    }
    Ok(())
}

async fn of_each_issuer(bank: Bank) -> Outcome {
    let lists = lists(&bank).await?;
    let directory = bank.directory().await?;
    for chain in &directory.meta.issuers {
        let issuer = Certificate::from_der(chain.first())
            .map_err(|error| Stop::fail("a certificate in `meta.issuers`", error))?;
        let mut there = false;
        for crl in &lists {
            there |= by(std::slice::from_ref(&issuer), crl)?.is_some();
        }
        ensure(there, format_args!("a CRL of {}", issuer.subject()), "none")?;
    }
    Ok(())
}

/// The entry of a certificate: its reason code, if it has one.
async fn listed(bank: &Bank, pair: &Pair) -> Outcome<Option<Option<u8>>> {
    let issuer = pair.certificate.issuer().der();
    for crl in lists(bank).await? {
        if crl.tbs_cert_list.issuer.to_der().map_err(Stop::blocked)? != issuer {
            continue;
        }
        let entries = crl.tbs_cert_list.revoked_certificates.as_deref().unwrap_or_default();
        let entry = entries
            .iter()
            .find(|entry| entry.serial_number.as_bytes() == pair.certificate.serial());
        let Some(entry) = entry else { continue };
        let extensions = entry.crl_entry_extensions.as_deref().unwrap_or_default();
        let reason = extensions.iter().find(|one| one.extn_id.to_string() == "2.5.29.21");
        // ENUMERATED of one octet.
        return Ok(Some(reason.and_then(|one| one.extn_value.as_bytes().last().copied())));
    }
    Ok(None)
}

/// The entry, once it is there. A bank has an hour for it; this waits half a minute.
async fn listed_in_time(bank: &Bank, pair: &Pair) -> Outcome<Option<u8>> {
    for _ in 0..30 {
        if let Some(reason) = listed(bank, pair).await? {
            return Ok(reason);
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    Err(Stop::Skipped(
        "the revocation was not published within half a minute; a bank has an hour".to_owned(),
    ))
}

async fn reason(bank: &Bank, pair: &Pair, code: Option<u8>) -> Outcome {
    let said = listed_in_time(bank, pair).await?;
    ensure(said == code, format!("the reason code {code:?}"), format!("{said:?}"))
}

async fn number_rises(bank: Bank) -> Outcome {
    let number = |crl: &CertificateList| extension(crl, "2.5.29.20").unwrap_or_default();
    let person = bank.user().await?;
    let issuer = person.pair.certificate.issuer().der().to_vec();
    let of_it = |lists: Vec<CertificateList>| {
        lists
            .into_iter()
            .find(|crl| crl.tbs_cert_list.issuer.to_der().is_ok_and(|name| name == issuer))
    };
    let none = || Stop::fail("a CRL of the issuer", "none");
    let before = of_it(lists(&bank).await?).ok_or_else(none)?;
    bank.revoke_itself(&person.pair, "unspecified").await?;
    listed_in_time(&bank, &person.pair).await?;
    let after = of_it(lists(&bank).await?).ok_or_else(none)?;
    // INTEGERs in DER: a longer one is greater.
    let (one, two) = (number(&before), number(&after));
    ensure(
        (two.len(), &two) > (one.len(), &one),
        format!("a number above {one:02x?}"),
        format!("{two:02x?}"),
    )
}
