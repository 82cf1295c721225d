//! Keys and certificates of others are read, and ours are read by others: OpenSSL, and NSS (`pk12util`, as in Firefox).
//!
//! Without the tools the tests are listed as ignored; with `KOSHIN_REQUIRE_ALL=1` they fail.

#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

use std::path::{Path, PathBuf};
use std::process::Command;

use koshin_client::files::{Files, Real};
use koshin_client::import::{self, ImportError, Imported};
use koshin_client::keystore::{FileStore, KeyStore, KeyStoreError, Pkcs12Store, Slot};
use koshin_protocol::algorithm::{Algorithm, KeyType};
use koshin_protocol::sign::Signer;
use koshin_protocol::time::Time;
use koshin_protocol::verify::default_verifier;
use libtest_mimic::{Arguments, Failed, Trial};
use secrecy::SecretString;

const PASSPHRASE: &str = "correct horse";

fn main() {
    let arguments = Arguments::from_args();
    let require = std::env::var("KOSHIN_REQUIRE_ALL").is_ok_and(|value| value == "1");
    let trial = |name: &str, tools: &[&str], test: fn(&Folder)| {
        let missing = tools.iter().copied().filter(|tool| !is_there(tool)).collect::<Vec<_>>();
        let run = {
            let missing = missing.join(", ");
            move || {
                if missing.is_empty() {
                    test(&Folder::new());
                    Ok(())
                } else {
                    Err(Failed::from(format!("not installed: {missing}")))
                }
            }
        };
        Trial::test(name, run).with_ignored_flag(!missing.is_empty() && !require)
    };
    let openssl = ["openssl"].as_slice();
    let nss = ["openssl", "pk12util", "certutil"].as_slice();
    let trials = vec![
        trial("openssl_opens_our_pkcs12", openssl, openssl_opens_our_pkcs12),
        trial("nss_opens_our_pkcs12", nss, nss_opens_our_pkcs12),
        trial("pkcs12_of_openssl_3_is_read", openssl, pkcs12_of_openssl_3_is_read),
        trial("pkcs12_with_3des_and_rc2_is_read", openssl, pkcs12_with_3des_and_rc2_is_read),
        trial("pkcs12_of_nss_is_read", nss, pkcs12_of_nss_is_read),
        trial(
            "pkcs12_of_nss_with_3des_and_rc2_is_read",
            nss,
            pkcs12_of_nss_with_3des_and_rc2_is_read,
        ),
        trial(
            "a_changed_byte_in_pkcs12_of_nss_is_refused",
            nss,
            a_changed_byte_in_pkcs12_of_nss_is_refused,
        ),
        trial("keys_of_every_pem_form_are_read", openssl, keys_of_every_pem_form_are_read),
        trial(
            "encrypted_keys_of_every_age_are_read",
            openssl,
            encrypted_keys_of_every_age_are_read,
        ),
        trial("a_chain_is_put_in_order", openssl, a_chain_is_put_in_order),
        trial(
            "a_key_of_another_certificate_is_refused",
            openssl,
            a_key_of_another_certificate_is_refused,
        ),
        trial("an_expired_certificate_is_refused", openssl, an_expired_certificate_is_refused),
        trial(
            "files_without_key_or_certificate_are_refused",
            openssl,
            files_without_key_or_certificate_are_refused,
        ),
        trial("openssl_opens_our_encrypted_key", openssl, openssl_opens_our_encrypted_key),
    ];
    libtest_mimic::run(&arguments, trials).exit();
}

