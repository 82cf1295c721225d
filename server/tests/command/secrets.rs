//! A whole run at the most verbose level, and a search through everything that it left behind: no PIN, no code, no
//! credential, no private key.

use std::fs;
use std::io::Read;
use std::net::TcpStream;

use koshin_protocol::base64url;
use koshin_protocol::binding::Binding;
use koshin_protocol::certificate::{Attribute, Name};
use koshin_protocol::csr::Csr;
use koshin_protocol::jws::By;
use koshin_protocol::operation::Operation;
use koshin_protocol::sign::{Es256Key, Signer};
use koshin_protocol::ticket::Ticket;
use serde_json::json;

use crate::bank::{Bank, Operator, Served, text};
use crate::customer::{Customer, environment};

const RIGHT: &str = "pin-481516";
const WRONG: &str = "pin-162342";
const CHANGED: &str = "pin-108108";
const NAME: &str = "CN=Sato Taro,O=Example K.K.,C=JP";

/// Everything that must be nowhere, and what it is.
type Secrets = Vec<(String, String)>;

// [AUD-04]
#[test]
fn no_log_audit_or_metric_has_a_pin_a_code_a_credential_or_a_private_key() {
    for format in ["text", "json"] {
        let bank = Bank::with(&["--plain-http", "--testing", "--metrics", "127.0.0.1:0"]);
        let path = bank.path("bank/koshin-server.toml");
        let config = fs::read_to_string(&path).expect("a configuration");
        let config = config
            .replace("format = \"text\"", &format!("format = \"{format}\""))
            .replace("filter = \"info\"", "filter = \"trace\"");
        fs::write(&path, config).expect("written");
        let mut secrets = Secrets::new();
        let left = run(&bank, &mut secrets);
        for (place, content) in left {
            for (what, secret) in &secrets {
                assert!(secret.len() >= 10, "{what} is too short to be looked for");
                assert!(!content.contains(secret), "{format}: {what} is in {place}: {content}");
            }
        }
    }
}

/// Does what has to do with secrets; the answer is what each place has then.
fn run(bank: &Bank, secrets: &mut Secrets) -> Vec<(String, String)> {
    let hanako = bank.first("hanako");
    let taro = bank.further("taro", &hanako);
    for operator in [&hanako, &taro] {
        secrets.push((format!("{}'s credential", operator.name), operator.credential.clone()));
    }
    let served = bank.serve_logging("log");
    let customer = Customer::of(bank, Some(RIGHT));
    key_forms("a provisioned key", customer.key(), secrets);
    log_on_and_renew(&served, &customer, secrets);
    let answers = reissue_and_enroll(bank, &served, [&hanako, &taro], secrets);
    let generated = bank.by(&hanako, &["pin", "set", &customer.subject, "--generate"]).json();
    // Six digits alone may be in a time or an id by chance.
    assert!(generated["pin"].is_string());
    assert_eq!(bank.run(&["backup", "backup.db"]).code, 0);
    for name in ["root", "issuing", "receipt"] {
        let pem = fs::read_to_string(bank.path(&format!("bank/data/ca/{name}.key")));
        let key = Es256Key::from_pkcs8_pem(&pem.expect("a key")).expect("a key");
        key_forms(&format!("the CA's {name} key"), &key, secrets);
    }
    for (what, pin) in [("right", RIGHT), ("wrong", WRONG), ("changed", CHANGED)] {
        secrets.push((format!("the {what} PIN"), pin.to_owned()));
    }
    let mut left = vec![("what commands said on standard error".to_owned(), answers)];
    left.push(("the metrics".to_owned(), metrics(&served)));
    let contract =
        text(&bank.run(&["subject", "show", &customer.subject, "--json"]).json()["contract"]);
    for chain in ["bank", &contract] {
        left.push((format!("the audit of {chain}"), bank.run(&["audit", "show", chain]).out));
    }
    assert_eq!(served.stop(), Some(0));
    let log = fs::read_to_string(bank.path("log")).expect("a log");
    // It is the log of the run, and as verbose as asked for: below INFO as well.
    assert!(log.contains("DEBUG") && log.contains("stopped"), "{log}");
    left.push(("the log".to_owned(), log));
    // As octets: no codec is in the way of ASCII.
    for file in ["backup.db", "bank/data/koshin.db"] {
        let content = fs::read(bank.path(file)).expect("a database");
        left.push((file.to_owned(), content.iter().map(|octet| char::from(*octet)).collect()));
    }
    left
}

