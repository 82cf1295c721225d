//! Why a request was refused, and the only place where that becomes a problem document (SPEC.md 11).

use std::time::Duration;

use http::{HeaderValue, StatusCode};
use jiff::tz::TimeZone;
use koshin_protocol::csr::CsrError;
use koshin_protocol::jws::JwsError;
use koshin_protocol::problem::{CsrFault, Extra, Language, Problem, Token};
use koshin_protocol::subject::Role;
use koshin_protocol::time::Time;

use crate::http::Refusal;
use crate::pin::PinError;
use crate::policy::Policy;
use crate::reply::Reply;
use crate::route::Route;
use crate::store::{Failure, Refused, StoreError};
use crate::urls::Urls;

/// How long to wait where nothing better is known.
const SOON: Duration = Duration::from_secs(1);

/// How long to wait where nothing can be stored: about as long as a supervisor takes to start the bank anew.
const OUTAGE: Duration = Duration::from_secs(5);

/// Why a request was refused.
#[derive(Debug)]
pub enum Error {
    /// The edge refused it.
    Edge(Refusal),
    /// No such resource, or not the signer's.
    NotFound,
    /// The resource does not take this HTTP method.
    Method {
        /// Those that it takes.
        allowed: &'static str,
    },
    /// The content type is not that of a signed request.
    MediaType,
    /// The JWS, or its payload.
    Jws(JwsError),
    /// The signer is named in a way that this operation does not take.
    WrongSigner,
    /// The algorithm is not one of policy.
    Algorithm,
    /// Unknown, spent or too old.
    BadNonce,
    /// No certificate of the registry.
    CertificateUnknown,
    /// Too many requests by this certificate.
    TooOften {
        /// Until the next one is welcome.
        retry_after: Duration,
    },
    /// A session's certificate is past its notAfter.
    CertificateExpired(Role),
    /// The subject or its contract is disabled.
    SubjectDisabled,
    /// No active session, or not the one of this URL.
    SessionEnded,
    /// The session's purpose does not allow this.
    SessionPurpose,
    /// The role does not allow this.
    NotAuthorized,
    /// The declared environment meets none of the list.
    Environment,
    /// The key store is not one of the list.
    KeyStore,
    /// The CSR breaks SPEC.md 6.3.
    Csr(CsrError),
    /// The CSR's subject is not the subject's name.
    CsrSubject,
    /// The CSR's key is not the one that signed.
    CsrKey,
    /// A public key in a payload is not of the kind that it must be.
    PublicKey,
    /// A PIN is asked for, and none was sent.
    PinRequired,
    /// The PIN is wrong.
    PinWrong {
        /// Attempts until the lock; 0: it locked.
        left: u32,
        /// Decides who unlocks.
        role: Role,
    },
    /// The new PIN breaks the rule.
    PinUnacceptable,
    /// PINs cannot be checked now.
    Pin(PinError),
    /// The binding of an enrollment does not verify, or there is no such reissue.
    EnrollmentRefused,
    /// Renewal information of a certificate that cannot renew.
    NotRenewable,
    /// No order has this key.
    OrderUnknown,
    /// The order's state does not have what was asked for.
    OrderState(Token),
    /// The rules of a transition.
    Refused(Box<Refused>),
    /// The store failed.
    Store(StoreError),
    /// The CA cannot sign a CRL now.
    Authority {
        /// When to ask again.
        retry_after: Duration,
    },
    /// The registry holds what it must not hold.
    Registry(String),
}

/// What turns errors into words: the language asked for, and the bank's own facts.
#[derive(Debug, Clone, Copy)]
pub struct Words<'a> {
    /// The language of `Accept-Language`.
    pub language: Language,
    /// The bank's clock.
    pub now: Time,
    /// For lists of what is allowed.
    pub policy: &'a Policy,
    /// For the URLs of orders.
    pub urls: &'a Urls,
}

impl Error {
    /// The token of SPEC.md 11.2.
    pub fn token(&self) -> Token {
        match self {
            Self::Edge(refusal) => refusal.token(),
            Self::NotFound => Token::NotFound,
            Self::Method { .. } => Token::MethodNotAllowed,
            Self::MediaType => Token::UnsupportedMediaType,
            Self::Jws(error) => jws_token(error),
            Self::WrongSigner => Token::Malformed,
            Self::Algorithm => Token::BadSignatureAlgorithm,
            Self::BadNonce => Token::BadNonce,
            Self::CertificateUnknown => Token::CertificateUnknown,
            Self::TooOften { .. } => Token::RateLimited,
            Self::CertificateExpired(_) => Token::CertificateExpired,
            Self::SubjectDisabled => Token::SubjectDisabled,
            Self::SessionEnded => Token::SessionEnded,
            Self::SessionPurpose => Token::SessionPurpose,
            Self::NotAuthorized => Token::NotAuthorized,
            Self::Environment => Token::EnvironmentUnsupported,
            Self::KeyStore => Token::KeyStoreUnsupported,
            Self::Csr(error) => match error.reason() {
                Some(_) => Token::BadCsr,
                None => Token::Malformed,
            },
            Self::CsrSubject | Self::CsrKey => Token::BadCsr,
            Self::PublicKey => Token::BadPublicKey,
            Self::PinRequired => Token::PinRequired,
            Self::PinWrong { left: 0, .. } => Token::PinLocked,
            Self::PinWrong { .. } => Token::PinWrong,
            Self::PinUnacceptable => Token::PinUnacceptable,
            Self::Pin(PinError::Busy { .. }) | Self::Authority { .. } => Token::Unavailable,
            Self::EnrollmentRefused => Token::EnrollmentRefused,
            Self::NotRenewable => Token::NotRenewable,
            Self::OrderUnknown => Token::OrderUnknown,
            Self::OrderState(token) => *token,
            Self::Refused(refused) => refused.token().unwrap_or(Token::ServerInternal),
            Self::Store(error) if error.is_outage() => Token::Unavailable,
            Self::Pin(PinError::System) | Self::Store(_) | Self::Registry(_) => {
                Token::ServerInternal
            }
        }
    }