fn openssl_opens_our_pkcs12(folder: &Folder) {
    let pair = folder.pair("ours", &["rsa:2048"]);
    let imported = read(&[&pair.key, &pair.certificate]).unwrap();
    let store = Pkcs12Store::new(passphrase());
    let slot = Slot { files: &Real, folder: &folder.path, label: "koshin 太郎 7" };
    let signer = store.import_key(slot, imported.key).unwrap();
    store.attach(slot, &imported.chain).unwrap();
    let path = folder.path.join("key.p12");
    assert_eq!(Real.permissions(&path).unwrap(), 0o600);

    let text = folder.run(
        "openssl",
        &["pkcs12", "-in", "key.p12", "-passin", "pass:correct horse", "-nodes", "-info"],
    );
    assert!(text.contains("AES-256-CBC") && text.contains("hmacWithSHA256"), "{text}");
    std::fs::write(folder.path.join("all.pem"), &text).unwrap();
    assert_eq!(
        folder.run("openssl", &["pkey", "-in", "all.pem", "-pubout"]),
        folder.public_key(&pair.key)
    );

    let again = store.signer(slot).unwrap().expect("the key is there");
    assert_eq!(again.public_key(), signer.public_key());
    let wrong = Pkcs12Store::new(SecretString::from("battery staple"));
    assert!(matches!(wrong.signer(slot), Err(KeyStoreError::PassphraseWrong { .. })));
}

fn nss_opens_our_pkcs12(folder: &Folder) {
    let pair = folder.pair("ours", &["ec", "-pkeyopt", "ec_paramgen_curve:P-256"]);
    let imported = read(&[&pair.key, &pair.certificate]).unwrap();
    let store = Pkcs12Store::new(passphrase());
    let slot = Slot { files: &Real, folder: &folder.path, label: "koshin taro 7" };
    store.import_key(slot, imported.key).unwrap();
    store.attach(slot, &imported.chain).unwrap();
    folder.database();
    folder.run("pk12util", &["-i", "key.p12", "-d", "sql:db", "-W", PASSPHRASE]);
    let keys = folder.run("certutil", &["-K", "-d", "sql:db"]);
    assert!(keys.contains("CN=ours"), "{keys}");
}

fn pkcs12_of_openssl_3_is_read(folder: &Folder) {
    let pair = folder.pair("theirs", &["rsa:2048"]);
    folder.export(&pair, "theirs.p12", &[]);
    same_pair(folder, &pair, "theirs.p12");
}

fn pkcs12_with_3des_and_rc2_is_read(folder: &Folder) {
    let pair = folder.pair("theirs", &["rsa:2048"]);
    folder.export(&pair, "legacy.p12", &["-legacy"]);
    let info = folder.run(
        "openssl",
        &[
            "pkcs12",
            "-legacy",
            "-in",
            "legacy.p12",
            "-passin",
            "pass:correct horse",
            "-info",
            "-noout",
        ],
    );
    assert!(info.contains("3-KeyTripleDES") && info.contains("40BitRC2"), "{info}");
    same_pair(folder, &pair, "legacy.p12");
    folder.export(&pair, "3des.p12", &["-legacy", "-certpbe", "PBE-SHA1-3DES", "-macalg", "sha1"]);
    same_pair(folder, &pair, "3des.p12");
}

fn pkcs12_of_nss_is_read(_: &Folder) {
    // The longer name sorts behind the key's id in DER; NSS does not sort.
    for name in
        ["taro", "a friendly name that is longer than the identifier of the key, which it precedes"]
    {
        let folder = &Folder::new();
        let pair = folder.pair("taro", &["rsa:2048"]);
        folder.nss_export(&pair, name, "nss.p12", &[]);
        assert_eq!(std::fs::read(folder.path.join("nss.p12")).unwrap()[..2], [0x30, 0x80], "BER");
        same_pair(folder, &pair, "nss.p12");
    }
}

fn pkcs12_of_nss_with_3des_and_rc2_is_read(folder: &Folder) {
    let pair = folder.pair("taro", &["rsa:2048"]);
    let ciphers = [
        "-c",
        "PKCS #12 V2 PBE With SHA-1 And 3KEY Triple DES-CBC",
        "-C",
        "PKCS #12 V2 PBE With SHA-1 And 40 Bit RC2 CBC",
    ];
    folder.nss_export(&pair, "taro", "nss.p12", &ciphers);
    same_pair(folder, &pair, "nss.p12");
}

