//! Logging on with whichever pair the bank accepts (SPEC.md 12.8).

use koshin_protocol::cert_id::CertId;
use koshin_protocol::problem::{Extra, Token};
use koshin_protocol::session::Purpose;

use crate::client::Run;
use crate::error::{Error, Refusal};
use crate::identity::{Identity, Pair};
use crate::progress::Event;
use crate::session::Session;

/// Logs on with the current pair; where the bank refuses that one for what it is, with the others, the newest first, and
/// makes the accepted one current (CLI-70, CLI-71).
pub(crate) async fn log_on(run: &Run<'_>) -> Result<Session, Error> {
    let client = run.client;
    let pairs = client.on_disk(candidates).await?;
    let now = client.bank.now();
    let mut refused = None;
    for (index, pair) in pairs.iter().enumerate() {
        if index > 0 && pair.certificate.not_after() < now {
            continue;
        }
        match run.log_on_with(pair, Purpose::Renewal).await {
            Ok(session) => {
                welcome(run, &session, index > 0).await?;
                return Ok(session);
            }
            Err(Error::Refused(refusal)) if is_about_the_pair(&refusal) => {
                keep_the_telling_one(&mut refused, refusal);
            }
            Err(error) => return Err(error),
        }
    }
    Err(match refused {
        None => Error::NoPair,
        Some(refusal) => match &refusal.problem.extra {
            Extra::Successor(successor) => {
                Error::RenewedElsewhere { successor: successor.clone(), refusal }
            }
            _ => refusal.into(),
        },
    })
}

/// The current pair, then all others that are or were in use.
fn candidates(identity: &Identity) -> Result<Vec<Pair>, crate::identity::IdentityError> {
    let mut pairs = identity.pairs()?;
    if let Some(current) = identity.current()? {
        pairs.retain(|pair| pair.generation != current.generation);
        pairs.insert(0, current);
    }
    Ok(pairs)
}

async fn welcome(run: &Run<'_>, session: &Session, is_other: bool) -> Result<(), Error> {
    let certificate = &session.pair().certificate;
    let cert_id = CertId::of(certificate);
    if is_other {
        let (wanted, event) = (cert_id.clone(), Event::Switched { cert_id: cert_id.clone() });
        run.client.on_disk(move |identity| identity.switch_to(&wanted)).await?;
        run.client.report(&event);
    }
    let subject = &session.document().subject;
    run.client.report(&Event::LoggedOn {
        name: subject.name.clone(),
        role: subject.role,
        cert_id,
        not_after: certificate.not_after(),
    });
    Ok(())
}

/// Whether another pair may fare better.
fn is_about_the_pair(refusal: &Refusal) -> bool {
    matches!(
        refusal.problem.token(),
        Some(
            Token::CertificateUnknown
                | Token::CertificateRevoked
                | Token::CertificateSuperseded
                | Token::CertificateExpired
        )
    )
}

/// That a certificate was renewed says more than anything that is said of others.
fn keep_the_telling_one(kept: &mut Option<Refusal>, refusal: Refusal) {
    let telling = refusal.problem.token() == Some(Token::CertificateSuperseded);
    let told = kept
        .as_ref()
        .is_some_and(|kept| kept.problem.token() == Some(Token::CertificateSuperseded));
    if kept.is_none() || (telling && !told) {
        *kept = Some(refusal);
    }
}