    /// The problem document that tells it.
    pub fn problem(&self, words: Words<'_>) -> Problem {
        if let Self::Edge(refusal) = self {
            return refusal.problem(words.language, words.now);
        }
        let token = self.token();
        let mut builder = Problem::builder(token, words.language, words.now)
            .zone(zone(words.policy))
            .extra(self.extra(token, words));
        if let Some(role) = self.role() {
            builder = builder.role(role);
        }
        if let Some(time) = self.not_before() {
            builder = builder.not_before(time);
        }
        builder.build()
    }

    /// The answer that tells it.
    pub fn reply(&self, words: Words<'_>) -> Reply {
        self.log();
        let problem = self.problem(words);
        let status =
            StatusCode::from_u16(problem.status).expect("the table holds statuses of HTTP");
        let mut reply = Reply::json(status, &problem);
        reply.content_type = Problem::MEDIA_TYPE;
        reply.headers.insert(
            http::header::CONTENT_LANGUAGE,
            HeaderValue::from_static(words.language.as_str()),
        );
        if status == StatusCode::UNAUTHORIZED {
            reply
                .headers
                .insert(http::header::WWW_AUTHENTICATE, HeaderValue::from_static("Koshin"));
        }
        if let Some(allowed) = self.allowed() {
            reply.headers.insert(http::header::ALLOW, HeaderValue::from_static(allowed));
        }
        if let Some(wait) = self.retry_after(problem.token()) {
            reply.retry_after(wait);
        }
        reply
    }

    /// Faults of the bank are its operator's to see; refusals are counted, not logged one by one.
    fn log(&self) {
        match self {
            Self::Store(error) if !error.is_outage() => {
                tracing::error!(%error, "the store failed");
            }
            Self::Registry(error) => {
                tracing::error!(%error, "the registry holds what it must not hold");
            }
            Self::Pin(error) => tracing::warn!(%error, "a PIN was not checked"),
            error => tracing::debug!(token = %error.token(), "refused"),
        }
    }

    /// Logs that this kept the bank from doing something that nobody waits for, unless the store's own log says so already.
    pub fn report(&self, what: std::fmt::Arguments<'_>) {
        match self {
            Self::Store(error) if error.is_outage() => tracing::debug!(%error, "{what}"),
            error => tracing::error!(?error, "{what}"),
        }
    }

    fn extra(&self, token: Token, words: Words<'_>) -> Extra {
        let policy = words.policy;
        let url = |order| words.urls.of(&Route::Order(order));
        match token {
            Token::BadSignatureAlgorithm => return Extra::Algorithms(policy.algorithms.clone()),
            Token::BadPublicKey => return Extra::KeyTypes(policy.key_types.clone()),
            Token::EnvironmentUnsupported => {
                return Extra::Environments(policy.environments.clone());
            }
            Token::KeyStoreUnsupported => return Extra::KeyStores(policy.key_stores.clone()),
            _ => {}
        }
        match self {
            Self::PinWrong { left, .. } => Extra::AttemptsLeft(*left),
            Self::Csr(error) => csr_fault(error, policy).map_or(Extra::Nothing, Extra::CsrFault),
            Self::CsrSubject => Extra::CsrFault(CsrFault::Subject),
            Self::CsrKey => Extra::CsrFault(CsrFault::Key),
            Self::Refused(refused) => match &**refused {
                Refused::CertificateRevoked { predecessor: Some(predecessor), .. } => {
                    Extra::Predecessor(predecessor.clone())
                }
                Refused::CertificateSuperseded { successor: Some(successor) } => {
                    Extra::Successor(successor.clone())
                }
                Refused::PinWrong { left } => Extra::AttemptsLeft(*left),
                Refused::OrderExists { order, key } => {
                    Extra::OpenOrder { order: url(order.to_string()), key: *key }
                }
                Refused::KeyMismatch { key, .. } => Extra::Key(*key),
                Refused::DeferralRefused { order: Some(order) } => {
                    Extra::Order(url(order.to_string()))
                }
                Refused::Order(refused) => match (token, &refused.predecessor) {
                    (Token::OrderCanceled | Token::OrderRolledBack, Some(predecessor)) => {
                        Extra::Predecessor(predecessor.clone())
                    }
                    _ => Extra::Order(url(refused.order.to_string())),
                },
                _ => Extra::Nothing,
            },
            _ => Extra::Nothing,
        }
    }