/// Right PIN, wrong PIN, another PIN; an order, confirmed.
fn log_on_and_renew(served: &Served, customer: &Customer, secrets: &mut Secrets) {
    assert_eq!(customer.log_on(served, Some(WRONG)).token(), "pinWrong");
    let logon = customer.log_on(served, Some(RIGHT));
    assert_eq!(logon.status, 201, "{logon:?}");
    let session = By::Session(logon.location());
    let change = json!({ "old": RIGHT, "new": CHANGED });
    let answer = customer.post(served, Operation::Pin, "pin", &session, &change);
    assert_eq!(answer.status, 204, "{answer:?}");
    let key = Es256Key::from_random(&[0x5a; 48]);
    key_forms("a new key", &key, secrets);
    let new_order = json!({
        "replaces": text(&logon.body["certificate"]["certID"]),
        "keyStore": "file",
        "csr": base64url::encode(&Csr::make(customer.certificate().subject(), &key).expect("a CSR")),
    });
    // Too early, and told so: a refusal is logged as well.
    let answer = customer.post(served, Operation::NewOrder, "new-order", &session, &new_order);
    assert_eq!(answer.token(), "tooEarly", "{answer:?}");
}

/// Two operators, a ticket, an enrollment; the answer is what the commands said on standard error.
fn reissue_and_enroll(
    bank: &Bank,
    served: &Served,
    [maker, checker]: [&Operator; 2],
    secrets: &mut Secrets,
) -> String {
    let contract = bank.contract(maker);
    let subject = bank.subject(maker, &contract, NAME, "user");
    let request = ["reissue", "request", &subject, "--reason", "unspecified", "--form", "17"];
    let id = text(&bank.by(maker, &request).json()["request"]);
    let refused = bank.by(maker, &["reissue", "approve", &id]);
    refused.failed(3, "another operator has to");
    let approved = bank.by(checker, &["reissue", "approve", &id]);
    let ticket: Ticket = text(&approved.json()["ticket"]).parse().expect("a ticket");
    secrets.push(("the code".to_owned(), ticket.code.to_compact().to_string()));
    secrets.push(("the code, grouped".to_owned(), ticket.code.to_grouped().to_string()));
    key_forms("the key derived from the code", &ticket.code.key(&ticket.reissue), secrets);
    let key = Es256Key::from_random(&[0xa5; 48]);
    key_forms("the enrolled key", &key, secrets);
    let url = served.url("new-enrollment");
    let name = Name::new(&[
        (Attribute::Country, "JP"),
        (Attribute::Organization, "Example K.K."),
        (Attribute::CommonName, "Sato Taro"),
    ])
    .expect("a name");
    assert_eq!(name.as_str(), NAME);
    let csr = base64url::encode(&Csr::make(&name, &key).expect("a CSR"));
    let enroll = |code_key: &Es256Key| {
        let binding = Binding { reissue: &ticket.reissue, url: &url, key: key.public_key() };
        let payload = json!({
            "reissue": ticket.reissue.to_string(),
            "binding": binding.sign(code_key).expect("a binding"),
            "csr": csr,
            "keyStore": "file",
            "environment": environment(),
        });
        let by = By::Key(Box::new(key.public_key().clone()));
        crate::customer::post(served, &key, Operation::NewEnrollment, &url, &by, &payload)
    };
    let guessed = enroll(&Es256Key::from_random(&[3; 48]));
    assert_eq!(guessed.token(), "enrollmentRefused", "{guessed:?}");
    let enrolled = enroll(&ticket.code.key(&ticket.reissue));
    assert_eq!(enrolled.status, 201, "{enrolled:?}");
    format!("{}{}", refused.err, approved.err)
}

/// A private key as it might be written.
fn key_forms(what: &str, key: &Es256Key, secrets: &mut Secrets) {
    let der = key.to_pkcs8_der();
    // PKCS #8 of a P-256 key: the scalar follows the head of its ECPrivateKey (RFC 5915).
    let head = [0x02, 0x01, 0x01, 0x04, 0x20];
    let at = der.windows(head.len()).position(|window| window == head).expect("an ECPrivateKey");
    let scalar = &der[at + head.len()..][..32];
    let hex = |upper: bool| -> String {
        let digit =
            |octet: &u8| if upper { format!("{octet:02X}") } else { format!("{octet:02x}") };
        scalar.iter().map(digit).collect()
    };
    let listed = format!("{scalar:?}");
    let pem = key.to_pkcs8_pem();
    let line = pem.lines().nth(1).expect("a line of base64");
    for (form, text) in [
        ("PEM", line.to_owned()),
        ("base64url", base64url::encode(scalar)),
        ("base64", base64url::encode_standard(scalar)),
        ("hexadecimal", hex(false)),
        ("upper hexadecimal", hex(true)),
        ("numbers", listed.trim_matches(['[', ']']).to_owned()),
        ("octets", scalar.iter().map(|octet| char::from(*octet)).collect()),
    ] {
        secrets.push((format!("{what} in {form}"), text));
    }
}

fn metrics(served: &Served) -> String {
    let address = text(&served.ready["metrics"]);
    let mut stream = TcpStream::connect(address).expect("connected");
    let request = "GET /metrics HTTP/1.1\r\nHost: any\r\nConnection: close\r\n\r\n";
    std::io::Write::write_all(&mut stream, request.as_bytes()).expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    assert!(answer.contains("koshin_"), "{answer}");
    answer
}
