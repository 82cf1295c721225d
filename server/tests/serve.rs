//! The real program serves over TLS, and a bank starts in process.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use koshin_server::config::Config;
use koshin_server::http::listener::Drained;
use koshin_server::start::{StartError, start};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde_json::Value;

fn new_bank(folder: &Path) {
    let status = Command::new(env!("CARGO_BIN_EXE_koshin-server"))
        .args(["init", "bank", "--tls-for-loopback", "--testing", "--listen", "127.0.0.1:0"])
        .current_dir(folder)
        .stdout(Stdio::null())
        .status()
        .expect("the program");
    assert!(status.success());
}

/// GETs the directory, trusting the bank's own root alone.
fn directory(folder: &Path, address: &str) -> (String, Value) {
    let root = CertificateDer::from_pem_file(folder.join("bank/root.pem")).expect("a root");
    let mut roots = RootCertStore::empty();
    roots.add(root).expect("a root");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").expect("a name");
    let connection = ClientConnection::new(Arc::new(config), name).expect("a connection");
    let stream = TcpStream::connect(address).expect("connected");
    let mut stream = StreamOwned::new(connection, stream);
    let port = address.rsplit(':').next().expect("a port");
    write!(
        stream,
        "GET /koshin/directory HTTP/1.1\r\nHost: localhost:{port}\r\nConnection: close\r\n\r\n"
    )
    .expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    (head.to_owned(), serde_json::from_str(body).expect("JSON"))
}

#[test]
fn the_program_serves_its_directory_over_tls_and_stops_at_sigterm() {
    let folder = tempfile::tempdir().expect("a folder");
    new_bank(folder.path());
    let mut child = Command::new(env!("CARGO_BIN_EXE_koshin-server"))
        .args(["serve", "--config", "bank/koshin-server.toml", "--json"])
        .current_dir(folder.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the program");
    let mut line = String::new();
    let mut stdout = BufReader::new(child.stdout.take().expect("piped"));
    stdout.read_line(&mut line).expect("the line that says ready");
    let ready: Value = serde_json::from_str(&line).expect("JSON");
    let address = ready["address"].as_str().expect("an address");
    let (head, directory) = directory(folder.path(), address);
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    assert!(head.to_ascii_lowercase().contains("\r\nreplay-nonce: "), "{head}");
    let port = address.rsplit(':').next().expect("a port");
    assert_eq!(directory["newOrder"], format!("https://localhost:{port}/koshin/new-order"));
    let kill = Command::new("kill").args(["-TERM", &child.id().to_string()]).status();
    assert!(kill.expect("kill").success());
    assert_eq!(child.wait().expect("it ends").code(), Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bank_starts_in_process_answers_stops_and_starts_again() {
    let folder = tempfile::tempdir().expect("a folder");
    new_bank(folder.path());
    let read = || Config::read(&folder.path().join("bank/koshin-server.toml")).expect("sound");
    for _ in 0..2 {
        let running = start(read()).await.expect("started");
        let (path, address) = (folder.path().to_owned(), running.address().to_string());
        let answered = tokio::task::spawn_blocking(move || directory(&path, &address));
        let (head, _) = answered.await.expect("answered");
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        let beside = start(read()).await.err();
        assert!(matches!(beside, Some(StartError::Running(_))), "{beside:?}");
        assert_eq!(running.shutdown().await, Drained::Whole);
    }
}
