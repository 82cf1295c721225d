//! One case's stage: a bank of its own, a client's folder with a certificate of it, and what was seen.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use koshin_protocol::enrollment_code::EnrollmentCode;
use koshin_protocol::reissue::ReissueId as WireId;
use koshin_protocol::revocation::Reason;
use koshin_protocol::sign::Signer;
use koshin_protocol::ticket::Ticket;
use koshin_protocol::url::Url;
use koshin_server::bank::Bank;
use koshin_server::mischief::{Mischief, Shares};
use koshin_server::rule::command::{Actor, NewReissue};
use koshin_server::id::ReissueId;
use tempfile::TempDir;
use tokio::sync::OnceCell;
use zeroize::Zeroizing;

use super::bank::{Alter, PlayedBank};
use super::customer::{self, Customer, PIN, Wish};
use super::deed::{Deed, Rule};
use super::front::{Front, bind};
use super::plain::{self, ABILITIES, Ability};
use super::process::{Adapter, Ended, Start};
use super::seen::Seen;
use crate::case::{Outcome, Stop};
use crate::exchange::Log;

/// What one case is run with.
#[derive(Clone)]
pub struct Play {
    adapter: Adapter,
    able: Arc<[OnceCell<Result<(), Stop>>; ABILITIES]>,
    log: Log,
}

/// What a stage is to be like.
#[derive(Clone)]
pub(crate) struct Setup {
    /// A shipped policy.
    pub(crate) policy: &'static str,
    /// What is different in it.
    pub(crate) alter: Alter,
    /// The customer.
    pub(crate) wish: Wish,
    /// How far the bank's clock is ahead of this machine's, in seconds.
    pub(crate) ahead: i64,
    /// The last octet of the loopback address, where it is not called `localhost`.
    pub(crate) octet: Option<u8>,
    /// Whether its TLS certificate is of a root that the client does not know.
    pub(crate) unknown_tls: bool,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            policy: "seed",
            alter: |_| {},
            wish: Wish::default(),
            ahead: 0,
            octet: None,
            unknown_tls: false,
        }
    }
}

/// One case's stage.
pub(crate) struct Stage {
    /// The bank.
    pub(crate) bank: Arc<PlayedBank>,
    /// Whose client it is.
    pub(crate) customer: Customer,
    /// The directory's URL.
    pub(crate) directory: String,
    /// The PIN that the client is given.
    pub(crate) pin: Option<String>,
    /// The ticket that the client is given.
    pub(crate) ticket: Option<String>,
    /// Whether the client can write to no file.
    pub(crate) full_disk: bool,
    front: Front,
    adapter: Adapter,
    folder: TempDir,
}

impl Play {
    /// Of the command that starts the client under test.
    pub fn new(adapter: impl IntoIterator<Item = std::ffi::OsString>) -> Self {
        let adapter = Adapter(adapter.into_iter().collect());
        Self { adapter, able: Arc::default(), log: Log::default() }
    }

    /// The same, recording into `log`.
    pub fn recording(&self, log: Log) -> Self {
        Self { log, ..self.clone() }
    }

    /// Passes if the client can do the plain thing; else the case shows nothing.
    pub(crate) async fn able(&self, ability: Ability) -> Outcome {
        let cell = &self.able[ability as usize];
        let quiet = self.recording(Log::default());
        let tried =
            cell.get_or_init(|| async move { Box::pin(plain::tried(quiet, ability)).await });
        match tried.await {
            Ok(()) => Ok(()),
            Err(stop) => Err(Stop::blocked(format_args!("{}: {stop}", ability.slug()))),
        }
    }

    /// The usual stage, for a client that can renew.
    pub(crate) async fn stage(&self) -> Outcome<Stage> {
        self.able(Ability::Renew).await?;
        self.set(Setup::default()).await
    }

    /// Another stage, for a client that can renew.
    pub(crate) async fn stage_of(&self, setup: Setup) -> Outcome<Stage> {
        self.able(Ability::Renew).await?;
        self.set(setup).await
    }

