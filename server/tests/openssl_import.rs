//! Certificates that OpenSSL issued, RSA-2048 ones among them, are taken in by the real program: an
//! existing customer base can renew into Koshin.
//!
//! Without OpenSSL the tests are reported as ignored; with `KOSHIN_REQUIRE_ALL=1` they fail instead.

#[allow(dead_code, unreachable_pub, reason = "shared with the tests of the commands")]
#[path = "command/bank.rs"]
mod bank;

use std::fs;
use std::process::{Command, ExitCode};

use libtest_mimic::{Arguments, Failed, Trial};
use serde_json::Value;

use bank::{Bank, Operator, text};

type Outcome = Result<(), Failed>;
type Case = (&'static str, fn() -> Outcome);

const CASES: [Case; 7] = [
    ("certificates_of_every_algorithm_are_imported_and_again_unchanged", every_algorithm),
    ("a_dry_run_reports_the_same_and_changes_nothing", dry_run),
    ("a_chain_must_lead_to_the_given_trust", trust),
    ("a_folder_and_a_manifest_are_imported_in_bulk", bulk),
    ("an_imported_rsa_certificate_is_its_subjects_current_one", current),
    ("a_name_is_one_subject_in_whatever_string_types_openssl_writes_it", string_types),
    ("what_is_no_customers_certificate_is_refused_and_the_rest_taken_in", refused),
];

fn main() -> ExitCode {
    let there =
        Command::new("openssl").arg("version").output().is_ok_and(|output| output.status.success());
    let required = std::env::var_os("KOSHIN_REQUIRE_ALL").is_some_and(|value| value == "1");
    let trials =
        CASES.map(|(name, case)| Trial::test(name, case).with_ignored_flag(!there && !required));
    libtest_mimic::run(&Arguments::from_args(), trials.into()).exit_code()
}

/// A bank with an operator and a contract, and another CA in its folder.
struct Old {
    bank: Bank,
    hanako: Operator,
    contract: String,
}

impl Old {
    fn new() -> Result<Self, Failed> {
        let bank = Bank::new();
        let hanako = bank.first("hanako");
        let contract = bank.contract(&hanako);
        let old = Self { bank, hanako, contract };
        old.root("old", "Old CA")?;
        Ok(old)
    }

    fn openssl(&self, arguments: &str) -> Outcome {
        let output = Command::new("openssl")
            .args(arguments.split(' '))
            .current_dir(self.bank.folder())
            .output()?;
        if output.status.success() {
            Ok(())
        } else {
            Err(format!("openssl {arguments}: {}", String::from_utf8_lossy(&output.stderr)).into())
        }
    }

    fn root(&self, file: &str, name: &str) -> Outcome {
        let name = name.replace(' ', "_");
        self.openssl(&format!(
            "req -x509 -newkey rsa:2048 -nodes -keyout {file}.key -out {file}.pem -subj /O=Old/CN={name} -days 3650"
        ))
    }

    /// A customer's certificate of the old CA, valid for `days`.
    fn issue(&self, file: &str, key: &str, days: u32) -> Outcome {
        self.openssl(&format!("genpkey {key} -out {file}.key"))?;
        self.openssl(&format!(
            "req -new -key {file}.key -out {file}.csr -subj /C=JP/O=Example/CN={file}"
        ))?;
        self.sign(file, days)
    }

    /// The certificate for a CSR.
    fn sign(&self, file: &str, days: u32) -> Outcome {
        self.openssl(&format!(
            "x509 -req -in {file}.csr -CA old.pem -CAkey old.key -CAcreateserial -days {days} -out {file}.pem"
        ))
    }

    fn import(&self, arguments: &[&str]) -> bank::Ran {
        let mut all = vec!["certificate", "import", "--contract", &self.contract];
        all.extend(arguments);
        self.bank.by(&self.hanako, &all)
    }

    fn certificates(&self) -> Vec<Value> {
        let list = ["certificate", "list", "--contract", &self.contract, "--json"];
        let value = self.bank.run(&list).json();
        value["certificates"].as_array().expect("a list").clone()
    }
}

const RSA: &str = "-algorithm RSA -pkeyopt rsa_keygen_bits:2048";
const P256: &str = "-algorithm EC -pkeyopt ec_paramgen_curve:P-256";

fn every_algorithm() -> Outcome {
    let old = Old::new()?;
    old.issue("rsa", RSA, 365)?;
    old.issue("p256", P256, 365)?;
    old.issue("p384", "-algorithm EC -pkeyopt ec_paramgen_curve:P-384", 365)?;
    old.issue("ed25519", "-algorithm ED25519", 365)?;
    old.openssl("x509 -in p256.pem -outform DER -out p256.der")?;
    let files = ["rsa.pem", "p256.der", "p384.pem", "ed25519.pem"];
    let report = old.import(&files).json();
    assert_eq!(report["imported"], 4, "{report}");
    assert_eq!(old.certificates().len(), 4);
    let again = old.import(&files).json();
    assert_eq!((&again["imported"], &again["unchanged"]), (&0.into(), &4.into()), "{again}");
    Ok(())
}

fn dry_run() -> Outcome {
    let old = Old::new()?;
    old.issue("rsa", RSA, 365)?;
    let report = old.import(&["rsa.pem", "--dry-run"]).json();
    assert_eq!((&report["dryRun"], &report["imported"]), (&true.into(), &1.into()), "{report}");
    assert_eq!(old.certificates(), Vec::<Value>::new());
    assert_eq!(old.import(&["rsa.pem"]).json()["imported"], 1);
    Ok(())
}

fn trust() -> Outcome {
    let old = Old::new()?;
    old.issue("rsa", RSA, 365)?;
    // Another CA of the same name, which did not sign.
    old.root("impostor", "Old CA")?;
    old.root("stranger", "Stranger")?;
    for foreign in ["impostor.pem", "stranger.pem"] {
        let ran = old.import(&["rsa.pem", "--issuer-trust", foreign]);
        ran.failed(3, "1 of 1 were not taken in");
        assert_eq!(old.certificates(), Vec::<Value>::new(), "{foreign}");
    }
    let report = old.import(&["rsa.pem", "--issuer-trust", "old.pem"]).json();
    assert_eq!(report["trust"], "verified");
    assert_eq!(old.certificates().len(), 1);
    Ok(())
}

fn bulk() -> Outcome {
    let old = Old::new()?;
    for file in ["one", "two", "three", "four"] {
        old.issue(file, P256, 365)?;
    }
    let folder = old.bank.path("customers");
    fs::create_dir(&folder)?;
    for file in ["one.pem", "two.pem"] {
        fs::copy(old.bank.path(file), folder.join(file))?;
    }
    fs::write(folder.join("readme.txt"), "not a certificate")?;
    assert_eq!(old.import(&["--dir", "customers"]).json()["imported"], 2);
    let contract = &old.contract;
    let manifest = format!(
        "file,contract,role\n# the rest\n../three.pem,{contract},administrator\n../four.pem, {contract}, user\n"
    );
    fs::write(folder.join("manifest.csv"), manifest)?;
    let import = ["certificate", "import", "--manifest", "customers/manifest.csv"];
    assert_eq!(old.bank.by(&old.hanako, &import).json()["imported"], 2);
    let shown = old.bank.run(&["contract", "show", contract, "--json"]).json();
    let subjects = shown["subjects"].as_array().expect("a list");
    let role = |name: &str| {
        let named = subjects.iter().find(|subject| text(&subject["name"]).contains(name));
        text(&named.expect("there")["role"])
    };
    assert_eq!((role("three"), role("four")), ("administrator".to_owned(), "user".to_owned()));
    fs::write(folder.join("manifest.csv"), "one.pem;x;user\n")?;
    old.bank.by(&old.hanako, &import).failed(2, "manifest.csv, line 1");
    Ok(())
}

fn current() -> Outcome {
    let old = Old::new()?;
    old.issue("rsa", RSA, 365)?;
    let report = old.import(&["rsa.pem"]).json();
    let listed = old.certificates();
    assert_eq!(listed[0]["state"], "current");
    assert_eq!(listed[0]["imported"], true);
    assert_eq!(listed[0]["subject"], report["certificates"][0]["subject"]);
    assert_eq!(listed[0]["name"], "CN=rsa,O=Example,C=JP");
    let id = text(&listed[0]["certID"]);
    let shown = old.bank.run(&["certificate", "show", &id, "--json"]).json();
    assert_eq!(text(&shown["certificate"]).trim(), pem_of(&old, "rsa.pem")?);
    Ok(())
}

/// The certificate alone, without what OpenSSL writes around it.
fn pem_of(old: &Old, file: &str) -> Result<String, Failed> {
    let text = fs::read_to_string(old.bank.path(file))?;
    let begin = text.find("-----BEGIN").ok_or("no PEM")?;
    Ok(text[begin..].trim().to_owned())
}

fn string_types() -> Outcome {
    let old = Old::new()?;
    let of = |mask: &str| {
        let dn = "C=JP\nO=Example\nCN=田中 花子\n+OU=Sales\n+UID=u-1001\n";
        let config = format!(
            "[req]\nstring_mask={mask}\nutf8=yes\nprompt=no\ndistinguished_name=dn\n[dn]\n{dn}"
        );
        fs::write(old.bank.path("dn.cnf"), config)?;
        old.openssl(&format!("genpkey {P256} -out {mask}.key"))?;
        old.openssl(&format!("req -new -key {mask}.key -config dn.cnf -out {mask}.csr"))?;
        old.sign(mask, 365)
    };
    // BMPString by its bit; DER has CN last there, and before OU in UTF8String.
    of("MASK:2048")?;
    of("utf8only")?;
    let first = old.import(&["MASK:2048.pem"]).json();
    let name = text(&first["certificates"][0]["name"]);
    assert_eq!(name, "CN=田中 花子+OU=Sales+UID=u-1001,O=Example,C=JP");
    old.import(&["utf8only.pem"]).failed(3, "1 of 1 were not taken in");
    let add = ["subject", "add", "--contract", &old.contract, "--name", &name];
    old.bank.by(&old.hanako, &add).failed(3, "");
    let id = text(&old.certificates()[0]["certID"]);
    let revoke = ["revoke", &id, "--reason", "unspecified"];
    assert_eq!(old.bank.by(&old.hanako, &revoke).code, 0);
    let second = old.import(&["utf8only.pem"]).json();
    let subject = |report: &Value| report["certificates"][0]["subject"].clone();
    assert_eq!(subject(&second), subject(&first));
    Ok(())
}

fn refused() -> Outcome {
    let old = Old::new()?;
    old.issue("good", P256, 365)?;
    old.issue("small", "-algorithm RSA -pkeyopt rsa_keygen_bits:1024", 365)?;
    fs::write(old.bank.path("junk.pem"), "junk")?;
    let files = ["old.pem", "small.pem", "junk.pem", "absent.pem", "good.pem"];
    let ran = old.import(&files);
    ran.failed(3, "4 of 5 were not taken in");
    let report: Value = serde_json::from_str(&ran.out)?;
    let outcome = |file: usize| text(&report["certificates"][file]["outcome"]);
    for (index, file) in files.iter().enumerate() {
        let expected = if *file == "good.pem" { "imported" } else { "refused" };
        assert_eq!(outcome(index), expected, "{file}: {report}");
    }
    assert!(text(&report["certificates"][0]["reason"]).contains("a CA's certificate"), "{report}");
    assert_eq!(old.certificates().len(), 1);
    Ok(())
}
