//! What an administrator (管理者) does for the users of its contract, and everybody with its own PIN (SPEC.md 7.15 to 7.20).

use koshin_protocol::cert_id::CertId;
use koshin_protocol::contract::Contract;
use koshin_protocol::enrollment_code::EnrollmentCode;
use koshin_protocol::jws::By;
use koshin_protocol::operation::Operation;
use koshin_protocol::pin::{ChangePin, Pin};
use koshin_protocol::reissue::{NewReissue, Reissue, ReissueId};
use koshin_protocol::revocation::{Reason, Revocation, RevokeCert};
use koshin_protocol::sign::Signer;
use koshin_protocol::subject::{SubjectId, SubjectName};
use koshin_protocol::ticket::Ticket;
use koshin_protocol::url::Url;
use zeroize::Zeroizing;

use crate::Later;
use crate::bank::Call;
use crate::client::{Client, Run};
use crate::error::Error;
use crate::logon::log_on;
use crate::renew::Persistence;
use crate::session::Session;

/// A permission to enroll anew, with the ticket to hand over. The ticket holds the code, which nobody else has: show it once,
/// and drop it.
#[derive(Debug)]
pub struct Permission {
    /// What the bank recorded.
    pub reissue: Reissue,
    /// What the user needs to enroll.
    pub ticket: Ticket,
}

impl Client {
    /// The status page of the contract: a user sees itself, an administrator everybody.
    pub async fn contract(&self) -> Result<Contract, Error> {
        self.in_session(|session| later(async move { session.contract().await })).await
    }

    /// Permits a user to enroll anew. The code is made here and never sent (REI-31, REI-32); `name` must be the user's, so that a
    /// mixed-up id is noticed.
    ///
    /// Dropped before it returns, the bank may have a reissue whose code nobody knows: another one voids it.
    pub async fn reissue(
        &self,
        subject: SubjectId,
        name: SubjectName,
        reason: Reason,
    ) -> Result<Permission, Error> {
        let (id, code) = (ReissueId::from_bytes(random()?), code()?);
        let enrollment_key = code.key(&id).public_key().clone();
        // The same id and key however often it is sent (REI-33).
        let request =
            NewReissue { id, subject, subject_name: name.clone(), reason, enrollment_key };
        let sent = &request;
        let act = |session: Session| later(async move { session.reissue(sent).await });
        let reissue = self.in_session(act).await?;
        let directory = self.bank.url().clone();
        Ok(Permission { reissue, ticket: Ticket { directory, reissue: id, name, code } })
    }

    /// Withdraws the open reissue of a user, by its URL in the contract.
    pub async fn cancel_reissue(&self, url: &Url) -> Result<Reissue, Error> {
        use koshin_protocol::reissue::Status;
        let act = |session: Session| {
            later(async move {
                let reissue = session.read_reissue(url).await?;
                match &reissue.status {
                    Status::Pending { cancel } | Status::Redeemed { cancel, .. } => {
                        session.cancel_reissue(cancel).await
                    }
                    Status::Completed { .. }
                    | Status::Failed { .. }
                    | Status::Canceled { .. }
                    | Status::Voided { .. }
                    | Status::Expired => Ok(reissue),
                }
            })
        };
        self.in_session(act).await
    }

    /// Unlocks the PIN of a user.
    pub async fn unlock(&self, subject: &SubjectId) -> Result<(), Error> {
        let act = |session: Session| later(async move { session.unlock(subject.clone()).await });
        self.in_session(act).await
    }

    /// Revokes a certificate of a user, and on request every one that descends from it.
    pub async fn revoke_of_user(&self, request: &RevokeCert) -> Result<Revocation, Error> {
        let act = |session: Session| later(async move { session.revoke(request).await });
        self.in_session(act).await
    }

    /// Revokes a certificate of this identity's own, signed by itself: the current one if none is named. It cannot be undone.
    pub async fn revoke(
        &self,
        certificate: Option<&CertId>,
        reason: Reason,
    ) -> Result<Revocation, Error> {
        let wanted = certificate.cloned();
        let pair = self
            .on_disk(move |identity| match &wanted {
                Some(wanted) => identity.pair(wanted),
                None => identity.current(),
            })
            .await?;
        let Some(pair) = pair else {
            return Err(certificate.cloned().map_or(Error::NoPair, Error::NoSuchPair));
        };
        let cert_id = CertId::of(&pair.certificate);
        let request = RevokeCert { cert_id, reason, include_successors: false };
        let mut persistence = Persistence::default();
        loop {
            let directory = self.bank.directory().await?;
            let call = Call {
                operation: Operation::RevokeCert,
                url: &directory.revoke_cert,
                by: By::Certificate(pair.certificate.der().into()),
                signer: &pair.signer,
            };
            match self.bank.ask(call, &request).await {
                Ok(answer) => return answer.object(),
                Err(error) => persistence.again(&self.bank, error).await?,
            }
        }
    }

    /// Changes the PIN of this identity's subject. It is sent once: after no answer the old PIN may be wrong already, and
    /// only a logon tells.
    pub async fn change_pin(&self, old: Pin, new: Pin) -> Result<(), Error> {
        let session = log_on(&Run::new(self)).await?;
        let changed = session.change_pin(&ChangePin { old, new }).await;
        session.log_off().await.ok();
        changed
    }

    /// Logs on, does one thing that may be repeated, and logs off.
    async fn in_session<'a, T>(
        &'a self,
        act: impl Fn(Session) -> Later<'a, Result<T, Error>>,
    ) -> Result<T, Error> {
        let run = Run::new(self);
        let mut persistence = Persistence::default();
        loop {
            let error = match log_on(&run).await {
                Ok(session) => {
                    let done = act(session.clone()).await;
                    // The bank would end the session by itself; that it is not told is no failure.
                    session.log_off().await.ok();
                    match done {
                        Ok(value) => return Ok(value),
                        Err(error) => error,
                    }
                }
                Err(error) => error,
            };
            persistence.again(&self.bank, error).await?;
        }
    }
}

fn later<'a, T>(
    act: impl Future<Output = Result<T, Error>> + Send + 'a,
) -> Later<'a, Result<T, Error>> {
    Box::pin(act)
}

fn code() -> Result<EnrollmentCode, Error> {
    let bytes = Zeroizing::new(random()?);
    Ok(EnrollmentCode::from_bytes(*bytes))
}

fn random() -> Result<[u8; 16], Error> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes)
        .map_err(|error| Error::Invalid(format!("no randomness: {error}")))?;
    Ok(bytes)
}
