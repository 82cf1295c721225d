#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

use koshin_protocol::certificate::{Attribute, KeyUsages, Kind, Profile, key_id};
use koshin_protocol::csr::Csr;

use super::*;
use crate::files::{Access, Real};
use crate::journal::{self, Ending};
use crate::keystore::{FileStore, Pkcs12Store, PrivateKey};
use crate::pem;

const NOW: i64 = 1_795_000_000;
const DAY: i64 = 86_400;

fn time(days: i64) -> Time {
    Time::from_unix(NOW + days * DAY).unwrap()
}

fn name(text: &str) -> Name {
    Name::new(&[(Attribute::CommonName, text)]).unwrap()
}

/// A folder with an identity in it, and the bank that certifies for it.
struct Scene {
    guard: tempfile::TempDir,
    keys: Arc<dyn KeyStore>,
    root: Certificate,
    root_key: PrivateKey,
}

impl Scene {
    fn new() -> Self {
        Self::with(Arc::new(FileStore::plain()))
    }

    fn with(keys: Arc<dyn KeyStore>) -> Self {
        let root_key = PrivateKey::generate(KeyType::P256).unwrap();
        let root = certify(&root_key, &name("Root"), &root_key, &name("Root"), 4000, true);
        let scene = Self { guard: tempfile::tempdir().unwrap(), keys, root, root_key };
        let settings = scene.settings();
        let folder = scene.folder();
        drop(Identity::create(Arc::new(Real), Arc::clone(&scene.keys), &folder, settings).unwrap());
        let trust = pem::write("CERTIFICATE", scene.root.der());
        std::fs::write(folder.join("trust.pem"), trust.as_bytes()).unwrap();
        scene
    }

    fn settings(&self) -> Settings {
        Settings {
            name: "taro".to_owned(),
            directory: "https://bank.example/directory".parse().unwrap(),
            key_store: self.keys.kind().to_owned(),
            trust: "trust.pem".into(),
            tls_trust: None,
            tls_pins: Vec::new(),
        }
    }

    fn folder(&self) -> PathBuf {
        self.guard.path().join("id")
    }

    fn generation(&self, number: u64) -> PathBuf {
        self.folder().join("generations").join(number.to_string())
    }

    fn open(&self) -> Identity {
        Identity::open(Arc::new(Real), Arc::clone(&self.keys), &self.folder()).unwrap()
    }

    /// A certificate of Taro for a key, valid for some days from now.
    fn certificate(&self, key: &dyn Signer, days: i64) -> Certificate {
        certify(&self.root_key, &name("Root"), key, &name("Taro"), days, false)
    }

    fn import(&self, days: i64) -> Pair {
        let key = PrivateKey::generate(KeyType::P256).unwrap();
        let chain = vec![self.certificate(&key, days)];
        self.open().import(Imported { key, chain }, time(0)).unwrap()
    }

    fn install(&self, identity: &Identity) -> Generation<Installed> {
        let requested = begin(identity).requested(order()).unwrap();
        let chain = vec![self.certificate(&**requested.signer(), 400)];
        let expected = Expected {
            anchors: std::slice::from_ref(&self.root),
            now: time(0),
            subject: &name("Taro"),
        };
        requested.received(chain, expected).unwrap().installed(expected).unwrap()
    }
}

fn begin(identity: &Identity) -> Generation<Began> {
    let replaces = CertId::of(&identity.current().unwrap().unwrap().certificate);
    let purpose = Purpose::Renewal { replaces };
    identity.begin(purpose, &name("Taro"), KeyType::P256, time(0)).unwrap()
}

fn certify(
    issuer_key: &dyn Signer,
    issuer: &Name,
    key: &dyn Signer,
    subject: &Name,
    days: i64,
    authority: bool,
) -> Certificate {
    let client_auth = "1.3.6.1.5.5.7.3.2".parse().unwrap();
    let (kind, key_usages, usages) = if authority {
        (Kind::Authority { path_length: None }, KeyUsages::AUTHORITY, vec![])
    } else {
        (Kind::Leaf, KeyUsages::DIGITAL_SIGNATURE, vec![client_auth])
    };
    let id = key_id(key.public_key());
    let profile = Profile {
        serial: &id[1..9],
        issuer,
        not_before: time(-300),
        not_after: time(days),
        subject,
        key: key.public_key(),
        kind,
        key_usages,
        extended_key_usages: &usages,
        authority_key_id: Some(&key_id(issuer_key.public_key())),
        crl: &[],
    };
    profile.sign(issuer_key).unwrap()
}

fn order() -> koshin_protocol::url::Url {
    "https://bank.example/order/AAAAAAAAAAAAAAAAAAAAAA".parse().unwrap()
}