    /// A stage, whatever the client can do.
    pub(crate) async fn set(&self, setup: Setup) -> Outcome<Stage> {
        let folder = tempfile::tempdir().map_err(Stop::blocked)?;
        let listener = bind(setup.octet.unwrap_or(1)).await?;
        let port = listener.local_addr().map_err(Stop::blocked)?.port();
        let host = setup.octet.map_or("localhost".to_owned(), |octet| format!("127.0.0.{octet}"));
        let origin = format!("https://{host}:{port}");
        let bank =
            PlayedBank::found(&folder.path().join("bank"), &origin, setup.policy, setup.alter)?;
        bank.set_ahead(setup.ahead);
        let bank = Arc::new(bank);
        let customer = customer::make(&bank, &setup.wish).await?;
        let stranger;
        let (chain, key) = if setup.unknown_tls {
            let other = folder.path().join("other");
            stranger = PlayedBank::found(&other, &origin, setup.policy, setup.alter)?;
            stranger.tls_files()
        } else {
            bank.tls_files()
        };
        let front = Front::open(listener, &bank, &origin, (&chain, &key), self.log.clone())?;
        let stage = Stage {
            pin: customer.has_pin.then(|| PIN.to_owned()),
            ticket: None,
            full_disk: false,
            directory: format!("{origin}/koshin/directory"),
            bank,
            customer,
            front,
            adapter: self.adapter.clone(),
            folder,
        };
        fs::create_dir(stage.state()).map_err(Stop::blocked)?;
        private(&stage.state().join("identity.pem"), stage.customer.pem.as_bytes())?;
        Ok(stage)
    }
}

impl Stage {
    /// The client's folder.
    pub(crate) fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    /// The base of the bank's URLs.
    pub(crate) fn base(&self) -> String {
        self.directory.trim_end_matches("directory").to_owned()
    }

    /// From now on the bank is up to mischief, by this seed.
    pub(crate) fn mischief(&self, seed: u64) -> Outcome {
        let share = 0.13;
        let shares = Shares {
            reject_nonce: share,
            drop_response: share,
            delay: share,
            rate_limited: share,
            unavailable: share,
            processing: share,
        };
        let longest = Duration::from_secs(1);
        self.front
            .shared()
            .set_mischief(Mischief::new(seed, &shares, longest).map_err(Stop::blocked)?);
        Ok(())
    }

    /// From now on something is done to requests.
    pub(crate) fn rule(&self, rule: Rule) {
        self.front.shared().rule(rule);
    }

    /// Something is done to the first such request.
    pub(crate) fn first(&self, operation: &'static str, deed: Deed) {
        self.rule(Rule::first(operation, deed));
    }

    /// Something is done to every such request.
    pub(crate) fn every(&self, operation: &'static str, deed: Deed) {
        self.rule(Rule::every(operation, deed));
    }

    /// From now on the bank does as it should.
    pub(crate) fn behave(&self) {
        self.front.shared().behave();
    }

    /// From now on the `Date` of answers is so many seconds ahead of the bank's clock.
    pub(crate) fn set_date_ahead(&self, seconds: i64) {
        self.front.shared().set_date_ahead(seconds);
    }

