//! A customer of a serving bank: as much of a client as shows what a command changed.

use std::io::{Read, Write};
use std::net::TcpStream;

use koshin_protocol::certificate::Certificate;
use koshin_protocol::jws::{By, Nonce, Request};
use koshin_protocol::operation::Operation;
use koshin_protocol::sign::Es256Key;
use koshin_protocol::url::Url;
use serde_json::{Value, json};

use crate::bank::{Bank, Served, text};

pub struct Customer {
    pub subject: String,
    certificate: Certificate,
    key: Es256Key,
}

/// What the bank answered.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    head: String,
    pub body: Value,
}

impl Answer {
    /// The problem's token; `ok` if there is none.
    pub fn token(&self) -> String {
        let kind = self.body["type"].as_str().unwrap_or("ok");
        kind.trim_start_matches("urn:koshin:error:").to_owned()
    }

    pub fn header(&self, name: &str) -> Option<String> {
        self.head.lines().find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
        })
    }

    /// The session that a logon made.
    pub fn location(&self) -> Url {
        let location = self.header("location").unwrap_or_else(|| panic!("{self:?}"));
        Url::parse(&location).expect("a URL")
    }
}

impl Customer {
    /// A user with a certificate within its validity.
    pub fn of(bank: &Bank, pin: Option<&str>) -> Self {
        let request = json!({
            "role": "user",
            "notBefore": "2020-01-01T00:00:00Z",
            "notAfter": "2036-01-01T00:00:00Z",
            "pin": pin,
        });
        let mut request = request;
        if pin.is_none() {
            request.as_object_mut().expect("an object").remove("pin");
        }
        let made = bank.fed(&["provision"], &request.to_string()).json();
        let pem = text(&made["certificate"]);
        let (_, der) = der::pem::decode_vec(pem.as_bytes()).expect("PEM");
        Self {
            subject: text(&made["subject"]),
            certificate: Certificate::from_der(&der).expect("a certificate"),
            key: Es256Key::from_pkcs8_pem(&text(&made["key"])).expect("a key"),
        }
    }

    pub fn key(&self) -> &Es256Key {
        &self.key
    }

    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    pub fn log_on(&self, bank: &Served, pin: Option<&str>) -> Answer {
        let mut payload = json!({
            "environment": environment(),
            "purpose": "renewal",
        });
        if let Some(pin) = pin {
            payload["pin"] = json!(pin);
        }
        let by = By::Certificate(self.certificate.der().into());
        self.post(bank, Operation::NewSession, "new-session", &by, &payload)
    }

    pub fn read(&self, bank: &Served, session: &Url) -> Answer {
        let by = By::Session(session.clone());
        post(bank, &self.key, Operation::Read, session, &by, &Value::Null)
    }

    /// Sends something else to a resource that has no id.
    pub fn post(
        &self,
        bank: &Served,
        operation: Operation,
        name: &str,
        by: &By,
        payload: &Value,
    ) -> Answer {
        post(bank, &self.key, operation, &bank.url(name), by, payload)
    }
}

pub fn environment() -> Value {
    json!({ "os": "linux", "osVersion": "6.1", "software": "test", "softwareVersion": "1.0" })
}

/// A signed request; a payload of `null` is empty.
pub fn post(
    bank: &Served,
    key: &Es256Key,
    operation: Operation,
    url: &Url,
    by: &By,
    payload: &Value,
) -> Answer {
    let nonce = exchange(bank, "GET", &bank.url("directory"), b"").header("replay-nonce");
    let nonce: Nonce = nonce.expect("a nonce").parse().expect("a nonce");
    let payload = if payload.is_null() { String::new() } else { payload.to_string() };
    let request = Request { operation, url, nonce: &nonce, by, payload: payload.as_bytes() };
    exchange(bank, "POST", url, &request.sign(key).expect("signed"))
}

fn exchange(bank: &Served, method: &str, url: &Url, body: &[u8]) -> Answer {
    let path = url.path();
    let host = bank.directory().replace("http://", "");
    let host = host.split('/').next().expect("a host");
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\
         Content-Type: application/jose+json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let mut stream = TcpStream::connect(bank.address()).expect("connected");
    stream.write_all(head.as_bytes()).expect("sent");
    stream.write_all(body).expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    let body =
        if body.is_empty() { Value::Null } else { serde_json::from_str(body).expect("JSON") };
    Answer { status, head: head.to_owned(), body }
}
