//! Certificates and receipts that a client must not believe, and what it takes to put them into an answer.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::SeqCst;
use std::task::{Context, Poll, Waker};

use der::asn1::ObjectIdentifier;
use koshin_protocol::base64url;
use koshin_protocol::cert_id::CertId;
use koshin_protocol::certificate::{Certificate, KeyUsages, Kind, Name, Profile};
use koshin_protocol::chain::Chain;
use koshin_protocol::jwk::PublicKey;
use koshin_protocol::receipt::Receipt;
use koshin_protocol::sign::{Es256Key, Signer};
use koshin_protocol::time::Time;
use koshin_server::bank::Bank;
use koshin_server::ca::{Answer, ToBeSigned};
use serde_json::Value;

use super::customer::{FOR_CLIENTS, leaf_profile, new_key};
use super::deed::Deed;
use super::seen::{Made, base64};
use crate::case::{Outcome, Stop};

/// A certificate to be made.
#[derive(Clone, Debug)]
pub(crate) struct Leaf<'a> {
    /// Whose.
    pub(crate) subject: &'a Name,
    /// Its key.
    pub(crate) key: &'a PublicKey,
    /// First second.
    pub(crate) not_before: Time,
    /// Last second.
    pub(crate) not_after: Time,
    /// What for.
    pub(crate) usages: &'a [ObjectIdentifier],
}

impl<'a> Leaf<'a> {
    /// A client's, from a day ago, for three years.
    pub(crate) fn of(subject: &'a Name, key: &'a PublicKey, now: Time) -> Self {
        let at = |days: i64| Time::from_unix(now.unix() + days * 86_400).unwrap_or(now);
        Self { subject, key, not_before: at(-1), not_after: at(3 * 365), usages: FOR_CLIENTS }
    }
}

/// Signed by the bank's own CA, whatever it says.
pub(crate) fn by_the_bank(bank: &Bank, leaf: &Leaf<'_>) -> Outcome<Certificate> {
    let authority = bank.issuer.authority();
    let serial = serial()?;
    let profile = leaf_profile(leaf, authority.certificate(), &serial);
    let algorithm = koshin_protocol::algorithm::Algorithm::Es256;
    let tbs = profile.to_tbs(algorithm).map_err(Stop::blocked)?;
    let request = ToBeSigned::stored(serial.to_vec(), tbs);
    match now(bank.issuer.issue(&request)) {
        Some(Answer::Issued(certificate)) => Ok(*certificate),
        other => Err(Stop::blocked(format_args!("the played CA: {other:?}"))),
    }
}

/// The result of a future that waits for nobody.
fn now<T>(mut future: Pin<Box<dyn Future<Output = T> + Send + '_>>) -> Option<T> {
    match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
}

fn serial() -> Outcome<[u8; 16]> {
    let mut serial = [0; 16];
    getrandom::fill(&mut serial).map_err(Stop::blocked)?;
    serial[0] = serial[0] & 0x7f | 0x40;
    Ok(serial)
}

/// A CA that nobody was told to trust, which calls itself what the bank's is called.
pub(crate) struct Impostor {
    key: Es256Key,
    pub(crate) root: Certificate,
}

impl Impostor {
    /// Founds it.
    pub(crate) fn of(bank: &Bank) -> Outcome<Self> {
        let key = new_key()?;
        let true_root = bank.issuer.authority().certificate();
        let root = Profile {
            serial: &[1],
            issuer: true_root.subject(),
            not_before: true_root.not_before(),
            not_after: true_root.not_after(),
            subject: true_root.subject(),
            key: key.public_key(),
            kind: Kind::Authority { path_length: None },
            key_usages: KeyUsages::AUTHORITY,
            extended_key_usages: &[],
            authority_key_id: None,
            crl: &[],
        };
        let root = root.sign(&key).map_err(Stop::blocked)?;
        Ok(Self { key, root })
    }

    /// Issues a certificate.
    pub(crate) fn issue(&self, leaf: &Leaf<'_>) -> Outcome<Certificate> {
        leaf_profile(leaf, &self.root, &serial()?).sign(&self.key).map_err(Stop::blocked)
    }
}

/// The certificate that an order has.
pub(crate) fn leaf_of(order: &Value) -> Option<Certificate> {
    let der = base64::decode(order.get("chain")?.get(0)?.as_str()?)?;
    Certificate::from_der(&der).ok()
}

/// Another chain than the true one, given the true certificate.
type Forge = Arc<dyn Fn(&Certificate) -> Option<Vec<Certificate>> + Send + Sync>;

