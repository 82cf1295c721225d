#![allow(clippy::unwrap_used, reason = "a test may stop where it stands")]

use std::collections::HashSet;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use der::{Decode, Encode};
use koshin_protocol::certificate::{CLIENT_AUTH, DOCUMENT_SIGNING, Name};
use koshin_protocol::sign::{Es256Key, Signer};
use koshin_protocol::time::{Period, Time};
use koshin_protocol::verify::default_verifier;
use tempfile::TempDir;
use x509_cert::crl::CertificateList;

use super::*;
use crate::policy::Policy;

fn time(text: &str) -> Time {
    text.parse().unwrap()
}

fn now() -> Time {
    time("2026-11-23T12:00:00Z")
}

fn origin() -> Origin {
    Origin::parse("https://bank.example").unwrap()
}

fn seed() -> Policy {
    Policy::shipped("seed").unwrap()
}

/// An authority in a folder that lasts as long as the test.
struct Bank {
    folder: TempDir,
    ca: Embedded,
}

fn init(folder: &Path, passphrase: Option<&Passphrase>) {
    NewAuthority { organization: "Example Bank", origin: &origin(), now: now(), passphrase }
        .create(&folder.join("ca"))
        .unwrap();
}

fn load(folder: &Path) -> Result<Embedded, FileError> {
    Embedded::load(&folder.join("ca"), None, &origin())
}

fn bank() -> Bank {
    let folder = tempfile::tempdir().unwrap();
    init(folder.path(), None);
    let ca = load(folder.path()).unwrap();
    Bank { folder, ca }
}

fn customer_key() -> Es256Key {
    Es256Key::from_random(&[9; 48])
}

/// `CN` as a `T61String`, which no writer of ours would choose: a name is taken over, not written
/// anew.
fn odd_name() -> Name {
    Name::from_der(b"\x30\x0e\x31\x0c\x30\x0a\x06\x03\x55\x04\x03\x14\x03abc").unwrap()
}

fn prepared(bank: &Bank) -> ToBeSigned {
    let validity =
        Validity::of(Basis::Enrollment, &seed(), bank.ca.authority(), now().into()).unwrap();
    Customer { subject: &odd_name(), key: customer_key().public_key(), validity }
        .prepare(bank.ca.authority())
        .unwrap()
}