fn a_changed_byte_in_pkcs12_of_nss_is_refused(folder: &Folder) {
    let pair = folder.pair("taro", &["rsa:2048"]);
    folder.nss_export(&pair, "taro", "nss.p12", &[]);
    let mut file = std::fs::read(folder.path.join("nss.p12")).unwrap();
    let middle = file.len() / 4;
    file[middle] ^= 1;
    let error = import::read(&[&file], Some(&passphrase()), now()).unwrap_err();
    assert!(matches!(error, ImportError::PassphraseWrong), "{error}");
}

fn keys_of_every_pem_form_are_read(folder: &Folder) {
    let forms: [(&[&str], &[&str], Algorithm); 5] = [
        (&["rsa:2048"], &[], Algorithm::Rs256),
        (&["rsa:3072"], &["-traditional"], Algorithm::Rs256),
        (&["ec", "-pkeyopt", "ec_paramgen_curve:P-256"], &["-traditional"], Algorithm::Es256),
        (&["ec", "-pkeyopt", "ec_paramgen_curve:P-384"], &["-traditional"], Algorithm::Es384),
        (&["ed25519"], &[], Algorithm::EdDsa),
    ];
    for (number, (key, form, algorithm)) in forms.into_iter().enumerate() {
        let pair = folder.pair(&format!("k{number}"), key);
        let converted = folder.path.join(format!("k{number}-form.pem"));
        let (from, to) = (pair.key.to_str().unwrap(), converted.to_str().unwrap());
        folder.run("openssl", &[&["pkey", "-in", from, "-out", to], form].concat());
        let imported = read(&[&converted, &pair.certificate]).unwrap();
        assert_eq!(imported.key.algorithm(), algorithm);
        signs(&imported.key);
        signs(&imported.key.with_pss().unwrap());
    }
}

fn encrypted_keys_of_every_age_are_read(folder: &Folder) {
    let pair = folder.pair("theirs", &["rsa:2048"]);
    let key = pair.key.to_str().unwrap();
    let ways: [&[&str]; 5] = [
        &["-v2", "aes-256-cbc"],
        &["-v2", "aes-128-cbc", "-v2prf", "hmacWithSHA1"],
        &["-v2", "des3", "-v2prf", "hmacWithSHA1"],
        &["-v2", "aes-256-cbc", "-iter", "100000"],
        &["-scrypt"],
    ];
    for way in ways {
        let out =
            ["pkcs8", "-topk8", "-in", key, "-out", "enc.pem", "-passout", "pass:correct horse"];
        folder.run("openssl", &[&out, way].concat());
        let file = folder.path.join("enc.pem");
        let imported =
            read(&[&file, &pair.certificate]).unwrap_or_else(|error| panic!("{way:?}: {error}"));
        signs(&imported.key);
        let contents = [std::fs::read(&file).unwrap(), std::fs::read(&pair.certificate).unwrap()];
        let contents = [contents[0].as_slice(), &contents[1]];
        let wrong = SecretString::from("battery staple");
        let error = import::read(&contents, Some(&wrong), now()).unwrap_err();
        assert!(matches!(error, ImportError::PassphraseWrong), "{way:?}: {error}");
        let error = import::read(&contents, None, now()).unwrap_err();
        assert!(matches!(error, ImportError::PassphraseMissing), "{way:?}: {error}");
    }
    folder.run(
        "openssl",
        &[
            "pkcs8",
            "-topk8",
            "-in",
            key,
            "-out",
            "old.pem",
            "-passout",
            "pass:correct horse",
            "-v1",
            "PBE-SHA1-3DES",
        ],
    );
    let error = read(&[&folder.path.join("old.pem"), &pair.certificate]).unwrap_err();
    assert!(matches!(error, ImportError::EncryptionUnsupported), "{error}");
}

fn a_chain_is_put_in_order(folder: &Folder) {
    let root = folder.pair("root", &["rsa:2048"]);
    let middle = folder.issued("middle", &root, true);
    let leaf = folder.issued("leaf", &middle, false);
    let imported =
        read(&[&root.certificate, &middle.certificate, &leaf.key, &leaf.certificate]).unwrap();
    let names = imported.chain.iter().map(|certificate| certificate.subject().to_string());
    assert_eq!(names.collect::<Vec<_>>(), ["CN=leaf", "CN=middle"]);
}

