//! OpenSSL's command line reads what we make, and we read what it makes.
//!
//! Without `openssl` on the path each test is reported as ignored, with `KOSHIN_REQUIRE_ALL=1` as
//! failed.

use std::path::Path;
use std::process::{Command, ExitCode};

use koshin_protocol::algorithm::KeyType;
use koshin_protocol::certificate::{
    Attribute, CLIENT_AUTH, Certificate, KeyUsages, Kind, Name, NotIssuedBy, Profile, key_id,
};
use koshin_protocol::csr::{Csr, CsrError};
use koshin_protocol::sign::{Es256Key, Signer};
use koshin_protocol::time::Time;
use koshin_protocol::verify::{BadSignature, default_verifier};
use libtest_mimic::{Arguments, Failed, Trial};
use tempfile::TempDir;

type Check = fn(&Path) -> Result<(), Failed>;

const CHECKS: [(&str, Check); 8] = [
    ("openssl_reads_and_verifies_our_csr", our_csr),
    ("openssl_verifies_our_certificates_and_their_purpose", our_certificates),
    ("openssl_reads_our_private_key", our_key),
    ("we_read_openssls_private_key", their_key),
    ("we_read_openssls_p256_csr_and_certificate", |dir| theirs(dir, KeyType::P256)),
    ("we_read_openssls_p384_csr_and_certificate", |dir| theirs(dir, KeyType::P384)),
    ("we_read_openssls_ed25519_csr_and_certificate", |dir| theirs(dir, KeyType::Ed25519)),
    ("we_read_openssls_rsa_certificate_and_refuse_its_csr", |dir| theirs(dir, KeyType::Rsa)),
];

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let available = Command::new("openssl").arg("version").output().is_ok();
    let required = std::env::var_os("KOSHIN_REQUIRE_ALL").is_some_and(|value| value == "1");
    if !available && !required {
        eprintln!("openssl is not on the path: its tests are ignored");
    }
    let trials = CHECKS.into_iter().map(|(name, check)| {
        let run = move || check(TempDir::new()?.path());
        Trial::test(name, run).with_ignored_flag(!available && !required)
    });
    libtest_mimic::run(&arguments, trials.collect()).exit_code()
}

fn openssl(dir: &Path, arguments: &str) -> Result<String, Failed> {
    let output = Command::new("openssl").args(arguments.split(' ')).current_dir(dir).output()?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if !output.status.success() {
        return Err(format!("openssl {arguments}: {}", text(&output.stderr)).into());
    }
    Ok(text(&output.stdout) + &text(&output.stderr))
}

fn expect(text: &str, parts: &[&str]) -> Result<(), Failed> {
    match parts.iter().find(|part| !text.contains(**part)) {
        Some(part) => Err(format!("{part:?} is not in\n{text}").into()),
        None => Ok(()),
    }
}

fn key(seed: u8) -> Es256Key {
    Es256Key::from_random(&[seed; 48])
}

fn name(common: &str) -> Name {
    let attributes = [
        (Attribute::Country, "JP"),
        (Attribute::Organization, "Example, K.K."),
        (Attribute::CommonName, common),
    ];
    Name::new(&attributes).expect("a name")
}

fn our_csr(dir: &Path) -> Result<(), Failed> {
    std::fs::write(dir.join("csr"), Csr::make(&name("田中 花子"), &key(1))?)?;
    let text =
        openssl(dir, "req -inform DER -in csr -verify -noout -subject -nameopt RFC2253,-esc_msb")?;
    expect(&text, &["verify OK", r"CN=田中 花子,O=Example\, K.K.,C=JP"])?;
    let text = openssl(dir, "req -inform DER -in csr -noout -text -nameopt RFC2253,-esc_msb")?;
    expect(&text, &["ecdsa-with-SHA256", "prime256v1", "Version: 1 (0x0)"])
}

fn certificate(subject: &str, subject_key: u8, kind: Kind, key_usages: KeyUsages) -> Certificate {
    let id = key_id(key(1).public_key());
    let time = |text: &str| text.parse::<Time>().expect("a time");
    let leaf = kind == Kind::Leaf;
    Profile {
        serial: &[0x87, 0x65, 0x43, 0x21],
        issuer: &name("Root"),
        not_before: time("2020-01-01T00:00:00Z"),
        not_after: time("2060-01-01T00:00:00Z"),
        subject: &name(subject),
        key: key(subject_key).public_key(),
        kind,
        key_usages,
        extended_key_usages: if leaf { &[CLIENT_AUTH] } else { &[] },
        authority_key_id: leaf.then_some(&id[..]),
        crl: if leaf { &["http://bank.example/crl/1"] } else { &[] },
    }
    .sign(&key(1))
    .expect("a certificate")
}

