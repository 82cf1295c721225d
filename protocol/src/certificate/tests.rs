//! Certificates made and read back.

use super::*;
use crate::cert_id::CertId;
use crate::sign::{Es256Key, Signer};
use crate::verify::RustCrypto;

fn key(seed: u8) -> Es256Key {
    Es256Key::from_random(&[seed; 48])
}

fn name(text: &str) -> Name {
    Name::new(&[(Attribute::Country, "JP"), (Attribute::CommonName, text)]).expect("a name")
}

fn at(text: &str) -> Time {
    text.parse().expect("a time")
}

struct Change {
    kind: Kind,
    key_usages: KeyUsages,
    with_authority_key_id: bool,
    not_after: &'static str,
}

const LEAF: Change = Change {
    kind: Kind::Leaf,
    key_usages: KeyUsages::DIGITAL_SIGNATURE,
    with_authority_key_id: true,
    not_after: "2028-01-01T00:00:00Z",
};

const ROOT: Change = Change {
    kind: Kind::Authority { path_length: None },
    key_usages: KeyUsages::AUTHORITY,
    ..LEAF
};

fn make(change: &Change, subject: &str, subject_key: u8) -> Certificate {
    let id = key_id(key(1).public_key());
    Profile {
        serial: &[0x87, 0x65, 0x43, 0x21],
        issuer: &name("Root"),
        not_before: at("2026-01-01T00:00:00Z"),
        not_after: at(change.not_after),
        subject: &name(subject),
        key: key(subject_key).public_key(),
        kind: change.kind,
        key_usages: change.key_usages,
        extended_key_usages: &[CLIENT_AUTH],
        authority_key_id: change.with_authority_key_id.then_some(&id[..]),
        crl: &["http://bank.example/crl"],
    }
    .sign(&key(1))
    .expect("a certificate")
}

#[test]
fn what_was_made_is_read_back() {
    let certificate = make(&LEAF, "U-0001", 2);
    assert_eq!(certificate.serial(), [0, 0x87, 0x65, 0x43, 0x21]);
    assert_eq!(certificate.subject().to_string(), "CN=U-0001,C=JP");
    assert_eq!(certificate.issuer(), &name("Root"));
    assert_eq!(certificate.not_before(), at("2026-01-01T00:00:00Z"));
    assert_eq!(certificate.not_after(), at("2028-01-01T00:00:00Z"));
    assert_eq!(certificate.key(), key(2).public_key());
    assert_eq!(certificate.extended_key_usages(), Some(&[CLIENT_AUTH][..]));
    assert_eq!(certificate.key_usages(), Some(KeyUsages::DIGITAL_SIGNATURE));
    assert_eq!(certificate.subject_key_id(), Some(&key_id(key(2).public_key())[..]));
    assert_eq!(certificate.authority_key_id(), Some(&key_id(key(1).public_key())[..]));
    assert!(!certificate.is_authority());
    assert!(certificate.unknown_critical().is_empty());
    assert_eq!(Certificate::from_der(certificate.der()), Ok(certificate.clone()));
    assert_eq!(make(&LEAF, "U-0001", 2), certificate, "the same bytes again");
}

#[test]
fn both_ends_of_the_validity_are_inclusive() {
    let certificate = make(&LEAF, "U-0001", 2);
    for (time, valid) in [
        ("2025-12-31T23:59:59Z", false),
        ("2026-01-01T00:00:00Z", true),
        ("2028-01-01T00:00:00Z", true),
        ("2028-01-01T00:00:01Z", false),
    ] {
        assert_eq!(certificate.is_valid_at(at(time)), valid, "{time}");
    }
}

#[test]
fn years_from_2050_on_are_read_back() {
    let late = Change { not_after: "2051-06-07T08:09:10Z", ..LEAF };
    assert_eq!(make(&late, "U-0001", 2).not_after(), at("2051-06-07T08:09:10Z"));
}

#[test]
fn a_certificate_is_verified_under_its_issuer_and_no_other() {
    let root = make(&ROOT, "Root", 1);
    let leaf = make(&LEAF, "U-0001", 2);
    assert_eq!(leaf.verify_issued_by(&root, &RustCrypto), Ok(()));
    assert_eq!(root.verify_issued_by(&root, &RustCrypto), Ok(()));
    let renamed = make(&ROOT, "Other", 1);
    assert_eq!(leaf.verify_issued_by(&renamed, &RustCrypto), Err(NotIssuedBy::Name));
    let rekeyed = make(&ROOT, "Root", 3);
    assert_eq!(leaf.verify_issued_by(&rekeyed, &RustCrypto), Err(NotIssuedBy::Name));
    let anonymous = make(&Change { with_authority_key_id: false, ..LEAF }, "U-0001", 2);
    assert_eq!(
        anonymous.verify_issued_by(&rekeyed, &RustCrypto),
        Err(NotIssuedBy::Signature(BadSignature::Wrong))
    );
    let no_authority = make(&Change { kind: Kind::Leaf, ..ROOT }, "Root", 1);
    assert_eq!(leaf.verify_issued_by(&no_authority, &RustCrypto), Err(NotIssuedBy::NotAuthority));
    let no_usage = make(&Change { key_usages: KeyUsages::DIGITAL_SIGNATURE, ..ROOT }, "Root", 1);
    assert_eq!(leaf.verify_issued_by(&no_usage, &RustCrypto), Err(NotIssuedBy::NotAuthority));
}

#[test]
fn every_flipped_byte_is_refused_by_reading_or_by_the_signature() {
    let root = make(&ROOT, "Root", 1);
    let leaf = make(&LEAF, "U-0001", 2);
    for index in 0..leaf.der().len() {
        let mut broken = leaf.der().to_vec();
        broken[index] ^= 1;
        let verified = Certificate::from_der(&broken)
            .ok()
            .is_some_and(|read| read.verify_issued_by(&root, &RustCrypto).is_ok());
        assert!(!verified, "byte {index}");
    }
}

#[test]
fn a_cert_id_names_the_authoritys_key_or_else_the_hash_of_its_name() {
    let named = make(&LEAF, "U-0001", 2);
    let id = CertId::of(&named);
    assert_eq!(id.authority(), key_id(key(1).public_key()));
    assert_eq!(id.serial(), named.serial());
    let anonymous = make(&Change { with_authority_key_id: false, ..LEAF }, "U-0001", 2);
    let id = CertId::of(&anonymous);
    let hash: [u8; 32] = Sha256::digest(name("Root").der()).into();
    assert_eq!(id.authority(), hash);
    assert_eq!(id.as_str().parse::<CertId>().as_ref(), Ok(&id));
}

#[test]
fn path_length_and_unlimited_authorities_are_told_apart() {
    assert_eq!(make(&ROOT, "Root", 1).path_length(), None);
    let limited =
        make(&Change { kind: Kind::Authority { path_length: Some(0) }, ..ROOT }, "Root", 1);
    assert!(limited.is_authority());
    assert_eq!(limited.path_length(), Some(0));
}
