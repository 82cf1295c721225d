//! What the wrong clients do before, after and in place of what they should; a client without a fault does nothing here but
//! show its errors.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use http::{HeaderMap, Method};
use koshin_client::error::NoAnswer;
use koshin_client::identity::{Identity, IdentityError, Mismatch};
use koshin_client::transport::{Https, Request, Transport};
use koshin_client::{Class, Client, Error, Outcome, pem};
use koshin_protocol::cert_id::CertId;
use koshin_protocol::certificate::Certificate;
use koshin_protocol::environment::Environment;
use koshin_protocol::order::Status;
use koshin_protocol::problem::Token;
use koshin_protocol::ticket::Ticket;

use serde_json::Value;

use super::fault::Fault;
use super::reference::Asked;
use super::seen::base64;

type Done = Result<Outcome, Error>;

/// Before anything else.
pub(super) fn before(asked: &mut Asked) {
    let Some(fault) = asked.fault else { return };
    let folder = asked.folder();
    let current = fs::read_link(folder.join("current")).map(|link| folder.join(link)).ok();
    let others = || {
        let current = current.clone();
        generations(&folder).into_iter().filter(move |one| Some(one) != current.as_ref())
    };
    match fault {
        Fault::RenewalInfoAgain => {
            fs::remove_file(folder.join("renewal-info.json")).ok();
        }
        Fault::NewKey => {
            others().filter(|one| state(one) == "began").for_each(remove);
        }
        Fault::Forgets => {
            let open = ["began", "requested", "received"];
            others().filter(|one| open.contains(&&*state(one))).for_each(remove);
        }
        Fault::AnyBanksKey => {
            let settings = fs::read_to_string(folder.join("identity.toml")).unwrap_or_default();
            if !settings.contains(asked.directory.as_str()) {
                remove(&folder);
            }
        }
        Fault::OnePair => others().for_each(remove),
        Fault::ForgetsCancel if asked.action == "renew" => {
            for journal in generations(&folder).iter().map(|one| one.join("journal.json")) {
                if let Ok(text) = fs::read_to_string(&journal) {
                    fs::write(&journal, text.replace("\"cancel\"", "\"complete\"")).ok();
                }
            }
        }
        Fault::OpenFiles => modes(&folder, 0o600, 0o700),
        Fault::PinInFile => {
            fs::write(asked.state.join("log.txt"), format!("pin {}\n", asked.pin)).ok();
        }
        Fault::CodeInFile => {
            fs::write(asked.state.join("log.txt"), asked.ticket.clone().unwrap_or_default()).ok();
        }
        Fault::AnyTicket | Fault::AnyCode | Fault::AnyBank => tickets(asked, fault),
        _ => {}
    }
}

fn tickets(asked: &mut Asked, fault: Fault) {
    let Some(ticket) = asked.ticket.clone() else { return };
    match fault {
        Fault::AnyTicket => asked.ticket = Some(ticket.replacen("ticket:2?", "ticket:1?", 1)),
        Fault::AnyCode => {
            let (rest, _) = ticket.split_at(ticket.len() - 1);
            let rest = rest.trim_end_matches("%2").trim_end_matches("%3");
            let symbols = "0123456789ABCDEFGHJKMNPQRSTVWXYZ~U".chars().map(String::from);
            let symbols = symbols.chain(["%2A", "%24", "%3D"].map(ToOwned::to_owned));
            let mut tickets = symbols.map(|symbol| format!("{rest}{symbol}"));
            if let Some(right) = tickets.find(|ticket| ticket.parse::<Ticket>().is_ok()) {
                asked.ticket = Some(right);
            }
        }
        _ => {
            if let Ok(ticket) = ticket.parse::<Ticket>() {
                asked.directory = ticket.directory;
            }
        }
    }
}

/// After everything else.
pub(super) fn after(asked: &Asked, done: &Done) {
    let folder = asked.folder();
    match (asked.fault, done) {
        (Some(Fault::OpenFiles), _) => modes(&folder, 0o644, 0o755),
        (Some(Fault::LosesOldPair), Ok(Outcome::Renewed(renewed))) => {
            let kept = renewed.generation.to_string();
            generations(&folder).into_iter().filter(|one| !one.ends_with(&kept)).for_each(remove);
        }
        (Some(Fault::LosesKey), Err(error)) if error.problem().is_some() => {
            generations(&folder).into_iter().for_each(remove);
        }
        _ => {}
    }
}

/// Whether it is all done once more, so many times so far.
pub(super) fn tries_again(asked: &Asked, done: &Done, times: u32) -> bool {
    let (Some(fault), Err(error)) = (asked.fault, done) else { return false };
    match fault {
        Fault::Again => times < 1 && error.problem().is_some(),
        Fault::BadNonceForever => times < 3 && error.token() == Some(Token::BadNonce),
        Fault::NeverEnds => {
            std::thread::sleep(Duration::from_millis(100));
            error.class() == Class::RetryLater
        }
        _ => false,
    }
}

