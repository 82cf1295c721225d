//! TLS: protocols offered, and files that change under a running bank.

use std::time::Duration;

use koshin_server::http::Tls;
use koshin_server::http::tls::Look;
use rustls::pki_types::CertificateDer;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

use crate::bank::{Bank, limits, never, tls_client, write_pair};

const REQUEST: &str = "GET /a HTTP/1.1\r\nHost: bank.test\r\n\r\n";

/// The certificate that a new connection is shown, or nothing if it is not one of `pem`.
async fn shown(bank: &Bank, pem: &[u8]) -> Option<CertificateDer<'static>> {
    let stream = TcpStream::connect(bank.address).await.expect("a connection");
    let stream = tls_client(pem, stream, b"http/1.1").await.ok()?;
    Some(stream.get_ref().1.peer_certificates()?.first()?.clone().into_owned())
}

// [HTP-06] [HTP-07]
#[tokio::test]
async fn alpn_chooses_the_protocol() {
    let bank = Bank::over_tls(limits()).await;
    for protocol in [&b"h2"[..], b"http/1.1"] {
        let stream = TcpStream::connect(bank.address).await.expect("a connection");
        let stream = bank.handshake(stream, protocol).await;
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(protocol));
    }
}

// [HTP-01]
#[tokio::test]
async fn plain_http_on_the_tls_port_is_no_request() {
    let bank = Bank::over_tls(limits()).await;
    let mut stream = TcpStream::connect(bank.address).await.expect("a connection");
    tokio::io::AsyncWriteExt::write_all(&mut stream, REQUEST.as_bytes()).await.expect("sent");
    let mut answer = Vec::new();
    let _reset = stream.read_to_end(&mut answer).await.is_err();
    assert!(!answer.starts_with(b"HTTP"), "{}", answer.escape_ascii());
    assert_eq!(bank.doings.begun(), 0);
}

#[tokio::test]
async fn new_files_serve_new_connections_and_old_connections_stay() {
    let bank = Bank::over_tls(limits()).await;
    let files = bank.files.as_ref().expect("TLS");
    let mut old = bank.connect().await;
    assert_eq!(files.tls.look(false).expect("unchanged"), Look::Same);

    let new = write_pair(&files.certificate(), &files.key());
    touch(&files.certificate());
    assert_eq!(files.tls.look(false).expect("usable"), Look::Renewed);
    let pem = std::fs::read(files.certificate()).expect("the new file");
    assert_eq!(shown(&bank, &pem).await, Some(new));
    old.send(REQUEST).await;
    old.answer().await.assert_told("GET /a 0");
}

#[tokio::test]
async fn unusable_files_keep_the_old_ones_and_are_reported_once() {
    let bank = Bank::over_tls(limits()).await;
    let files = bank.files.as_ref().expect("TLS");
    let pem = std::fs::read(files.certificate()).expect("the old file");
    let old = shown(&bank, &pem).await.expect("the old certificate");
    let key = std::fs::read(files.key()).expect("the old key");

    // The key of another certificate, no key at all, no file at all.
    let other = tempfile::tempdir().expect("a folder");
    write_pair(&other.path().join("c"), &other.path().join("k"));
    let foreign = std::fs::read(other.path().join("k")).expect("just written");
    for broken in [Some(foreign), Some(b"no key".to_vec()), None] {
        match &broken {
            Some(bytes) => std::fs::write(files.key(), bytes).expect("writable"),
            None => std::fs::remove_file(files.key()).expect("removable"),
        }
        let error = files.tls.look(true).expect_err("unusable");
        assert!(!error.to_string().is_empty());
        assert_eq!(files.tls.look(false).expect("reported already"), Look::Same);
        assert_eq!(shown(&bank, &pem).await.as_ref(), Some(&old));
    }

    std::fs::write(files.key(), key).expect("writable");
    let new = write_pair(&files.certificate(), &files.key());
    assert_eq!(files.tls.look(true).expect("usable again"), Look::Renewed);
    let pem = std::fs::read(files.certificate()).expect("the new file");
    assert_eq!(shown(&bank, &pem).await, Some(new));
}

#[tokio::test]
async fn sighup_and_the_interval_make_the_bank_look() {
    for (every, signal) in [(Duration::from_hours(1), true), (Duration::from_millis(20), false)] {
        let bank = Bank::over_tls(limits()).await;
        let files = bank.files.as_ref().expect("TLS");
        let (_trigger, shutdown) = never();
        files.tls.keep_fresh(every, shutdown).expect("signal handlers");
        let new = write_pair(&files.certificate(), &files.key());
        touch(&files.certificate());
        let pem = std::fs::read(files.certificate()).expect("the new file");
        if signal {
            let sent = std::process::Command::new("kill")
                .args(["-HUP", &std::process::id().to_string()])
                .status();
            assert!(sent.is_ok_and(|status| status.success()));
        }
        let looking = async {
            while shown(&bank, &pem).await.as_ref() != Some(&new) {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(crate::bank::PATIENCE, looking).await.expect("the new certificate");
    }
}

#[tokio::test]
async fn files_that_cannot_be_used_are_named_at_the_start() {
    let folder = tempfile::tempdir().expect("a folder");
    let (certificate, key) = (folder.path().join("c.pem"), folder.path().join("k.pem"));
    let missing = Tls::load(&certificate, &key).expect_err("nothing there");
    assert!(missing.to_string().contains("c.pem"), "{missing}");
    write_pair(&certificate, &key);
    let swapped = Tls::load(&key, &certificate).expect_err("swapped");
    assert!(swapped.to_string().contains("k.pem"), "{swapped}");
}

/// Sets the file's time apart from any earlier one, whatever the clock of the file system.
fn touch(path: &std::path::Path) {
    let file = std::fs::File::options().write(true).open(path).expect("the file");
    let later = std::time::SystemTime::now() + Duration::from_secs(5);
    file.set_modified(later).expect("a time");
}
