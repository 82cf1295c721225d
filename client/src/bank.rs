//! A bank as seen from here: its directory, its nonces, its clock, and one way to ask it anything.

mod answer;
mod ask;

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::Method;
use koshin_protocol::cert_id::CertId;
use koshin_protocol::directory::{Directory, Full, Profile};
use koshin_protocol::empty::Empty;
use koshin_protocol::enrollment::NewEnrollment;
use koshin_protocol::jws::{By, Nonce};
use koshin_protocol::operation::Operation;
use koshin_protocol::renewal_info::RenewalInfo;
use koshin_protocol::session::{NewSession, Session as SessionDocument};
use koshin_protocol::sign::Signer;
use koshin_protocol::time::Time;
use koshin_protocol::url::{Base, Url};

pub(crate) use self::answer::Answer;
pub(crate) use self::ask::Call;
use crate::clock::Clock;
use crate::error::{Asked, Error};
use crate::identity::Pair;
use crate::order::{ByKey, Order};
use crate::progress::{Event, Progress, Why};
use crate::session::Session;
use crate::transport::Transport;

/// A directory is asked for anew after this long (DIR-05).
const DIRECTORY_LIFE: i64 = 24 * 3600;

/// From this difference on the user is told that the clock is wrong (TIM-03).
const CLOCK_TOLERANCE: i64 = 300;

/// A bank. Clones share what was learnt: directory, nonce, clock.
#[derive(Clone)]
pub struct Bank {
    inner: Arc<Inner>,
}

struct Inner {
    url: Url,
    base: Base,
    transport: Arc<dyn Transport>,
    clock: Arc<dyn Clock>,
    progress: Arc<dyn Progress>,
    language: String,
    patience: Duration,
    signs_here: bool,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    directory: Option<(Time, Arc<Directory>)>,
    /// The newest unused nonce; each goes into one request only (NON-07).
    nonce: Option<Nonce>,
    /// The bank's clock less this machine's, by the `Date` of the answers of this run (TIM-02).
    ahead: Option<i64>,
    /// When the current certificate ends: it caps waits (RTA-04).
    not_after: Option<Time>,
}

/// What a bank is asked with.
#[derive(Clone)]
pub struct Access {
    /// Carries the requests.
    pub transport: Arc<dyn Transport>,
    /// Time, and waiting.
    pub clock: Arc<dyn Clock>,
    /// Hears what happens meanwhile.
    pub progress: Arc<dyn Progress>,
    /// `Accept-Language`: `ja`, `en`.
    pub language: String,
    /// No single wait on the bank's word is longer: what would be is an error that says until when.
    pub patience: Duration,
    /// Whether requests are signed on the caller's thread, for programs that have one only.
    pub signs_here: bool,
}

impl Bank {
    /// The bank with this directory. Nothing is asked yet.
    pub fn new(directory: Url, access: Access) -> Self {
        let Access { transport, clock, progress, language, patience, signs_here } = access;
        let (base, known) = (Base::of(&directory), Mutex::default());
        let url = directory;
        Self {
            inner: Arc::new(Inner {
                url,
                base,
                transport,
                clock,
                progress,
                language,
                patience,
                signs_here,
                known,
            }),
        }
    }

    /// The directory's URL.
    pub fn url(&self) -> &Url {
        &self.inner.url
    }

    /// The bank's time, by the last answer; this machine's before the first.
    pub fn now(&self) -> Time {
        let now = self.own_now();
        let ahead = self.known(|known| known.ahead).unwrap_or(0);
        Time::from_unix(now.unix().saturating_add(ahead)).unwrap_or(now)
    }

    /// This machine's time.
    pub fn own_now(&self) -> Time {
        self.inner.clock.now()
    }

    /// The directory, asked for at most once a day.
    pub async fn directory(&self) -> Result<Arc<Directory>, Error> {
        let now = self.own_now();
        let kept = self.known(|known| known.directory.clone());
        if let Some((fetched, directory)) = kept
            && (0..DIRECTORY_LIFE).contains(&now.seconds_since(fetched))
        {
            return Ok(directory);
        }
        let answer = self.get(Asked::Directory, Method::GET, &self.inner.url).await?;
        let directory = Arc::new(answer.directory()?);
        self.known(|known| known.directory = Some((now, Arc::clone(&directory))));
        Ok(directory)
    }

    /// What a bank of profile `full` has beyond `core`.
    pub(crate) async fn full(&self, what: &'static str) -> Result<Full, Error> {
        match &self.directory().await?.profile {
            Profile::Full(full) => Ok(Full::clone(full)),
            Profile::Core { .. } => Err(Error::NotOffered { what }),
        }
    }

    /// When a certificate may and should be renewed, and how long not to ask again (RNI-06).
    pub async fn renewal_info(&self, of: &CertId) -> Result<(RenewalInfo, Duration), Error> {
        let directory = self.directory().await?;
        let url = format!("{}/{of}", directory.renewal_info);
        let url = Url::parse(&url).map_err(|error| Error::Directory(error.to_string()))?;
        let answer = self.get(Asked::RenewalInfo, Method::GET, &url).await?;
        Ok((answer.object()?, renewal_info_freshness(answer.retry_after())))
    }