    /// Whatever makes dates as this stage's answers have them.
    pub(crate) fn dates(&self) -> impl Fn(i64) -> String + Send + Sync + 'static {
        let shared = Arc::clone(self.front.shared());
        move |seconds| shared.date_in(seconds)
    }

    /// Every request so far.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.front.shared().seen()
    }

    /// The requests of that operation so far.
    pub(crate) fn of(&self, operation: &str) -> Vec<Seen> {
        self.seen().into_iter().filter(|seen| seen.is(operation)).collect()
    }

    /// How many requests there were.
    pub(crate) fn mark(&self) -> usize {
        self.seen().len()
    }

    /// The requests after a mark.
    pub(crate) fn since(&self, mark: usize) -> Vec<Seen> {
        self.seen().split_off(mark)
    }

    /// Runs the client, and waits for its end.
    pub(crate) async fn run(&self, action: &'static str) -> Outcome<Ended> {
        self.run_in(action, &self.state()).await
    }

    /// Runs the client in another folder.
    pub(crate) async fn run_in(&self, action: &'static str, state: &Path) -> Outcome<Ended> {
        self.run_at(action, state, &self.directory, &self.bank.roots()).await
    }

    /// Runs the client in a folder, for another bank or with other roots.
    pub(crate) async fn run_at(
        &self,
        action: &'static str,
        state: &Path,
        directory: &str,
        trust: &Path,
    ) -> Outcome<Ended> {
        let start = Start {
            action,
            directory,
            trust,
            state,
            pin: self.pin.as_deref(),
            ticket: self.ticket.as_deref(),
            full_disk: self.full_disk,
        };
        self.adapter.run(&start, &self.front.shared().victims).await
    }

    /// Runs the client, and kills it if it has not ended so long after the first request that something was done to: what a
    /// bank that misbehaves for ever leads to is seen by then. Blocked if nothing was done to any.
    pub(crate) async fn watch(&self, action: &'static str, grace: Duration) -> Outcome<Ended> {
        let mark = self.mark();
        let begun = || self.since(mark).iter().any(|seen| seen.deed.is_some());
        let over = async {
            while !begun() {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            tokio::time::sleep(grace).await;
        };
        let mut run = std::pin::pin!(self.run(action));
        let ended = tokio::select! {
            ended = &mut run => ended,
            () = over => {
                self.front.shared().victims.kill();
                run.await
            }
        };
        if begun() {
            ended
        } else {
            Err(Stop::blocked("the request that it is about was never sent"))
        }
    }

    /// Runs it with `renew`.
    pub(crate) async fn renew(&self) -> Outcome<Ended> {
        self.run("renew").await
    }

    /// Has the client begin a renewal, and kills it when it confirms: the bank never hears of that.
    pub(crate) async fn begin(&self) -> Outcome {
        self.first("confirm", Deed::KillBefore);
        let ended = self.renew().await?;
        if ended.code.is_some() || self.of("confirm").is_empty() {
            return Err(Stop::blocked(format_args!("no confirm was sent: {}", ended.how())));
        }
        Ok(())
    }

    /// The bank itself, as it is now.
    pub(crate) fn inner(&self) -> Arc<Bank> {
        self.bank.bank()
    }

    /// Opens a reissue for the customer; the answer is its ticket. From now on the client has no certificate, but it.
    pub(crate) async fn reissue(&mut self) -> Outcome<Ticket> {
        let bank = self.inner();
        let subject = bank.store.subject(self.customer.subject).await.map_err(Stop::blocked)?;
        let subject = subject.ok_or_else(|| Stop::blocked("the subject is gone"))?;
        let mut random = Zeroizing::new([0; 16]);
        getrandom::fill(random.as_mut()).map_err(Stop::blocked)?;
        let code = EnrollmentCode::from_bytes(*random);
        let id = ReissueId::random();
        let wire_id = WireId::from_bytes(*id.as_bytes());
        let now = self.bank.now();
        let new = NewReissue {
            id,
            subject: subject.id,
            subject_name: subject.name.clone(),
            reason: Reason::KeyLost,
            enrollment_key: code.key(&wire_id).public_key().to_canonical_jwk(),
            expires: bank.policy.reissue_expires(now),
        };
        bank.store.open_reissue(new, Actor::Bank, now).await.map_err(customer::faulty)?;
        let ticket = Ticket {
            directory: Url::parse(&self.directory).map_err(Stop::blocked)?,
            reissue: wire_id,
            name: subject.name.parse().map_err(Stop::blocked)?,
            code,
        };
        fs::remove_file(self.state().join("identity.pem")).ok();
        self.ticket = Some(ticket.to_text().to_string());
        Ok(ticket)
    }

    /// A folder beside the client's.
    pub(crate) fn beside(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

/// Writes a file that only its owner may read.
pub(crate) fn private(path: &Path, content: &[u8]) -> Outcome {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    file.and_then(|mut file| file.write_all(content)).map_err(Stop::blocked)
}