// [CLI-12]
#[test]
fn a_second_process_finds_the_identity_locked() {
    let scene = Scene::new();
    let first = scene.open();
    let second = Identity::open(Arc::new(Real), Arc::clone(&scene.keys), &scene.folder());
    assert!(matches!(second, Err(IdentityError::Locked { .. })));
    drop(first);
    scene.open();
}

#[test]
fn the_lock_is_held_as_long_as_a_generation_lives() {
    let scene = Scene::new();
    scene.import(20);
    let identity = scene.open();
    let began = begin(&identity);
    drop(identity);
    let second = Identity::open(Arc::new(Real), Arc::clone(&scene.keys), &scene.folder());
    assert!(matches!(second, Err(IdentityError::Locked { .. })));
    drop(began);
    scene.open();
}

#[test]
fn a_folder_with_an_identity_takes_no_second_one() {
    let scene = Scene::new();
    let again = Identity::create(
        Arc::new(Real),
        Arc::clone(&scene.keys),
        &scene.folder(),
        scene.settings(),
    );
    assert!(matches!(again, Err(IdentityError::Exists { .. })));
}

#[test]
fn another_kind_of_key_store_is_refused() {
    let scene = Scene::new();
    let keys = Arc::new(Pkcs12Store::new(SecretString::from("x")));
    let opened = Identity::open(Arc::new(Real), keys, &scene.folder());
    assert!(matches!(opened, Err(IdentityError::OtherKeyStore { given: "pkcs12", .. })));
}

// [CLI-13]
#[test]
fn a_key_that_others_may_read_is_refused_with_the_command_that_closes_it() {
    use std::os::unix::fs::PermissionsExt;
    let scene = Scene::new();
    scene.import(20);
    let key = scene.generation(1).join("key.pem");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o640)).unwrap();
    let error = scene.open().current().unwrap_err().to_string();
    assert!(error.contains(&format!("chmod 600 {}", key.display())), "{error}");
}

/// A chain, the time it is judged at, and what is wrong with it then.
type Case = (Vec<Certificate>, Time, fn(&Mismatch) -> bool);

// [CLI-60] [CLI-61] [CLI-62] [CLI-63]
#[test]
fn a_certificate_that_does_not_fit_is_refused_and_the_current_pair_stays() {
    let scene = Scene::new();
    let old = scene.import(20);
    let identity = scene.open();
    let requested = begin(&identity).requested(order()).unwrap();
    let key = Arc::clone(requested.signer());
    let other = PrivateKey::generate(KeyType::P256).unwrap();
    let (root, taro) = (name("Root"), name("Taro"));
    let own = |days| scene.certificate(&*key, days);
    let stranger = certify(&scene.root_key, &root, &*key, &name("Jiro"), 400, false);
    let forged = certify(&other, &root, &*key, &taro, 400, false);
    let cases: [Case; 6] = [
        (vec![], time(0), |found| *found == Mismatch::Empty),
        (vec![scene.certificate(&other, 400)], time(0), |found| *found == Mismatch::Key),
        (vec![stranger], time(0), |found| matches!(found, Mismatch::Subject { .. })),
        (vec![own(400)], time(-301), |found| matches!(found, Mismatch::NotYetValid { .. })),
        (vec![own(400)], time(401), |found| matches!(found, Mismatch::Expired { .. })),
        (vec![forged], time(0), |found| matches!(found, Mismatch::Chain { .. })),
    ];
    drop((requested, identity));
    for (chain, now, is_expected) in cases {
        let identity = scene.open();
        let Some(OpenGeneration::Requested(requested)) = identity.resume().unwrap().pop() else {
            panic!("the refusal before left it as it was");
        };
        let expected = Expected { anchors: std::slice::from_ref(&scene.root), now, subject: &taro };
        match requested.received(chain, expected) {
            Err(IdentityError::Mismatch(found)) => assert!(is_expected(&found), "{found:?}"),
            other => panic!("{other:?}"),
        }
        assert_eq!(identity.current().unwrap().unwrap().certificate, old.certificate);
        assert!(!scene.generation(2).join("certificate.pem").exists());
    }
}

// [CLI-60] [CLI-63]
#[test]
fn a_certificate_that_was_exchanged_on_disk_is_refused_before_the_switch() {
    let scene = Scene::new();
    let old = scene.import(20);
    let identity = scene.open();
    let requested = begin(&identity).requested(order()).unwrap();
    let chain = vec![scene.certificate(&**requested.signer(), 400)];
    let expected = Expected {
        anchors: std::slice::from_ref(&scene.root),
        now: time(0),
        subject: &name("Taro"),
    };
    let received = requested.received(chain, expected).unwrap();
    let foreign = pem::write("CERTIFICATE", old.certificate.der());
    std::fs::write(scene.generation(2).join("certificate.pem"), foreign.as_bytes()).unwrap();
    let refused = received.installed(expected);
    assert!(matches!(refused, Err(IdentityError::Mismatch(Mismatch::Key))), "{refused:?}");
    assert_eq!(identity.current().unwrap().unwrap().generation, 1);
}