    /// Logs on with a pair (SPEC.md 7.4). A session begins; the former one of the same certificate ends.
    pub async fn log_on(&self, pair: &Pair, request: &NewSession) -> Result<Session, Error> {
        let directory = self.directory().await?;
        check_algorithm(&directory, &*pair.signer)?;
        self.known(|known| known.not_after = Some(pair.certificate.not_after()));
        let call = Call {
            operation: Operation::NewSession,
            url: &directory.new_session,
            by: By::Certificate(pair.certificate.der().into()),
            signer: &pair.signer,
        };
        let answer = self.ask(call, request).await?;
        let (kid, document) = (answer.location()?, answer.object::<SessionDocument>()?);
        let ours = document.certificate.cert_id == CertId::of(&pair.certificate)
            && document.subject.name.as_str() == pair.certificate.subject().as_str();
        if !ours || document.purpose() != request.purpose {
            return Err(Error::OtherSubject);
        }
        Ok(Session::new(self.clone(), kid, pair.clone(), document))
    }

    /// Finds the order of a key (SPEC.md 7.10); refused with `orderUnknown` if there is none.
    pub async fn find_order(&self, signer: &Arc<dyn Signer>) -> Result<Order<ByKey>, Error> {
        let directory = self.directory().await?;
        let call = Call {
            operation: Operation::FindOrder,
            url: &directory.find_order,
            by: By::Key(Box::new(signer.public_key().clone())),
            signer,
        };
        let answer = self.ask(call, &Empty {}).await?;
        Order::of_key(self, signer, &answer)
    }

    /// Reads an order by its key (SPEC.md 5.5), which needs no certificate.
    pub async fn read_order(
        &self,
        url: &Url,
        signer: &Arc<dyn Signer>,
    ) -> Result<Order<ByKey>, Error> {
        let answer = self.read(url, By::Key(Box::new(signer.public_key().clone())), signer).await?;
        let order = Order::of_key(self, signer, &answer)?;
        if order.document().url == *url { Ok(order) } else { Err(Error::OtherOrder) }
    }

    /// Redeems an enrollment code (SPEC.md 7.19), signed by the key of the CSR.
    pub async fn enroll(
        &self,
        request: &NewEnrollment,
        signer: &Arc<dyn Signer>,
    ) -> Result<Order<ByKey>, Error> {
        let full = self.full("enrollment by code").await?;
        let call = Call {
            operation: Operation::NewEnrollment,
            url: &full.new_enrollment,
            by: By::Key(Box::new(signer.public_key().clone())),
            signer,
        };
        let answer = self.ask(call, request).await?;
        Order::of_key(self, signer, &answer)
    }

    /// Waits on the bank's word: as long as it wants, within what 5.11 allows.
    pub(crate) async fn wait(&self, wanted: Duration, reason: Why) -> Result<(), Error> {
        let wait = crate::retry::capped(wanted, self.remaining());
        if wait > self.inner.patience {
            return Err(Error::ComeBack(wait));
        }
        let event = Event::Waiting { reason, seconds: wait.as_secs() };
        self.inner.progress.report(&event);
        self.sleep(wait).await;
        Ok(())
    }

    /// As [`Self::wait`], without saying so: for waits that have an event of their own.
    pub(crate) fn allowed_wait(&self, wanted: Duration) -> Result<Duration, Error> {
        let wait = crate::retry::capped(wanted, self.remaining());
        if wait > self.inner.patience { Err(Error::ComeBack(wait)) } else { Ok(wait) }
    }

    pub(crate) async fn sleep(&self, duration: Duration) {
        if duration >= Duration::from_mins(1) {
            // It will be too old.
            self.known(|known| known.nonce = None);
        }
        self.inner.clock.sleep(duration).await;
    }

    pub(crate) fn report(&self, event: &Event) {
        self.inner.progress.report(event);
    }

    fn remaining(&self) -> Option<Duration> {
        let not_after = self.known(|known| known.not_after)?;
        let seconds = not_after.seconds_since(self.now());
        Some(Duration::from_secs(u64::try_from(seconds).unwrap_or(0)))
    }

    /// Notes the bank's clock by an answer's `Date`.
    fn learn_time(&self, date: Time) {
        let ahead = date.seconds_since(self.own_now());
        let first = self.known(|known| known.ahead.replace(ahead).is_none());
        if first && ahead.abs() > CLOCK_TOLERANCE {
            self.report(&Event::ClockDiffers { seconds: -ahead });
        }
    }

    fn known<T>(&self, look: impl FnOnce(&mut Known) -> T) -> T {
        // Nobody panics while holding it, and if so, each field is whole by itself.
        look(&mut self.inner.known.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// How long the same renewalInfo is not asked for again: as the bank says, at least a minute and at most a day (RNI-06).
pub(crate) fn renewal_info_freshness(retry_after: Option<Duration>) -> Duration {
    let (least, most) = (Duration::from_mins(1), Duration::from_hours(24));
    retry_after.unwrap_or(least).clamp(least, most)
}

/// A request that the bank would refuse for its algorithm is not made (ALG-06).
fn check_algorithm(directory: &Directory, signer: &dyn Signer) -> Result<(), Error> {
    let algorithm = signer.algorithm();
    if directory.meta.algorithms.contains(&algorithm) {
        Ok(())
    } else {
        Err(Error::Algorithm(algorithm))
    }
}

impl fmt::Debug for Bank {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bank").field("url", &self.inner.url).finish_non_exhaustive()
    }
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Access").field("language", &self.language).finish_non_exhaustive()
    }
}