async fn issued(bank: &Bank) -> Certificate {
    match bank.ca.issue(&prepared(bank)).await {
        Answer::Issued(certificate) => *certificate,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_customers_certificate_follows_the_profile() {
    let bank = bank();
    let issuing = bank.ca.authority().certificate();
    let certificate = issued(&bank).await;
    assert_eq!(certificate.verify_issued_by(issuing, default_verifier()), Ok(()));
    assert_eq!(certificate.extended_key_usages(), Some(&[CLIENT_AUTH][..]));
    assert_eq!(
        certificate.key_usages(),
        Some(koshin_protocol::certificate::KeyUsages::DIGITAL_SIGNATURE)
    );
    assert!(!certificate.is_authority());
    assert_eq!(certificate.subject().der(), odd_name().der());
    assert_eq!(certificate.key(), customer_key().public_key());
    assert_eq!(certificate.authority_key_id(), issuing.subject_key_id());
    assert!(certificate.subject_key_id().is_some_and(|id| id.len() == 20));
    let url = bank.ca.authority().crl_url();
    assert_eq!(url, format!("https://bank.example/koshin/crl/{}", bank.ca.authority().id()));
    assert!(certificate.der().windows(url.len()).any(|window| window == url.as_bytes()));
}

#[test]
fn serial_numbers_are_positive_of_one_length_and_different() {
    let mut seen = HashSet::new();
    for _ in 0..1000 {
        let serial = profile::serial().unwrap();
        assert_eq!(serial[0] & 0xc0, 0x40);
        assert!(seen.insert(serial));
    }
    // Each of the 126 random bits is both 0 and 1 among a thousand, but for a chance of 2^-990.
    let (any, all) = seen.iter().fold((0, u128::MAX), |(any, all), serial| {
        let number = u128::from_be_bytes(*serial);
        (any | number, all & number)
    });
    assert_eq!((any, all), (u128::MAX >> 1, 1 << 126));
}

#[tokio::test]
async fn the_serial_that_is_stored_is_the_certificates() {
    let bank = bank();
    let request = prepared(&bank);
    let Answer::Issued(certificate) = bank.ca.issue(&request).await else { panic!("not issued") };
    assert_eq!(certificate.serial(), request.serial());
}

#[tokio::test]
async fn stored_bytes_are_signed_as_they_were_stored() {
    let bank = bank();
    let request = prepared(&bank);
    let again = ToBeSigned::stored(request.serial().to_vec(), request.tbs().to_vec());
    for request in [&request, &again] {
        let Answer::Issued(certificate) = bank.ca.issue(request).await else {
            panic!("not issued")
        };
        let signed = x509_cert::Certificate::from_der(certificate.der()).unwrap();
        assert_eq!(signed.tbs_certificate().to_der().unwrap(), request.tbs());
    }
}

#[tokio::test]
async fn bytes_prepared_for_another_issuer_are_refused() {
    let (bank, folder) = (bank(), tempfile::tempdir().unwrap());
    NewAuthority { organization: "Other Bank", origin: &origin(), now: now(), passphrase: None }
        .create(&folder.path().join("ca"))
        .unwrap();
    let other = load(folder.path()).unwrap();
    assert_eq!(
        other.issue(&prepared(&bank)).await,
        Answer::Refused { reason: "prepared for another issuer".to_owned() }
    );
}

#[test]
fn a_successor_is_valid_from_a_little_before_now_until_a_term_after_its_predecessor() {
    let bank = bank();
    let of = |basis| {
        Validity::of(basis, &seed(), bank.ca.authority(), time("2027-01-10T00:00:00Z").into())
            .unwrap()
    };
    let renewal = of(Basis::Renewal { predecessor: time("2027-01-20T14:59:59Z") });
    assert_eq!(renewal.not_before(), time("2027-01-09T23:59:00Z"));
    assert_eq!(renewal.not_after(), time("2028-01-20T14:59:59Z"));
    assert_eq!(of(Basis::Enrollment).not_after(), time("2028-01-10T00:00:00Z"));
}

#[test]
fn a_certificate_never_ends_after_its_issuer_nor_begins_before_it() {
    let bank = bank();
    let authority = bank.ca.authority();
    let end = authority.certificate().not_after();
    let of = |predecessor, now: Time| {
        Validity::of(Basis::Renewal { predecessor }, &seed(), authority, now.into())
    };
    let before = |days| end.checked_sub(Period::from_days(days)).unwrap();
    assert_eq!(of(before(300), before(320)).unwrap().not_after(), end);
    assert_eq!(of(end, before(20)), Err(Unissuable::IssuerEnds { issuer: end }));
    assert_eq!(
        Validity::of(Basis::Enrollment, &seed(), authority, end.into()),
        Err(Unissuable::IssuerEnds { issuer: end })
    );
    let first = Validity::of(Basis::Enrollment, &seed(), authority, now().into()).unwrap();
    assert_eq!(first.not_before(), authority.certificate().not_before());
}

#[test]
fn an_order_accepted_before_its_predecessor_expired_is_issued_after_too() {
    let bank = bank();
    let validity = Validity::of(
        Basis::Renewal { predecessor: time("2027-01-20T14:59:59Z") },
        &seed(),
        bank.ca.authority(),
        time("2027-01-21T00:00:00Z").into(),
    );
    assert_eq!(validity.unwrap().not_after(), time("2028-01-20T14:59:59Z"));
}

#[test]
fn a_validity_is_a_stretch_of_time_since_1970() {
    assert!(Validity::new(now(), now()).is_ok());
    assert!(Validity::new(time("2026-11-23T12:00:01Z"), now()).is_err());
    assert!(Validity::new(time("1969-12-31T23:59:59Z"), now()).is_err());
}

#[test]
fn the_receipt_key_is_certified_for_receipts_alone() {
    let bank = bank();
    let [receipt, issuing] = bank.ca.receipts().chain() else { panic!("not two certificates") };
    assert_eq!(receipt.extended_key_usages(), Some(&[DOCUMENT_SIGNING][..]));
    assert_eq!(receipt.verify_issued_by(issuing, default_verifier()), Ok(()));
    assert_eq!(receipt.key(), bank.ca.receipts().signer().public_key());
    assert_eq!(issuing.verify_issued_by(bank.ca.authority().root(), default_verifier()), Ok(()));
}

#[test]
fn a_chain_goes_up_to_the_root_but_leaves_it_out() {
    let bank = bank();
    let chain: Vec<_> = bank.ca.authority().chain().collect();
    assert_eq!(chain, [bank.ca.authority().certificate()]);
    assert!(bank.ca.authority().root().is_authority());
    assert_eq!(bank.ca.authority().certificate().path_length(), Some(0));
}

#[test]
fn an_authority_is_made_once() {
    let bank = bank();
    let again = NewAuthority {
        organization: "Example Bank",
        origin: &origin(),
        now: now(),
        passphrase: None,
    }
    .create(&bank.folder.path().join("ca"));
    assert!(again.unwrap_err().to_string().ends_with("exists already; keys are never overwritten"));
    assert!(load(bank.folder.path()).is_ok());
}

#[test]
fn the_roots_key_may_be_taken_away() {
    let bank = bank();
    fs::remove_file(bank.folder.path().join("ca/root.key")).unwrap();
    assert!(load(bank.folder.path()).is_ok());
}

#[test]
fn keys_and_certificates_that_do_not_belong_together_are_refused() {
    for (from, to, error) in [
        ("receipt.key", "issuing.key", "issuing.key: not the key of issuing.pem"),
        ("issuing.key", "receipt.key", "receipt.key: not the key of receipt.pem"),
        (
            "root.pem",
            "issuing.pem",
            "receipt.pem: not issued under issuing.pem for documentSigning alone",
        ),
        ("issuing.pem", "root.pem", "root.pem: not signed by itself"),
        ("receipt.pem", "issuing.pem", "issuing.pem: not issued under root.pem"),
        (
            "issuing.pem",
            "receipt.pem",
            "receipt.pem: not issued under issuing.pem for documentSigning alone",
        ),
        ("root.key", "issuing.pem", "issuing.pem: not a certificate in PEM"),
    ] {
        let bank = bank();
        let ca = bank.folder.path().join("ca");
        fs::copy(ca.join(from), ca.join(to)).unwrap();
        let refused = load(bank.folder.path()).unwrap_err().to_string();
        assert!(refused.ends_with(error), "{from} as {to}: {refused}");
    }
}

#[test]
fn encrypted_keys_need_their_passphrase() {
    let folder = tempfile::tempdir().unwrap();
    let passphrase = Passphrase::new("correct horse").unwrap();
    init(folder.path(), Some(&passphrase));
    assert!(Embedded::load(&folder.path().join("ca"), Some(&passphrase), &origin()).is_ok());
    assert!(
        load(folder.path()).unwrap_err().to_string().ends_with("no passphrase file is configured")
    );
}

#[tokio::test]
async fn a_crl_is_complete_numbered_and_names_its_issuers_own_key() {
    let bank = bank();
    let serial = prepared(&bank).serial().to_vec();
    let entries = [
        Entry { serial: &serial, revoked_at: now(), reason: Some(Reason::KeyCompromise) },
        Entry { serial: &[5], revoked_at: time("2050-01-01T00:00:00Z"), reason: None },
    ];
    let crl = Crl::new(bank.ca.authority(), 300, now(), Period::from_days(7), entries).unwrap();
    let der = bank.ca.sign_crl(&crl).await.unwrap();
    let list: CertificateList = CertificateList::from_der(&der).unwrap();
    assert_eq!(list.to_der().unwrap(), der, "DER");
    let tbs = list.tbs_cert_list;
    assert_eq!(tbs.version, x509_cert::Version::V2);
    assert_eq!(tbs.issuer.to_der().unwrap(), bank.ca.authority().certificate().subject().der());
    assert_eq!(tbs.this_update.to_string(), "2026-11-23T12:00:00Z");
    assert_eq!(tbs.next_update.unwrap().to_string(), "2026-11-30T12:00:00Z");
    let extensions = tbs.crl_extensions.unwrap();
    let value = |oid: &str| {
        let found = extensions.iter().find(|extension| extension.extn_id.to_string() == oid);
        found.map(|extension| extension.extn_value.as_bytes().to_vec()).unwrap()
    };
    let own = bank.ca.authority().certificate().subject_key_id().unwrap();
    assert_eq!(value("2.5.29.35"), [b"\x30\x16\x80\x14", own].concat());
    assert_eq!(value("2.5.29.20"), b"\x02\x02\x01\x2c");
    let revoked = tbs.revoked_certificates.unwrap();
    assert_eq!(revoked[0].serial_number.as_bytes(), serial);
    let reason = revoked[0].crl_entry_extensions.as_ref().unwrap();
    assert_eq!(reason[0].extn_id.to_string(), "2.5.29.21");
    assert_eq!(reason[0].extn_value.as_bytes(), [10, 1, 1]);
    assert_eq!(revoked[1].crl_entry_extensions, None);
    assert!(matches!(revoked[1].revocation_date, x509_cert::time::Time::GeneralTime(_)));
}

#[test]
fn a_crl_of_nothing_has_no_list_instead_of_an_empty_one() {
    let bank = bank();
    let crl = Crl::new(bank.ca.authority(), 1, now(), Period::from_days(7), []).unwrap();
    let tbs = x509_cert::crl::TbsCertList::<x509_cert::certificate::Rfc5280>::from_der(crl.tbs())
        .unwrap();
    assert_eq!(tbs.revoked_certificates, None);
}

#[test]
fn what_a_crl_cannot_hold_is_refused() {
    let bank = bank();
    let list = |entry| Crl::new(bank.ca.authority(), 1, now(), Period::from_days(7), [entry]).err();
    assert_eq!(list(Entry { serial: &[], revoked_at: now(), reason: None }), Some(BadList));
    assert_eq!(
        list(Entry { serial: &[1], revoked_at: time("1969-12-31T23:59:59Z"), reason: None }),
        Some(BadList)
    );
    assert_eq!(list(Entry { serial: &[1], revoked_at: now(), reason: None }), None);
}

#[test]
fn reasons_go_to_their_numbers_and_back() {
    for (code, reason) in [
        (1, Reason::KeyCompromise),
        (3, Reason::AffiliationChanged),
        (4, Reason::Superseded),
        (5, Reason::CessationOfOperation),
    ] {
        assert_eq!((Reason::from_code(code), reason.code()), (Some(reason), code));
    }
    assert!([0, 2, 6, 7, 8, 9, 10].into_iter().all(|code| Reason::from_code(code).is_none()));
}

#[tokio::test]
async fn a_faulty_issuer_is_slow_down_or_stubborn_and_then_well_again() {
    let bank = bank();
    let request = prepared(&bank);
    let crl = Crl::new(bank.ca.authority(), 1, now(), Period::from_days(7), []).unwrap();
    let retry_after = Duration::from_secs(3);
    let faulty = FaultyIssuer::new(Arc::new(bank.ca), retry_after);
    assert!(!faulty.signs_at_once());
    let well = async || matches!(faulty.issue(&request).await, Answer::Issued(_));
    assert!(well().await);

    faulty.set(Fault::Slow { questions: 2 });
    assert_eq!(faulty.issue(&request).await, Answer::Pending { retry_after });
    assert!(faulty.sign_crl(&crl).await.is_ok());
    assert_eq!(faulty.issue(&request).await, Answer::Pending { retry_after });
    assert!(well().await);

    faulty.set(Fault::Down);
    for _ in 0..3 {
        assert_eq!(faulty.issue(&request).await, Answer::Pending { retry_after });
    }
    assert_eq!(faulty.sign_crl(&crl).await, Err(Unavailable { retry_after }));
    faulty.set(Fault::Refuses);
    assert!(matches!(faulty.issue(&request).await, Answer::Refused { .. }));
    faulty.set(Fault::None);
    assert!(well().await);
}