fn our_certificates(dir: &Path) -> Result<(), Failed> {
    let authority = Kind::Authority { path_length: Some(0) };
    let root = certificate("Root", 1, authority, KeyUsages::AUTHORITY);
    let leaf = certificate("U-0001", 2, Kind::Leaf, KeyUsages::DIGITAL_SIGNATURE);
    std::fs::write(dir.join("root.der"), root.der())?;
    std::fs::write(dir.join("leaf.der"), leaf.der())?;
    openssl(dir, "x509 -inform DER -in root.der -out root.pem")?;
    openssl(dir, "x509 -inform DER -in leaf.der -out leaf.pem")?;
    let text = openssl(dir, "verify -x509_strict -purpose sslclient -CAfile root.pem leaf.pem")?;
    expect(&text, &["leaf.pem: OK"])?;
    let refused = openssl(dir, "verify -purpose sslserver -CAfile root.pem leaf.pem");
    if refused.is_ok() {
        return Err("a client's certificate serves as a server's".into());
    }
    let text = openssl(dir, "x509 -in leaf.pem -noout -text -nameopt RFC2253")?;
    expect(
        &text,
        &[
            "Version: 3 (0x2)",
            "2271560481 (0x87654321)",
            "Not Before: Jan  1 00:00:00 2020 GMT",
            "Not After : Jan  1 00:00:00 2060 GMT",
            "X509v3 Basic Constraints: critical\n                CA:FALSE",
            "X509v3 Key Usage: critical\n                Digital Signature\n",
            "X509v3 Extended Key Usage: \n                TLS Web Client Authentication\n",
            "X509v3 Subject Key Identifier",
            "X509v3 Authority Key Identifier",
            "URI:http://bank.example/crl/1",
        ],
    )?;
    let text = openssl(dir, "x509 -in root.pem -noout -text -nameopt RFC2253")?;
    expect(&text, &["CA:TRUE, pathlen:0", "Certificate Sign, CRL Sign"])
}

fn our_key(dir: &Path) -> Result<(), Failed> {
    std::fs::write(dir.join("key.pem"), &*key(1).to_pkcs8_pem())?;
    openssl(dir, "pkey -in key.pem -pubout -outform DER -out public.der")?;
    let public = std::fs::read(dir.join("public.der"))?;
    if public == key(1).public_key().to_spki_der() { Ok(()) } else { Err("another key".into()) }
}

fn their_key(dir: &Path) -> Result<(), Failed> {
    openssl(dir, "genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out key.pem")?;
    openssl(dir, "pkey -in key.pem -pubout -outform DER -out public.der")?;
    let key = Es256Key::from_pkcs8_pem(&std::fs::read_to_string(dir.join("key.pem"))?)?;
    let public = std::fs::read(dir.join("public.der"))?;
    if public == key.public_key().to_spki_der() { Ok(()) } else { Err("another key".into()) }
}

fn theirs(dir: &Path, key_type: KeyType) -> Result<(), Failed> {
    let (generate, hash) = match key_type {
        KeyType::P256 => ("-algorithm EC -pkeyopt ec_paramgen_curve:P-256", "-sha256"),
        KeyType::P384 => ("-algorithm EC -pkeyopt ec_paramgen_curve:P-384", "-sha384"),
        KeyType::Ed25519 => ("-algorithm ED25519", "-sha256"),
        KeyType::Rsa => ("-algorithm RSA -pkeyopt rsa_keygen_bits:2048", "-sha256"),
    };
    openssl(dir, &format!("genpkey {generate} -out key.pem"))?;
    let subject = "-subj /C=JP/O=Example/CN=U-0001";
    openssl(dir, &format!("req -new {hash} -key key.pem {subject} -outform DER -out csr.der"))?;
    let days = "-days 10 -addext keyUsage=critical,keyCertSign,cRLSign";
    openssl(
        dir,
        &format!("req -x509 {hash} -key key.pem {subject} {days} -outform DER -out root.der"),
    )?;
    openssl(dir, "pkey -in key.pem -pubout -outform DER -out public.der")?;
    let public = std::fs::read(dir.join("public.der"))?;

    let csr = Csr::from_der(&std::fs::read(dir.join("csr.der"))?, default_verifier());
    match (key_type, csr) {
        (KeyType::Rsa, Err(CsrError::KeyType)) => {}
        (_, Ok(csr)) => {
            assert_eq!(csr.key().to_spki_der(), public);
            assert_eq!(csr.subject().as_str(), "CN=U-0001,O=Example,C=JP");
        }
        (_, Err(error)) => return Err(error.into()),
    }

    let certificate = Certificate::from_der(&std::fs::read(dir.join("root.der"))?)?;
    assert_eq!(certificate.key().key_type(), key_type);
    assert_eq!(certificate.key().to_spki_der(), public, "the key is written as it was read");
    assert_eq!(certificate.subject().as_str(), "CN=U-0001,O=Example,C=JP");
    assert_eq!(certificate.not_after().seconds_since(certificate.not_before()), 10 * 86_400);
    assert!(certificate.is_authority());
    assert_eq!(certificate.key_usages(), Some(KeyUsages::AUTHORITY));
    let has_rsa = cfg!(feature = "aws-lc-rs");
    let expected = if key_type == KeyType::Rsa && !has_rsa {
        Err(NotIssuedBy::Signature(BadSignature::Unsupported))
    } else {
        Ok(())
    };
    assert_eq!(certificate.verify_issued_by(&certificate, default_verifier()), expected);
    Ok(())
}
