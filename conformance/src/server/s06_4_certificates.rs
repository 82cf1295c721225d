//! SPEC.md 6.4, 6.5 and 6.7: issued certificates, chains, receipts.

use der::Decode as _;
use koshin_protocol::certificate::{CLIENT_AUTH, Certificate, DOCUMENT_SIGNING, KeyUsages};
use koshin_protocol::order::{Order, Status};
use koshin_protocol::subject::Role;
use koshin_protocol::verify::default_verifier;

use super::deed::Renewed;
use super::draft::By;
use super::person::{DAY, Person};
use super::{Bank, case};
use crate::case::{Case, Need, Outcome, Prepares as _, Stop, ensure};

/// The cases of these sections.
pub(super) fn cases() -> Vec<Case<Bank>> {
    let mut cases = contents();
    cases.extend(chains());
    cases.extend(receipts());
    cases
}

/// A whole renewal: who renewed, and with what.
async fn issued(bank: &Bank) -> Outcome<(Person, Renewed)> {
    let person = bank.user().await?;
    let renewed = bank.renew(&person).await?;
    Ok((person, renewed))
}

fn one(
    slug: &str,
    sentence: &str,
    shows: &str,
    check: fn(&Certificate, &Person, &Order) -> Outcome,
) -> Case<Bank> {
    case(slug, sentence).shows(&[shows]).run(move |bank: Bank| async move {
        let (person, renewed) = issued(&bank).await?;
        check(&renewed.pair.certificate, &person, &renewed.completed)
    })
}

fn contents() -> Vec<Case<Bank>> {
    vec![
        one("certificate/version-and-subject", "A certificate is of version 3 and has the subject's recorded name.", "CRT-01", |certificate, person, _| {
            let read = x509_cert::Certificate::from_der(certificate.der()).map_err(|error| Stop::fail("DER of a certificate", error))?;
            let version = read.tbs_certificate().version();
            ensure(version == x509_cert::certificate::Version::V3, "version 3", format!("{version:?}"))?;
            ensure(certificate.subject().as_str() == person.pair.name().as_str(), person.pair.name(), certificate.subject())
        }),
        one("certificate/extended-key-usage", "A certificate has exactly `clientAuth` as extended key usage.", "CRT-02", |certificate, _, _| {
            let usages = certificate.extended_key_usages();
            ensure(usages == Some(&[CLIENT_AUTH][..]), "clientAuth alone", format!("{usages:?}"))
        }),
        one("certificate/key-usage", "A certificate has exactly `digitalSignature` as key usage, critical.", "CRT-03", |certificate, _, _| {
            let usages = certificate.key_usages();
            ensure(usages == Some(KeyUsages::DIGITAL_SIGNATURE), "digitalSignature alone", format!("{usages:?}"))?;
            let critical = extension(certificate, "2.5.29.15")?.is_some_and(|(critical, _)| critical);
            ensure(critical, "the extension keyUsage critical", "not critical")
        }),
        one("certificate/key-identifiers", "A certificate has SKI, AKI with `keyIdentifier`, and no `cA` TRUE.", "CRT-04", |certificate, _, _| {
            ensure(certificate.subject_key_id().is_some(), "a Subject Key Identifier", "none")?;
            ensure(certificate.authority_key_id().is_some(), "an AKI with `keyIdentifier`", "none")?;
            ensure(!certificate.is_authority(), "no `cA` TRUE", "`cA` TRUE")
        }),
        case("certificate/distribution-point", "A certificate's CRL distribution point is one of the directory's CRLs.").shows(&["CRT-05"]).needs(&[Need::Crl]).run(|bank: Bank| async move {
            let (_, renewed) = issued(&bank).await?;
            let point = extension(&renewed.pair.certificate, "2.5.29.31")?;
            let (_, point) = point.ok_or_else(|| Stop::fail("a CRL distribution point", "none"))?;
            let text = String::from_utf8_lossy(&point).into_owned();
            let directory = bank.directory().await?;
            let named = directory.crl().iter().any(|url| text.contains(url.as_str()));
            ensure(named, format_args!("one of {:?}", directory.crl()), text.escape_debug())
        }),
        case("certificate/serial", "Serials are positive, of at most 20 octets, random, and unique.").shows(&["CRT-06"]).run(|bank: Bank| async move {
            let mut serials: Vec<Vec<u8>> = Vec::new();
            for _ in 0..6 {
                let (_, renewed) = issued(&bank).await?;
                let serial = renewed.pair.certificate.serial().to_vec();
                let positive = serial.first().is_some_and(|first| first & 0x80 == 0) && serial.iter().any(|&octet| octet != 0);
                ensure(positive && (8..=20).contains(&serial.len()), "a positive serial of 8 to 20 octets", format!("{serial:02x?}"))?;
                for other in &serials {
                    let differ: u32 = serial.iter().rev().zip(other.iter().rev()).map(|(a, b)| (a ^ b).count_ones()).sum();
                    ensure(differ >= 8, "serials that differ in many bits", format!("{serial:02x?} and {other:02x?}"))?;
                }
                serials.push(serial);
            }
            Ok(())
        }),
        case("certificate/not-before", "A certificate is valid from the time of issue, or up to 24 hours before.").shows(&["CRT-07"]).run(|bank: Bank| async move {
            let before = bank.now();
            let (_, renewed) = issued(&bank).await?;
            let begins = renewed.pair.certificate.not_before();
            let back = before.seconds_since(begins);
            // Issued a moment after `before`.
            ensure((-10..=DAY).contains(&back), format_args!("notBefore from 24 hours before {before} to the present"), begins)
        }),
        case("certificate/not-after", "Of two renewals, each ends the same time after its predecessor, or at the issuer's end.").shows(&["CRT-08", "CRT-09"]).run(not_after),
        case("certificate/enrolled-not-after", "An enrolled certificate ends the policy's validity after its issue, and not by the former one.").shows(&["CRT-10"]).needs(&[Need::Full]).run(enrolled_not_after),
        case("certificate/keeps-subject-and-role", "Subject, contract and role pass from predecessor to successor.").shows(&["CRT-12"]).run(|bank: Bank| async move {
            for role in [Role::User, Role::Administrator] {
                let person = bank.person(bank.wanted(role).await?).await?;
                let before = bank.log_on(&person).await?;
                let renewed = bank.renew(&person).await?;
                let after = bank.log_on_by(&renewed.pair, None).await?;
                ensure(after.session.subject == before.session.subject, format!("{:?}", before.session.subject), format!("{:?}", after.session.subject))?;
                ensure(after.contract()? == before.contract()?, before.contract()?, after.contract()?)?;
            }
            Ok(())
        }),
    ]
}

