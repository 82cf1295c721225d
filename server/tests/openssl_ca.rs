//! What the bank's authority makes, judged by OpenSSL: chain, purpose, validity, CRLs, key files.
//!
//! Without OpenSSL the tests are reported as ignored; with `KOSHIN_REQUIRE_ALL=1` they fail
//! instead.
#![allow(clippy::unwrap_used, reason = "a test may stop where it stands")]

use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode};

use koshin_protocol::certificate::{Attribute, Name};
use koshin_protocol::sign::{Es256Key, Signer};
use koshin_protocol::time::{Period, Time};
use koshin_server::ca::{
    Answer, Basis, Crl, Customer, Embedded, Entry, Issuer, NewAuthority, Passphrase, Reason,
    Validity,
};
use koshin_server::config::Origin;
use koshin_server::policy::Policy;
use libtest_mimic::{Arguments, Failed, Trial};
use tempfile::TempDir;

type Outcome = Result<(), Failed>;
type Case = (&'static str, fn() -> Outcome);

const CASES: [Case; 8] = [
    ("openssl_accepts_a_customers_certificate_with_its_chain_and_crls", accepts_a_customer),
    ("openssl_checks_the_crl_of_every_certificate_of_the_chain", needs_every_crl),
    ("openssl_refuses_a_revoked_certificate_and_no_other", refuses_a_revoked_certificate),
    (
        "openssl_refuses_a_certificate_after_its_validity_and_a_crl_after_its_next_update",
        refuses_after_the_end,
    ),
    ("openssl_refuses_a_customer_as_server_and_as_authority", refuses_other_purposes),
    ("openssl_does_not_take_a_receipt_certificate_for_a_customers", refuses_a_receipt_certificate),
    ("openssl_reads_number_and_reasons_of_a_crl", reads_the_crl),
    ("openssl_opens_an_encrypted_key_with_its_passphrase_alone", opens_the_keys),
];

fn main() -> ExitCode {
    let there =
        Command::new("openssl").arg("version").output().is_ok_and(|output| output.status.success());
    let required = std::env::var_os("KOSHIN_REQUIRE_ALL").is_some_and(|value| value == "1");
    let trials =
        CASES.map(|(name, case)| Trial::test(name, case).with_ignored_flag(!there && !required));
    libtest_mimic::run(&Arguments::from_args(), trials.into()).exit_code()
}

/// A bank's authority and one customer's certificate, as files for OpenSSL.
struct Bank {
    folder: TempDir,
    ca: Embedded,
    serial: Vec<u8>,
}

fn now() -> Time {
    "2026-11-23T12:00:00Z".parse().unwrap()
}

fn after(days: u32) -> Time {
    now().checked_add(Period::from_days(days)).unwrap()
}

fn bank(passphrase: Option<&Passphrase>) -> Bank {
    let folder = tempfile::tempdir().unwrap();
    let origin = Origin::parse("https://bank.example").unwrap();
    let ca = folder.path().join("ca");
    NewAuthority { organization: "Example Bank", origin: &origin, now: now(), passphrase }
        .create(&ca)
        .unwrap();
    let ca = Embedded::load(&ca, passphrase, &origin).unwrap();
    let policy = Policy::shipped("seed").unwrap();
    let name = Name::new(&[
        (Attribute::Country, "JP"),
        (Attribute::Organization, "株式会社見本"),
        (Attribute::CommonName, "user01"),
    ]);
    let validity = Validity::of(Basis::Enrollment, &policy, ca.authority(), now().into()).unwrap();
    let key = Es256Key::from_random(&[1; 48]);
    let request = Customer { subject: &name.unwrap(), key: key.public_key(), validity }
        .prepare(ca.authority())
        .unwrap();
    let Answer::Issued(certificate) = wait(ca.issue(&request)) else { panic!("not issued") };
    let pem = der::pem::encode_string("CERTIFICATE", der::pem::LineEnding::LF, certificate.der())
        .unwrap();
    fs::write(folder.path().join("customer.pem"), pem).unwrap();
    let bank = Bank { folder, ca, serial: request.serial().to_vec() };
    bank.publish(1, &[]);
    bank
}

fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

impl Bank {
    fn publish(&self, number: u64, entries: &[Entry<'_>]) {
        let crl = Crl::new(
            self.ca.authority(),
            number,
            now(),
            Period::from_days(7),
            entries.iter().copied(),
        )
        .unwrap();
        fs::write(self.folder.path().join("issuing.crl"), wait(self.ca.sign_crl(&crl)).unwrap())
            .unwrap();
    }

    /// Asks OpenSSL about a certificate at a time, strictly, with a CRL for each certificate of the
    /// chain.
    fn verify(&self, certificate: &str, purpose: &str, time: Time) -> Result<String, String> {
        self.verify_with(&["issuing.crl", "ca/root.crl"], certificate, purpose, time)
    }

    fn verify_with(
        &self,
        crls: &[&str],
        certificate: &str,
        purpose: &str,
        time: Time,
    ) -> Result<String, String> {
        let time = time.unix().to_string();
        let mut arguments =
            vec!["verify", "-x509_strict", "-check_ss_sig", "-purpose", purpose, "-attime", &time];
        arguments.extend([
            "-CAfile",
            "ca/root.pem",
            "-untrusted",
            "ca/issuing.pem",
            "-crl_check_all",
        ]);
        arguments.extend(crls.iter().flat_map(|crl| ["-CRLfile", crl]));
        arguments.push(certificate);
        openssl(self.folder.path(), &arguments)
    }
}

/// Standard output if OpenSSL is content, standard error if not.
fn openssl(folder: &Path, arguments: &[&str]) -> Result<String, String> {
    let output = Command::new("openssl").args(arguments).current_dir(folder).output();
    let output = output.map_err(|error| format!("openssl cannot be run: {error}"))?;
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
}

/// The refusal must be for the expected reason.
fn refused_for(reason: &str, outcome: Result<String, String>) -> Outcome {
    match outcome {
        Ok(output) => Err(format!("accepted: {output}").into()),
        Err(error) if error.contains(reason) => Ok(()),
        Err(error) => Err(format!("refused, but not for {reason:?}: {error}").into()),
    }
}

fn accepts_a_customer() -> Outcome {
    let bank = bank(None);
    bank.verify("customer.pem", "sslclient", now())?;
    Ok(())
}

fn needs_every_crl() -> Outcome {
    let bank = bank(None);
    for crls in [&["issuing.crl"][..], &["ca/root.crl"], &[]] {
        refused_for(
            "unable to get certificate CRL",
            bank.verify_with(crls, "customer.pem", "sslclient", now()),
        )?;
    }
    Ok(())
}

fn refuses_a_revoked_certificate() -> Outcome {
    let bank = bank(None);
    let revoked = |serial| Entry { serial, revoked_at: now(), reason: Some(Reason::KeyCompromise) };
    let mut other = bank.serial.clone();
    other[15] ^= 1;
    bank.publish(2, &[revoked(&other)]);
    bank.verify("customer.pem", "sslclient", now())?;
    bank.publish(3, &[revoked(&other), revoked(&bank.serial)]);
    refused_for("certificate revoked", bank.verify("customer.pem", "sslclient", now()))
}

fn refuses_after_the_end() -> Outcome {
    let bank = bank(None);
    refused_for("CRL has expired", bank.verify("customer.pem", "sslclient", after(8)))?;
    refused_for("certificate has expired", bank.verify("customer.pem", "sslclient", after(366)))?;
    let before = now().checked_sub(Period::from_days(1)).unwrap();
    refused_for("certificate is not yet valid", bank.verify("customer.pem", "sslclient", before))
}

fn refuses_other_purposes() -> Outcome {
    let bank = bank(None);
    for purpose in ["sslserver", "smimesign", "crlsign"] {
        refused_for("unsuitable certificate purpose", bank.verify("customer.pem", purpose, now()))
            .or_else(|_| {
                refused_for(
                    "unsupported certificate purpose",
                    bank.verify("customer.pem", purpose, now()),
                )
            })?;
    }
    Ok(())
}

fn refuses_a_receipt_certificate() -> Outcome {
    let bank = bank(None);
    let refused = bank.verify("ca/receipt.pem", "sslclient", now());
    refused_for("certificate purpose", refused)?;
    bank.verify("ca/receipt.pem", "any", now())?;
    Ok(())
}

fn reads_the_crl() -> Outcome {
    let bank = bank(None);
    let reasons = [
        (Some(Reason::KeyCompromise), "Key Compromise"),
        (Some(Reason::AffiliationChanged), "Affiliation Changed"),
        (Some(Reason::Superseded), "Superseded"),
        (Some(Reason::CessationOfOperation), "Cessation Of Operation"),
        (None, "Serial Number: 05"),
    ];
    let serials: Vec<_> = (1_u8..).map(|serial| [serial]).take(reasons.len()).collect();
    let entries: Vec<_> = serials
        .iter()
        .zip(reasons)
        .map(|(serial, (reason, _))| Entry { serial, revoked_at: now(), reason })
        .collect();
    bank.publish(70_000, &entries);
    let text = openssl(
        bank.folder.path(),
        &["crl", "-inform", "DER", "-in", "issuing.crl", "-noout", "-text"],
    )?;
    let named = reasons.iter().map(|(_, words)| *words);
    for words in named.chain(["Version 2 (0x1)", "70000", "Next Update: Nov 30 12:00:00 2026 GMT"])
    {
        if !text.contains(words) {
            return Err(format!("no {words:?} in {text}").into());
        }
    }
    Ok(())
}

fn opens_the_keys() -> Outcome {
    let passphrase = Passphrase::new("correct horse").unwrap();
    let bank = bank(Some(&passphrase));
    let open = |pass| {
        openssl(
            bank.folder.path(),
            &["pkey", "-in", "ca/issuing.key", "-noout", "-check", "-passin", pass],
        )
    };
    open("pass:correct horse")?;
    match open("pass:wrong") {
        Ok(_) => Err("opened with a wrong passphrase".into()),
        Err(_) => Ok(()),
    }
}
