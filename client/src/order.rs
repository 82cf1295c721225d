//! An order (SPEC.md 7.9), as a handle whose calls are the protocol's.

use std::sync::Arc;
use std::time::Duration;

use koshin_protocol::certificate::Certificate;
use koshin_protocol::jws::By;
use koshin_protocol::operation::Operation;
use koshin_protocol::order::{Cancel, Confirm, Order as Document, Status};
use koshin_protocol::sign::Signer;

use crate::Later;
use crate::bank::{Answer, Bank, Call};
use crate::error::Error;
use crate::progress::Event;
use crate::retry::MIN_WAIT;
use crate::session::Session;

/// Looks at an order in `processing` in one run, after which it is left for another (CLI-43).
const MAX_LOOKS: u32 = 100;

/// An order, read and acted on by `R`: a session ([`BySession`]) or its own key ([`ByKey`]).
#[derive(Clone, Debug)]
pub struct Order<R> {
    reader: R,
    document: Box<Document>,
    /// How long the bank wants to be left alone, by its last answer.
    pause: Option<Duration>,
}

/// Whoever may read an order.
pub trait Reader: Sync + sealed::Sealed {
    /// The order's bank.
    #[doc(hidden)]
    fn bank(&self) -> &Bank;

    /// Asks for the order.
    #[doc(hidden)]
    fn read<'a>(&'a self, order: &'a Document) -> Later<'a, Result<Answer, Error>>;
}

mod sealed {
    pub trait Sealed {}
}

/// By a session of the order's subject.
#[derive(Clone, Debug)]
pub struct BySession {
    session: Session,
}

/// By the key of the order, at any time, without certificate and session.
#[derive(Clone)]
pub struct ByKey {
    bank: Bank,
    signer: Arc<dyn Signer>,
}

impl Order<BySession> {
    pub(crate) fn of_session(session: &Session, answer: &Answer) -> Result<Self, Error> {
        let reader = BySession { session: session.clone() };
        let document: Box<Document> = Box::new(answer.object()?);
        // A journal that names a URL elsewhere could never be taken up again.
        session.bank().check_base(&document.url)?;
        Ok(Self { reader, document, pause: answer.retry_after() })
    }

    /// Cancels it (SPEC.md 7.11): the certificate that it may have is revoked, the old one stays. Possible until it is
    /// completed.
    pub async fn cancel(self) -> Result<Self, Error> {
        let (Status::Processing { cancel: Some(url) } | Status::Valid { cancel: Some(url), .. }) =
            &self.document.status
        else {
            return Err(Error::Nothing { what: "order that can be canceled" });
        };
        let payload = Cancel { key: self.document.key };
        let session = &self.reader.session;
        let answer = session.ask(Operation::Cancel, url, &payload).await?;
        let document = same(&self.document, answer.object()?)?;
        Ok(Self { document, ..self })
    }

    /// The same order, from now on read by its own key, which must be the one that it names (SPEC.md 4.6).
    pub fn by_key(self, signer: &Arc<dyn Signer>) -> Result<Order<ByKey>, Error> {
        let bank = self.reader.session.bank().clone();
        let order = Order {
            reader: ByKey { bank, signer: Arc::clone(signer) },
            document: self.document,
            pause: self.pause,
        };
        order.checked()
    }
}

impl Order<ByKey> {
    /// The order of a key, which must be the one that it names (SPEC.md 4.6).
    pub(crate) fn of_key(
        bank: &Bank,
        signer: &Arc<dyn Signer>,
        answer: &Answer,
    ) -> Result<Self, Error> {
        let reader = ByKey { bank: bank.clone(), signer: Arc::clone(signer) };
        let document: Box<Document> = Box::new(answer.object()?);
        bank.check_base(&document.url)?;
        Self { reader, document, pause: answer.retry_after() }.checked()
    }

    fn checked(self) -> Result<Self, Error> {
        if self.document.key == self.reader.signer.public_key().thumbprint() {
            Ok(self)
        } else {
            Err(Error::OtherOrder)
        }
    }

    /// Confirms that the certificate is installed (SPEC.md 7.13), signed by it. `is_final` gives up the right to roll back.
    pub async fn confirm(
        &mut self,
        certificate: &Certificate,
        is_final: bool,
    ) -> Result<(), Error> {
        let (Status::Valid { issued, .. } | Status::Completed { issued, .. }) =
            &self.document.status
        else {
            return Err(Error::Nothing { what: "certificate to confirm" });
        };
        let call = Call {
            operation: Operation::Confirm,
            url: &issued.confirm,
            by: By::Certificate(certificate.der().into()),
            signer: &self.reader.signer,
        };
        let answer = self.reader.bank.ask(call, &Confirm { is_final }).await?;
        self.document = same(&self.document, answer.object()?)?;
        Ok(())
    }
}

impl<R> Order<R> {
    /// What the bank said about it last.
    pub fn document(&self) -> &Document {
        &self.document
    }
}

impl<R: Reader> Order<R> {
    /// Reads it again.
    pub async fn refresh(&mut self) -> Result<(), Error> {
        let answer = self.reader.read(&self.document).await?;
        self.document = same(&self.document, answer.object()?)?;
        self.pause = answer.retry_after();
        Ok(())
    }

    /// Reads it until it is no longer `processing` (SPEC.md 5.11), with an event before each wait.
    pub async fn issued(&mut self) -> Result<(), Error> {
        for _ in 0..MAX_LOOKS {
            match self.document.status {
                Status::Processing { .. } => {}
                Status::Valid { .. }
                | Status::Completed { .. }
                | Status::Canceled { .. }
                | Status::Invalid { .. }
                | Status::RolledBack { .. } => return Ok(()),
            }
            let bank = self.reader.bank();
            let wait = bank.allowed_wait(self.pause.unwrap_or(MIN_WAIT))?;
            let order = self.document.url.clone();
            bank.report(&Event::Processing { order, seconds: wait.as_secs() });
            bank.sleep(wait).await;
            self.refresh().await?;
        }
        Err(Error::StillProcessing { order: self.document.url.clone() })
    }
}

/// An answer about an order, which must be about that one (ORD-24).
fn same(before: &Document, after: Document) -> Result<Box<Document>, Error> {
    let same = before.url == after.url
        && before.key == after.key
        && before.subject == after.subject
        && before.kind == after.kind;
    if same { Ok(Box::new(after)) } else { Err(Error::OtherOrder) }
}

impl sealed::Sealed for BySession {}
impl sealed::Sealed for ByKey {}

impl Reader for BySession {
    fn bank(&self) -> &Bank {
        self.session.bank()
    }

    fn read<'a>(&'a self, order: &'a Document) -> Later<'a, Result<Answer, Error>> {
        Box::pin(self.session.read(&order.url))
    }
}

impl Reader for ByKey {
    fn bank(&self) -> &Bank {
        &self.bank
    }

    fn read<'a>(&'a self, order: &'a Document) -> Later<'a, Result<Answer, Error>> {
        let by = By::Key(Box::new(self.signer.public_key().clone()));
        Box::pin(self.bank.read(&order.url, by, &self.signer))
    }
}

impl std::fmt::Debug for ByKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ByKey").field("bank", &self.bank).finish_non_exhaustive()
    }
}