/// An extension of a certificate: whether it is critical, and its octets.
fn extension(certificate: &Certificate, oid: &str) -> Outcome<Option<(bool, Vec<u8>)>> {
    let read = x509_cert::Certificate::from_der(certificate.der())
        .map_err(|error| Stop::fail("DER of a certificate", error))?;
    let all = read.tbs_certificate().extensions().cloned().unwrap_or_default();
    Ok(all
        .into_iter()
        .find(|one| one.extn_id.to_string() == oid)
        .map(|one| (one.critical, one.extn_value.as_bytes().to_vec())))
}

async fn not_after(bank: Bank) -> Outcome {
    let (person, first) = issued(&bank).await?;
    let (other, second) = issued(&bank).await?;
    let issuer_ends = bank
        .directory()
        .await?
        .meta
        .issuers
        .iter()
        .filter_map(|chain| Certificate::from_der(chain.first()).ok())
        .map(|issuer| issuer.not_after())
        .min();
    for (old, new) in [(&person.pair, &first.pair), (&other.pair, &second.pair)] {
        ensure(
            new.not_after() > old.not_after(),
            format_args!("an end after {}", old.not_after()),
            new.not_after(),
        )?;
        if let Some(end) = issuer_ends {
            ensure(
                new.not_after() <= end,
                format_args!("an end not after the issuer's, {end}"),
                new.not_after(),
            )?;
        }
    }
    let added = |old: &super::key::Pair, new: &super::key::Pair| {
        new.not_after().seconds_since(old.not_after())
    };
    let (one, two) = (added(&person.pair, &first.pair), added(&other.pair, &second.pair));
    ensure(
        (one - two).abs() <= DAY,
        "the same validity added to each",
        format_args!("{one} and {two} seconds"),
    )
}

async fn enrolled_not_after(bank: Bank) -> Outcome {
    let (administrator, user) = bank.contract().await?;
    let logon = bank.log_on(&administrator).await?;
    let (ticket, _, _) = bank.reissue(&logon, &user, "keyLost").await?;
    let placed = bank.enroll(&ticket, &user).await?;
    let enrolled = placed.pair()?.certificate;
    let renewed = bank.renew(&bank.user().await?).await?;
    let old = renewed.placed.order;
    let koshin_protocol::order::Kind::Renewal { .. } = old.kind else {
        return Err(Stop::blocked("a renewal that is no renewal"));
    };
    let from_now = enrolled.not_after().seconds_since(bank.now());
    let ends = user.pair.not_after();
    // A renewal adds the validity to the predecessor's end; an enrollment counts from the issue.
    let by_renewal = renewed.pair.certificate.not_after().seconds_since(bank.now());
    let left = ends.seconds_since(bank.now());
    ensure(
        (by_renewal - left - from_now).abs() <= 2 * DAY,
        format_args!("about {} seconds from now", by_renewal - left),
        from_now,
    )
}