fn a_key_of_another_certificate_is_refused(folder: &Folder) {
    let one = folder.pair("one", &["rsa:2048"]);
    let other = folder.pair("other", &["rsa:2048"]);
    let error = read(&[&one.key, &other.certificate]).unwrap_err();
    assert!(
        matches!(&error, ImportError::KeyMismatch { subject } if subject == "CN=other"),
        "{error}"
    );
}

fn an_expired_certificate_is_refused(folder: &Folder) {
    let pair = folder.pair("taro", &["ec", "-pkeyopt", "ec_paramgen_curve:P-256"]);
    let contents = [std::fs::read(&pair.key).unwrap(), std::fs::read(&pair.certificate).unwrap()];
    let contents = [contents[0].as_slice(), &contents[1]];
    let not_after = import::read(&contents, None, now()).unwrap().chain[0].not_after();
    assert!(import::read(&contents, None, not_after).is_ok(), "the last second counts");
    let after = Time::from_unix(not_after.unix() + 1).unwrap();
    let error = import::read(&contents, None, after).unwrap_err();
    assert!(
        matches!(&error, ImportError::Expired { subject, .. } if subject == "CN=taro"),
        "{error}"
    );
}

fn files_without_key_or_certificate_are_refused(folder: &Folder) {
    let pair = folder.pair("taro", &["rsa:2048"]);
    assert!(matches!(read(&[&pair.key]).unwrap_err(), ImportError::NoCertificate));
    assert!(matches!(read(&[&pair.certificate]).unwrap_err(), ImportError::NoKey));
    let error = import::read(&[b"rubbish"], Some(&passphrase()), now()).unwrap_err();
    assert!(matches!(error, ImportError::Unknown(_)), "{error}");
}

fn openssl_opens_our_encrypted_key(folder: &Folder) {
    let store = FileStore::encrypted(passphrase());
    let slot = Slot { files: &Real, folder: &folder.path, label: "koshin taro 1" };
    let signer = store.make_key(slot, KeyType::P256).unwrap();
    let path = folder.path.join("key.pem");
    assert!(
        std::fs::read_to_string(&path)
            .unwrap()
            .starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----")
    );
    let public = folder
        .run("openssl", &["pkey", "-in", "key.pem", "-passin", "pass:correct horse", "-pubout"]);
    let spki = koshin_client::pem::sections(public.as_bytes()).unwrap().remove(0).der;
    assert_eq!(*spki, signer.public_key().to_spki_der());
    let again = store.signer(slot).unwrap().expect("the key is there");
    assert_eq!(again.public_key(), signer.public_key());
}

/// A folder of its own for each test.
struct Folder {
    path: PathBuf,
    _guard: tempfile::TempDir,
}

/// Files of a key and its certificate.
struct Pair {
    key: PathBuf,
    certificate: PathBuf,
}

impl Folder {
    fn new() -> Self {
        let guard = tempfile::tempdir().unwrap();
        Self { path: guard.path().to_owned(), _guard: guard }
    }

    /// Runs a tool here; its output, both streams.
    fn run(&self, tool: &str, arguments: &[&str]) -> String {
        let output = Command::new(tool).args(arguments).current_dir(&self.path).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{tool} {arguments:?}: {text}{errors}");
        if arguments.contains(&"-info") { text + &errors } else { text }
    }

    /// A new key and a self-signed certificate, by OpenSSL.
    fn pair(&self, name: &str, key: &[&str]) -> Pair {
        let (file, certificate) = self.files(name);
        let subject = format!("/CN={name}");
        let out = [
            "req",
            "-x509",
            "-nodes",
            "-days",
            "20",
            "-subj",
            &subject,
            "-keyout",
            file.to_str().unwrap(),
            "-out",
            certificate.to_str().unwrap(),
            "-newkey",
        ];
        self.run("openssl", &[&out, key].concat());
        Pair { key: file, certificate }
    }