// [CLI-70]
#[test]
fn when_the_key_of_current_is_gone_the_other_pair_serves() {
    let scene = Scene::new();
    let old = scene.import(20);
    let identity = scene.open();
    scene.install(&identity).confirmed().unwrap();
    assert_eq!(identity.current().unwrap().unwrap().generation, 2);
    for damage in ["key.pem", "certificate.pem"] {
        let path = scene.generation(2).join(damage);
        let content = std::fs::read(&path).unwrap();
        for torn in [&content[..0], &content[..content.len() / 2]] {
            std::fs::write(&path, torn).unwrap();
            assert_eq!(identity.current().unwrap().unwrap().certificate, old.certificate);
        }
        std::fs::remove_file(&path).unwrap();
        assert_eq!(identity.current().unwrap().unwrap().certificate, old.certificate);
        drop(Real.create(&path, Access::Private).unwrap());
        std::fs::write(&path, content).unwrap();
    }
    assert_eq!(identity.current().unwrap().unwrap().generation, 2);
}

// [CLI-51]
#[test]
fn a_key_without_its_journal_is_taken_up_again() {
    let scene = Scene::new();
    scene.import(20);
    let identity = scene.open();
    let began = begin(&identity);
    let (key, purpose) = (began.signer().public_key().clone(), began.purpose().clone());
    drop(began);
    std::fs::remove_file(scene.generation(2).join(journal::FILE)).unwrap();
    let Some(OpenGeneration::LoneKey(lone)) = identity.resume().unwrap().pop() else {
        panic!("a lone key");
    };
    let began = lone.adopted(purpose, &name("Taro"), time(0)).unwrap();
    let verifier = koshin_protocol::verify::default_verifier();
    assert_eq!(*Csr::from_der(began.csr(), verifier).unwrap().key(), key);
    assert!(matches!(identity.resume().unwrap().pop(), Some(OpenGeneration::Began(_))));
}

#[test]
fn an_interrupted_import_asks_for_no_order_and_is_made_again() {
    let scene = Scene::new();
    scene.import(20);
    let folder = scene.generation(1);
    let mut journal = Journal::read(&Real, &folder).unwrap().unwrap();
    journal.progress = Progress::Began;
    journal.put(&Real, &folder).unwrap();
    std::fs::remove_file(folder.join("certificate.pem")).unwrap();
    let identity = scene.open();
    assert!(identity.resume().unwrap().is_empty());
    assert!(identity.current().unwrap().is_none());
    drop(identity);
    assert_eq!(scene.import(20).generation, 2);
    assert_eq!(scene.open().current().unwrap().unwrap().generation, 2);
}

#[test]
fn a_journal_whose_key_is_gone_says_so_until_it_is_ended() {
    let scene = Scene::new();
    scene.import(20);
    let identity = scene.open();
    drop(begin(&identity).requested(order()).unwrap());
    std::fs::remove_file(scene.generation(2).join("key.pem")).unwrap();
    let Some(OpenGeneration::LostKey(lost)) = identity.resume().unwrap().pop() else {
        panic!("a lost key");
    };
    assert_eq!(lost.journal().progress, Progress::Requested { order: order() });
    lost.ended(Ending::Canceled).unwrap();
    assert!(identity.resume().unwrap().is_empty());
}

#[test]
fn a_certificate_that_is_gone_again_is_fetched_again() {
    let scene = Scene::new();
    scene.import(20);
    let identity = scene.open();
    drop(scene.install(&identity));
    std::fs::remove_file(scene.generation(2).join("certificate.pem")).unwrap();
    let open = identity.resume().unwrap().pop();
    assert!(matches!(open, Some(OpenGeneration::Requested(_))), "{open:?}");
    assert_eq!(identity.current().unwrap().unwrap().generation, 1);
}

#[test]
fn a_cancel_is_journaled_then_switched_back_then_ended() {
    let scene = Scene::new();
    let old = scene.import(20);
    let identity = scene.open();
    drop(scene.install(&identity).intend(Intent::Cancel).unwrap());
    let Some(OpenGeneration::Installed(installed)) = identity.resume().unwrap().pop() else {
        panic!("installed, to be canceled");
    };
    assert_eq!(installed.intent(), Intent::Cancel);
    let back = identity.switch_to(&CertId::of(&old.certificate)).unwrap();
    assert_eq!(back.generation, 1);
    installed.ended(Ending::Canceled).unwrap();
    assert_eq!(identity.current().unwrap().unwrap().generation, 1);
    assert!(identity.resume().unwrap().is_empty());
    assert_eq!(identity.pairs().unwrap().len(), 1);
}