    fn role(&self) -> Option<Role> {
        match self {
            Self::CertificateExpired(role) | Self::PinWrong { role, .. } => Some(*role),
            Self::Refused(refused) => match &**refused {
                Refused::CertificateExpired { role }
                | Refused::CertificateRevoked { role, .. }
                | Refused::PinLocked { role }
                | Refused::EnrollmentRefused { role }
                | Refused::EnrollmentUsed { role }
                | Refused::EnrollmentExpired { role }
                | Refused::EnrollmentCanceled { role } => Some(*role),
                _ => None,
            },
            _ => None,
        }
    }

    fn not_before(&self) -> Option<Time> {
        let Self::Refused(refused) = self else { return None };
        match **refused {
            Refused::TooEarly { opens } => Some(opens),
            Refused::CertificateNotYetValid { not_before } => Some(not_before),
            _ => None,
        }
    }

    fn allowed(&self) -> Option<&'static str> {
        match self {
            Self::Edge(refusal) => refusal.allowed(),
            Self::Method { allowed } => Some(allowed),
            _ => None,
        }
    }

    fn retry_after(&self, token: Option<Token>) -> Option<Duration> {
        match (self, token) {
            (Self::Edge(refusal), _) => {
                refusal.retry_after().map(|seconds| Duration::from_secs(seconds.into()))
            }
            (
                Self::Pin(PinError::Busy { retry_after })
                | Self::Authority { retry_after }
                | Self::TooOften { retry_after },
                _,
            ) => Some(*retry_after),
            (Self::Store(_), Some(Token::Unavailable)) => Some(OUTAGE),
            (_, Some(Token::RateLimited | Token::Unavailable | Token::OrderProcessing)) => {
                Some(SOON)
            }
            _ => None,
        }
    }
}

fn jws_token(error: &JwsError) -> Token {
    match error {
        JwsError::UnknownType | JwsError::OtherType => Token::TypeMismatch,
        JwsError::OtherUrl => Token::UrlMismatch,
        JwsError::UnknownAlgorithm | JwsError::Algorithm(_) => Token::BadSignatureAlgorithm,
        JwsError::Key(_) => Token::BadPublicKey,
        JwsError::Signature => Token::BadSignature,
        JwsError::Flattened(_)
        | JwsError::Base64(_)
        | JwsError::Header(_)
        | JwsError::NotOneSigner
        | JwsError::Nonce
        | JwsError::Url { .. }
        | JwsError::Certificate
        | JwsError::WrongSigner { .. }
        | JwsError::Payload(_)
        | JwsError::PayloadNotEmpty => Token::Malformed,
    }
}

fn csr_fault(error: &CsrError, policy: &Policy) -> Option<CsrFault> {
    Some(match error {
        CsrError::Encoding => return None,
        CsrError::KeyType => CsrFault::KeyType(policy.key_types.clone()),
        CsrError::Key(_) => CsrFault::Key,
        CsrError::Signature => CsrFault::Signature,
        CsrError::Attribute(_) => CsrFault::Attribute,
        CsrError::Extension(_) => CsrFault::Extension,
        CsrError::Subject => CsrFault::Subject,
    })
}

fn zone(policy: &Policy) -> TimeZone {
    policy.time_zone.clone()
}

impl From<JwsError> for Error {
    fn from(error: JwsError) -> Self {
        Self::Jws(error)
    }
}

impl From<CsrError> for Error {
    fn from(error: CsrError) -> Self {
        Self::Csr(error)
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<Refused> for Error {
    fn from(refused: Refused) -> Self {
        Self::Refused(Box::new(refused))
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Refused(refused) => Self::Refused(refused),
            Failure::Fault(error) => Self::Store(error),
        }
    }
}

impl From<PinError> for Error {
    fn from(error: PinError) -> Self {
        Self::Pin(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::outage::Outage;

    // [DUR-04] [RTA-01]
    #[test]
    fn what_cannot_be_stored_is_unavailable_for_a_while_and_a_fault_of_one_request_is_not() {
        let disk = || "a test".to_owned();
        let outages = [
            Outage::Full,
            Outage::Locked,
            Outage::Disk(disk()),
            Outage::ReadOnly(disk()),
            Outage::Damaged(disk()),
            Outage::Panicked,
        ];
        for fault in outages.map(StoreError::Outage).into_iter().chain([StoreError::Stopped]) {
            let error = Error::Store(fault);
            assert_eq!(error.token(), Token::Unavailable, "{error:?}");
            assert_eq!(error.retry_after(Some(error.token())), Some(OUTAGE), "{error:?}");
        }
        for fault in [StoreError::Database(disk()), StoreError::Corrupt(disk())] {
            assert_eq!(Error::Store(fault).token(), Token::ServerInternal);
        }
    }
}