    fn issued(&self, name: &str, issuer: &Pair, authority: bool) -> Pair {
        let (file, certificate) = self.files(name);
        let (subject, constraint) =
            (format!("/CN={name}"), format!("basicConstraints=critical,CA:{authority}"));
        self.run(
            "openssl",
            &[
                "req",
                "-x509",
                "-nodes",
                "-days",
                "20",
                "-subj",
                &subject,
                "-newkey",
                "rsa:2048",
                "-keyout",
                file.to_str().unwrap(),
                "-out",
                certificate.to_str().unwrap(),
                "-CA",
                issuer.certificate.to_str().unwrap(),
                "-CAkey",
                issuer.key.to_str().unwrap(),
                "-addext",
                &constraint,
            ],
        );
        Pair { key: file, certificate }
    }

    fn files(&self, name: &str) -> (PathBuf, PathBuf) {
        (self.path.join(format!("{name}.key.pem")), self.path.join(format!("{name}.crt.pem")))
    }

    fn public_key(&self, key: &Path) -> String {
        self.run("openssl", &["pkey", "-in", key.to_str().unwrap(), "-pubout"])
    }

    fn export(&self, pair: &Pair, file: &str, more: &[&str]) {
        let arguments = [
            "pkcs12",
            "-export",
            "-inkey",
            pair.key.to_str().unwrap(),
            "-in",
            pair.certificate.to_str().unwrap(),
            "-out",
            file,
            "-passout",
            "pass:correct horse",
        ];
        self.run("openssl", &[&arguments, more].concat());
    }

    fn database(&self) {
        std::fs::create_dir(self.path.join("db")).unwrap();
        self.run("certutil", &["-N", "-d", "sql:db", "--empty-password"]);
    }

    fn nss_export(&self, pair: &Pair, name: &str, file: &str, more: &[&str]) {
        self.export(pair, "way-in.p12", &["-name", name]);
        self.database();
        self.run("pk12util", &["-i", "way-in.p12", "-d", "sql:db", "-W", PASSPHRASE]);
        let arguments = ["-o", file, "-n", name, "-d", "sql:db", "-W", PASSPHRASE];
        self.run("pk12util", &[&arguments, more].concat());
    }
}

fn is_there(tool: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(tool).is_file())
}

fn passphrase() -> SecretString {
    SecretString::from(PASSPHRASE)
}

fn now() -> Time {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    Time::from_unix(since.as_secs().try_into().unwrap()).unwrap()
}

fn read(files: &[&PathBuf]) -> Result<Imported, ImportError> {
    let contents = files.iter().map(|file| std::fs::read(file).unwrap()).collect::<Vec<_>>();
    let contents = contents.iter().map(Vec::as_slice).collect::<Vec<_>>();
    import::read(&contents, Some(&passphrase()), now())
}

/// The file holds this pair, opens with its passphrase and with no other.
fn same_pair(folder: &Folder, pair: &Pair, file: &str) {
    let content = std::fs::read(folder.path.join(file)).unwrap();
    let imported = import::read(&[&content], Some(&passphrase()), now())
        .unwrap_or_else(|error| panic!("{file}: {error}"));
    let plain = read(&[&pair.key, &pair.certificate]).unwrap();
    assert_eq!(imported.key.public_key(), plain.key.public_key());
    assert_eq!(imported.chain, plain.chain);
    signs(&imported.key);
    let wrong = SecretString::from("battery staple");
    let error = import::read(&[&content], Some(&wrong), now()).unwrap_err();
    assert!(matches!(error, ImportError::PassphraseWrong), "{file}: {error}");
    let error = import::read(&[&content], None, now()).unwrap_err();
    assert!(matches!(error, ImportError::PassphraseMissing), "{file}: {error}");
}

fn signs(key: &dyn Signer) {
    let signature = key.sign(b"message").unwrap();
    let verifier = default_verifier();
    verifier.verify(key.algorithm(), key.public_key(), b"message", &signature).unwrap();
    assert!(verifier.verify(key.algorithm(), key.public_key(), b"massage", &signature).is_err());
}