fn chains() -> Vec<Case<Bank>> {
    vec![
        case(
            "chain/order",
            "`chain` is the certificate, then its issuers in order, without the root.",
        )
        .shows(&["CHN-01"])
        .run(|bank: Bank| async move {
            let (_, renewed) = issued(&bank).await?;
            let chain = &renewed.placed.issued()?.chain;
            let certificates: Vec<Certificate> = chain
                .iter()
                .map(|der| {
                    Certificate::from_der(der)
                        .map_err(|error| Stop::fail("certificates in `chain`", error))
                })
                .collect::<Outcome<_>>()?;
            for pair in certificates.windows(2) {
                let by = pair[0].verify_issued_by(&pair[1], default_verifier());
                by.map_err(|error| {
                    Stop::fail("each certificate issued by the next", format!("{error:?}"))
                })?;
            }
            let last = certificates.last().ok_or_else(|| Stop::fail("a chain", "none"))?;
            let rooted = bank
                .target
                .roots
                .iter()
                .any(|root| last.verify_issued_by(root, default_verifier()).is_ok());
            ensure(rooted, "the last certificate issued by a configured root", last.subject())?;
            let root = bank.target.roots.iter().any(|root| root.der() == last.der());
            ensure(!root || certificates.len() == 1, "no root in `chain`", last.subject())
        }),
        case("chain/issuers-listed", "The issuers in `chain` are listed in `meta.issuers`.")
            .shows(&["CHN-02"])
            .run(|bank: Bank| async move {
                let (_, renewed) = issued(&bank).await?;
                let issuers: Vec<&[u8]> = renewed.placed.issued()?.chain.issuers().collect();
                let directory = bank.directory().await?;
                let listed = directory
                    .meta
                    .issuers
                    .iter()
                    .any(|chain| chain.iter().collect::<Vec<_>>() == issuers);
                ensure(listed, "an array of `meta.issuers` with exactly these issuers", "none")
            }),
    ]
}

fn receipts() -> Vec<Case<Bank>> {
    let mut cases: Vec<Case<Bank>> = ["completed", "canceled", "invalid"]
        .into_iter()
        .map(|status| {
            case(
                format!("receipt/{status}"),
                format!("An order in `{status}` has a receipt that says what became of it."),
            )
            .shows(&["RCP-01"])
            .run(move |bank: Bank| async move {
                let order = ended(&bank, status).await?;
                ensure(order.status.name().as_str() == status, status, order.status.name())?;
                let receipt = bank.receipt(&order)?;
                let same = receipt.order == order.url
                    && receipt.key == order.key
                    && receipt.subject == order.subject;
                ensure(same, "the order's URL, key and subject", format!("{receipt:?}"))?;
                ensure(receipt.status.as_str() == status, status, receipt.status)?;
                ensure(
                    receipt.cert_id.is_some(),
                    "`certID`, since a certificate was issued",
                    "none",
                )
            })
        })
        .collect();
    cases.push(
        case("receipt/key", "Receipts are signed with a certificate for documentSigning and digitalSignature alone.").shows(&["RCP-02"]).run(|bank: Bank| async move {
            let order = ended(&bank, "canceled").await?;
            bank.receipt(&order)?;
            let Status::Canceled { receipt } = &order.status else {
                return Err(Stop::blocked("an order that is not canceled"));
            };
            let value: serde_json::Value = serde_json::from_slice(&receipt.to_vec()).unwrap_or_default();
            let header = koshin_protocol::base64url::decode(value["protected"].as_str().unwrap_or_default()).unwrap_or_default();
            let header: serde_json::Value = serde_json::from_slice(&header).unwrap_or_default();
            let first = header["x5c"][0].as_str().unwrap_or_default();
            let der = koshin_protocol::base64url::decode_standard(first).map_err(|_| Stop::fail("base64 in `x5c`", first))?;
            let certificate = Certificate::from_der(&der).map_err(|error| Stop::fail("a certificate in `x5c`", error))?;
            let usages = certificate.extended_key_usages();
            ensure(usages == Some(&[DOCUMENT_SIGNING][..]), "documentSigning alone", format!("{usages:?}"))?;
            let usages = certificate.key_usages();
            ensure(usages == Some(KeyUsages::DIGITAL_SIGNATURE), "digitalSignature alone", format!("{usages:?}"))?;
            let issued = renewal_key_is_another(&bank, &certificate).await?;
            ensure(issued, "a key of its own", "the key of an issued certificate")
        }),
    );
    cases
}

/// Whether the key of receipts is not the issuing CA's.
async fn renewal_key_is_another(bank: &Bank, certificate: &Certificate) -> Outcome<bool> {
    let directory = bank.directory().await?;
    let spki = certificate.key().to_spki_der();
    let same = directory.meta.issuers.iter().any(|chain| {
        Certificate::from_der(chain.first()).is_ok_and(|issuer| issuer.key().to_spki_der() == spki)
    });
    Ok(!same)
}

/// An order that ended so, as its key reads it.
async fn ended(bank: &Bank, status: &str) -> Outcome<Order> {
    let person = bank.user().await?;
    let logon = bank.log_on(&person).await?;
    let placed = bank.order(&logon).await?;
    match status {
        "completed" => drop(bank.confirm(&placed).await?),
        "canceled" => drop(bank.cancel(&placed, &logon).await?),
        _ => {
            let payload = serde_json::json!({ "certID": person.pair.cert_id().as_str(), "reason": "unspecified" });
            let answer = bank.try_revoke(&By::Certificate(person.pair.clone()), payload).await;
            answer.and_then(|answer| answer.status(200)).prepares("revokeCert")?;
        }
    }
    bank.read_order(placed.url(), &placed.by_key()).await
}
