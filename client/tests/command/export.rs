//! `export`, and key stores under a passphrase.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use koshin_client::pem;
use koshin_protocol::certificate::Certificate;
use koshin_protocol::sign::Signer;

use crate::bank::Bank;

#[test]
fn an_export_holds_the_pair_in_use_and_can_be_imported_again() {
    let bank = Bank::open();
    let user = bank.user();
    user.with_pin(&["renew", "--yes"]).done();
    user.run(&["export", "all.pem"]).done();
    assert_eq!(fs::metadata(user.path("all.pem")).unwrap().permissions().mode() & 0o777, 0o600);
    let sections = pem::sections(&fs::read(user.path("all.pem")).unwrap()).unwrap();
    let key = koshin_client::keystore::PrivateKey::from_pkcs8_der(&sections[0].der).unwrap();
    let certificate = Certificate::from_der(&sections[1].der).unwrap();
    assert_eq!(key.public_key(), certificate.key());
    user.run(&["export", "all.pem"]).failed(2, "all.pem");
    user.run(&["export", "chain.pem", "--certificates-only"]).done();
    let chain = fs::read_to_string(user.path("chain.pem")).unwrap();
    assert!(!chain.contains("PRIVATE") && chain.contains("CERTIFICATE"), "{chain}");

    user.run(&["export", "hanako.p12"]).failed(2, "--passphrase-file");
    user.secret("pass", "correct horse\n");
    user.run(&["export", "hanako.p12", "--passphrase-file", "pass"]).done();
    user.import(&["hanako.p12", "--identity", "copy"]).failed(11, "--passphrase-file");
    user.fed(
        &[
            "import",
            "hanako.p12",
            "--identity",
            "copy",
            "--passphrase-fd",
            "0",
            "--directory",
            &user.directory,
            "--trust",
            user.roots.to_str().unwrap(),
        ],
        "wrong\n",
    )
    .failed(11, "the passphrase is wrong");
    user.import(&["hanako.p12", "--identity", "copy", "--passphrase-file", "pass"]).done();
}

#[test]
fn encrypted_key_stores_want_their_passphrase_and_renew_with_it() {
    let bank = Bank::open();
    for options in [["--key-store", "pkcs12"], ["--key-store", "file"]] {
        let user = bank.newcomer("user", 20);
        user.secret("pass", "correct horse\n");
        let files = ["--key-passphrase-file", "pass", "key.pem", "certificate.pem"];
        user.import(&[&options[..], &files[..]].concat()).done();
        user.with_pin(&["renew", "--yes"]).failed(2, "--key-passphrase-file");
        user.with_pin(&["renew", "--yes", "--key-passphrase-file", "pass"]).done();
        let text =
            [user.path("home/default/current/key.pem"), user.path("home/default/current/key.p12")];
        assert!(
            text.iter()
                .filter_map(|path| fs::read(path).ok())
                .all(|key| !key.starts_with(b"-----BEGIN PRIVATE"))
        );
    }
}