/// Puts another chain into orders, and into downloads of it. An empty rest of the chain keeps the true issuers.
pub(crate) fn chain(
    forge: impl Fn(&Certificate) -> Option<Vec<Certificate>> + Send + Sync + 'static,
) -> Deed {
    let forge: Forge = Arc::new(forge);
    Deed::change(move |_, made| {
        if made.header("content-type") == Some("application/pem-certificate-chain") {
            in_download(made, &forge);
        } else {
            made.edit(|order| in_order(order, &forge));
        }
    })
}

fn in_order(order: &mut Value, forge: &Forge) {
    let Some(forged) = leaf_of(order).and_then(|leaf| forge(&leaf)) else { return };
    let ders = forged.iter().map(|one| Value::from(base64::encode(one.der())));
    let mut ders: Vec<Value> = ders.collect();
    if let ([_], Some(Value::Array(chain))) = (ders.as_slice(), order.get("chain")) {
        ders.extend(chain.iter().skip(1).cloned());
    }
    order["chain"] = Value::from(ders);
    order["certID"] = Value::from(CertId::of(&forged[0]).to_string());
}

fn in_download(made: &mut Made, forge: &Forge) {
    let text = String::from_utf8_lossy(&made.body).into_owned();
    let Ok((_, der)) = der::pem::decode_vec(text.as_bytes()) else { return };
    let Some(forged) = Certificate::from_der(&der).ok().and_then(|leaf| forge(&leaf)) else {
        return;
    };
    let pem = |one: &Certificate| {
        der::pem::encode_string("CERTIFICATE", der::pem::LineEnding::LF, one.der())
    };
    let mut pems: String = forged.iter().filter_map(|one| pem(one).ok()).collect();
    if forged.len() == 1 {
        pems.push_str(text.split_once("-----END CERTIFICATE-----\n").map_or("", |(_, rest)| rest));
    }
    made.body = pems.into_bytes();
}

/// Changes what the receipts of orders say, signed by the bank's own receipt key.
pub(crate) fn receipt(
    bank: &Arc<Bank>,
    change: impl Fn(&mut Receipt) + Send + Sync + 'static,
) -> Deed {
    let bank = Arc::clone(bank);
    Deed::edit(move |order| {
        let Some(mut receipt) = receipt_of(order) else { return };
        change(&mut receipt);
        if let Ok(jws) = bank.receipts.sign(&receipt) {
            order["receipt"] = serde_json::to_value(jws).unwrap_or_default();
        }
    })
}

/// Gives receipts that say the truth, and are signed with another chain and key.
pub(crate) fn receipt_by(chain: Vec<Certificate>, key: Es256Key) -> Deed {
    Deed::edit(move |order| {
        let chain = Chain::new(chain.iter().map(|one| one.der().into()).collect());
        let (Some(receipt), Ok(chain)) = (receipt_of(order), chain) else { return };
        if let Ok(jws) = receipt.sign(&chain, &key) {
            order["receipt"] = serde_json::to_value(jws).unwrap_or_default();
        }
    })
}

/// Breaks the signature of receipts.
pub(crate) fn broken_receipt() -> Deed {
    Deed::edit(|order| {
        let signature = order.pointer("/receipt/signature").and_then(Value::as_str);
        let Some(mut bytes) = signature.and_then(|text| base64url::decode(text).ok()) else {
            return;
        };
        bytes[10] ^= 1;
        order["receipt"]["signature"] = Value::from(base64url::encode(&bytes));
    })
}

fn receipt_of(order: &Value) -> Option<Receipt> {
    let payload = order.pointer("/receipt/payload")?.as_str()?;
    serde_json::from_slice(&base64url::decode(payload).ok()?).ok()
}

/// As if the CA were slow: the first answers about an order that is `valid` say that it is `processing`.
pub(crate) fn processing(times: usize, retry_after: Option<&'static str>) -> Deed {
    let left = AtomicUsize::new(times);
    Deed::change(move |_, made| {
        if made.json()["status"] != "valid" {
            return;
        }
        if left.fetch_update(SeqCst, SeqCst, |left| left.checked_sub(1)).is_err() {
            return;
        }
        made.edit(|order| {
            order["status"] = "processing".into();
            for name in ["certID", "certificate", "chain", "confirm"] {
                order.as_object_mut().and_then(|members| members.remove(name));
            }
        });
        match retry_after {
            Some(value) => made.set_header("retry-after", value),
            None => made.drop_header("retry-after"),
        }
    })
}

/// A problem document.
pub(crate) fn problem(token: &str, status: u16, action: &str) -> Made {
    let body = serde_json::json!({
        "type": format!("urn:koshin:error:{token}"),
        "title": "The suite says no.",
        "detail": "This refusal was made by the conformance suite.",
        "status": status,
        "serverTime": koshin_server::clock::Clock::now(&koshin_server::clock::System),
        "remedy": { "action": action },
    });
    Made::new(status, "application/problem+json", body.to_string())
}