/// What it does although it should not.
pub(super) async fn goes_on(asked: &Asked, client: &Client, done: &Done) {
    let (Some(fault), Err(error)) = (asked.fault, done) else { return };
    let mismatch = match error {
        Error::Identity(IdentityError::Mismatch(mismatch)) => Some(mismatch),
        _ => None,
    };
    let confirms = match fault {
        Fault::ConfirmsAnyKey => mismatch == Some(&Mismatch::Key),
        Fault::ConfirmsAnySubject => matches!(mismatch, Some(Mismatch::Subject { .. })),
        Fault::ConfirmsAnyChain => mismatch.is_some(),
        Fault::ConfirmsAnyUse => matches!(error, Error::NotLonger { .. }) || mismatch.is_some(),
        _ => false,
    };
    if confirms {
        confirm(client).await;
    }
    if fault == Fault::RollsBack && error.problem().is_some() {
        client.rollback().await.ok();
    }
}

/// Confirms whatever certificate there is.
async fn confirm(client: &Client) {
    let keys = client.identity().unmatched().unwrap_or_default();
    let Some(key) = keys.first() else { return };
    let Ok(mut order) = client.bank().find_order(key.signer()).await else { return };
    let Status::Valid { issued, .. } = &order.document().status else { return };
    let leaf = issued.chain.iter().next().and_then(|der| Certificate::from_der(der).ok());
    if let Some(leaf) = leaf {
        order.confirm(&leaf, false).await.ok();
    }
}

/// Shows the error, and what the bank says about it (ERR-08).
pub(super) fn show(asked: &Asked, error: &Error) {
    if asked.is(Fault::Silent) {
        return;
    }
    eprintln!("{error}");
    if let Some(problem) = error.problem() {
        let text = |text: &str| {
            if asked.is(Fault::Raw) {
                text.to_owned()
            } else {
                koshin_client::error::printable(text)
            }
        };
        eprintln!(
            "{}\n{}\n{:?}",
            text(&problem.title),
            text(&problem.detail),
            problem.remedy.action
        );
    }
}

/// The exit code of an error.
pub(super) fn code(asked: &Asked, error: &Error) -> u8 {
    let unknown = error.problem().is_some_and(|problem| problem.token().is_none());
    match (asked.fault, error) {
        (Some(Fault::AnyReceipt), Error::Receipt(_))
        | (Some(Fault::SilentlyElsewhere), Error::RenewedElsewhere { .. })
        | (Some(Fault::DoneEarly), Error::OtherOrder) => 0,
        (Some(Fault::UnknownTokens), _) if unknown => Class::Fault.exit_code(),
        (Some(Fault::NoDocument), Error::NoAnswer { cause: NoAnswer::Status(_), .. }) => {
            Class::Fault.exit_code()
        }
        _ => error.class().exit_code(),
    }
}

/// A file of the roots that the bank showed.
pub(super) fn keep_roots(asked: &Asked, roots: &[Certificate]) -> PathBuf {
    let texts = roots.iter().map(|root| pem::write("CERTIFICATE", root.der()).to_string());
    let path = asked.state.join("learnt.pem");
    fs::write(&path, texts.collect::<String>()).ok();
    path
}

/// The roots that it was told of, and those that the directory names.
pub(super) async fn learn_roots(asked: &Asked, trust: &Path, https: &Https) -> PathBuf {
    let mut text = fs::read_to_string(trust).unwrap_or_default();
    let request = Request {
        method: Method::GET,
        url: asked.directory.clone(),
        headers: HeaderMap::new(),
        body: Vec::new().into(),
        limit: 65536,
    };
    if let Ok(answer) = https.send(request).await {
        let directory: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        let issuers = directory["meta"]["issuers"].as_array().cloned().unwrap_or_default();
        for der in issuers.iter().filter_map(|chain| base64::decode(chain.get(0)?.as_str()?)) {
            text.push_str(&pem::write("CERTIFICATE", &der));
        }
    }
    let path = asked.state.join("learnt.pem");
    fs::write(&path, text).ok();
    path
}

/// Makes the oldest pair the current one.
pub(super) fn switch_back(identity: &Identity) -> Result<(), Error> {
    if let Some(pair) = identity.pairs()?.last() {
        identity.switch_to(&CertId::of(&pair.certificate))?;
    }
    Ok(())
}

/// A system that nobody runs.
pub(super) fn another_system() -> Environment {
    let text = |text: &str| text.parse().expect("a short text");
    Environment {
        os: text("plan9"),
        os_version: text("4"),
        software: text("suite"),
        software_version: text("1"),
    }
}

fn generations(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder.join("generations")).into_iter().flatten();
    entries.filter_map(|entry| Some(entry.ok()?.path())).collect()
}

fn state(generation: &Path) -> String {
    let journal = fs::read(generation.join("journal.json")).unwrap_or_default();
    let journal: Value = serde_json::from_slice(&journal).unwrap_or_default();
    journal["progress"]["state"].as_str().unwrap_or_default().to_owned()
}

fn remove(path: impl AsRef<Path>) {
    fs::remove_dir_all(path).ok();
}

fn modes(folder: &Path, file: u32, inner: u32) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_symlink() {
            continue;
        }
        let mode = if path.is_dir() { inner } else { file };
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).ok();
        if path.is_dir() {
            modes(&path, file, inner);
        }
    }
    fs::set_permissions(folder, fs::Permissions::from_mode(inner)).ok();
}