#[test]
fn a_rollback_that_is_intended_stays_open_until_it_is_ended() {
    let scene = Scene::new();
    scene.import(20);
    let identity = scene.open();
    let confirmed = scene.install(&identity).confirmed().unwrap();
    assert!(identity.resume().unwrap().is_empty());
    drop(confirmed.intend(Intent::RollBack).unwrap());
    let Some(OpenGeneration::RollingBack(rolling)) = identity.resume().unwrap().pop() else {
        panic!("to be rolled back");
    };
    rolling.ended(Ending::RolledBack).unwrap();
    assert!(identity.resume().unwrap().is_empty());
}

#[test]
fn the_current_generation_can_be_taken_up_for_a_rollback() {
    let scene = Scene::new();
    scene.import(20);
    let identity = scene.open();
    assert!(identity.confirmed().unwrap().is_none(), "an imported pair has no order to roll back");
    drop(scene.install(&identity).confirmed().unwrap());
    let (confirmed, order_url) = identity.confirmed().unwrap().expect("it was just confirmed");
    assert_eq!((confirmed.number(), order_url), (2, order()));
}

// [CLI-02] [CLI-23] [CLI-90] [CLI-91] [CLI-92]
#[test]
fn only_pairs_that_nobody_can_need_are_pruned() {
    let scene = Scene::new();
    for days in [1, 2, 3, 4] {
        scene.import(days);
    }
    let identity = scene.open();
    drop(begin(&identity));
    begin(&identity).ended(Ending::Refused).unwrap();
    let canceled = begin(&identity);
    canceled.keep_receipt(b"{}").unwrap();
    canceled.ended(Ending::Canceled).unwrap();
    assert_eq!(identity.prune(time(0)).unwrap(), [0; 0], "nothing has expired");
    assert_eq!(identity.prune(time(2)).unwrap(), [1], "the second one lives to its last second");
    let expired = identity.current().unwrap().unwrap().certificate;
    assert_eq!(identity.prune(time(9)).unwrap(), [2], "two pairs stay, however old");
    assert_eq!(identity.current().unwrap().unwrap().certificate, expired);
    assert!(scene.generation(5).join("key.pem").exists(), "unconfirmed");
    assert!(scene.generation(7).join("key.pem").exists(), "the bank's word alone removes nothing");
    drop(identity);
    scene.import(5);
    assert_eq!(scene.open().prune(time(9)).unwrap(), [7, 3], "time removes what it made useless");
    assert!(scene.generation(5).join("key.pem").exists(), "unconfirmed");
    assert!(scene.generation(6).join("key.pem").exists(), "ended without the bank's receipt");
}

#[test]
fn an_interrupted_removal_is_finished_at_the_next_open() {
    let scene = Scene::new();
    scene.import(20);
    let leaving = scene.folder().join("generations/.removed-9");
    std::fs::create_dir(&leaving).unwrap();
    std::fs::write(leaving.join("certificate.pem"), "x").unwrap();
    let identity = scene.open();
    assert!(!leaving.exists());
    assert_eq!(identity.current().unwrap().unwrap().generation, 1);
}

#[test]
fn settings_survive_their_file_and_unknown_ones_are_refused() {
    let scene = Scene::new();
    let mut settings = scene.settings();
    settings.tls_trust = Some("tls.pem".into());
    settings.tls_pins = vec!["pin".to_owned()];
    settings.put(&Real, &scene.folder()).unwrap();
    assert_eq!(Settings::read(&Real, &scene.folder()).unwrap(), settings);
    let path = scene.folder().join("identity.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, format!("colour = 1\n{text}")).unwrap();
    let error = Settings::read(&Real, &scene.folder()).unwrap_err().to_string();
    assert!(error.contains("identity.toml") && error.contains("colour"), "{error}");
}

#[test]
fn a_pkcs12_store_has_the_chain_beside_the_key_and_exports() {
    let passphrase = SecretString::from("correct horse");
    let scene = Scene::with(Arc::new(Pkcs12Store::new(passphrase.clone())));
    scene.import(20);
    let identity = scene.open();
    let installed = scene.install(&identity);
    let leaf = installed.chain()[0].clone();
    installed.confirmed().unwrap();
    let file = std::fs::read(scene.generation(2).join("key.p12")).unwrap();
    let pair = identity.current().unwrap().unwrap();
    let exported = identity.export(&pair, &passphrase).unwrap();
    for content in [&file, &*exported] {
        let read = crate::import::read(&[content], Some(&passphrase), time(0)).unwrap();
        assert_eq!(read.chain, std::slice::from_ref(&leaf));
        assert_eq!(read.key.public_key(), pair.signer.public_key());
    }
}
