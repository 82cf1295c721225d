//! Problem tokens: the last part of `urn:koshin:error:<token>` (SPEC.md 11).

use std::fmt;

use super::table::{Row, TABLE};

/// Why a request was refused, or an order ended. [`Token::row`] has everything about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Token {
    /// The request is not a well-formed signed request of the protocol.
    Malformed,
    /// The content type is not the one that this resource takes.
    UnsupportedMediaType,
    /// The body is larger than 64 KiB.
    PayloadTooLarge,
    /// The resource does not take this HTTP method.
    MethodNotAllowed,
    /// There is no such resource, or it is somebody else's.
    NotFound,
    /// `Host` does not name the bank's public origin.
    Misdirected,
    /// The nonce is unknown, spent or too old.
    BadNonce,
    /// The signature does not verify.
    BadSignature,
    /// The bank does not take this algorithm, or not for this key.
    BadSignatureAlgorithm,
    /// The public key is of a kind that the bank does not take, or is no valid key at all.
    BadPublicKey,
    /// The protected `typ` is not that of this resource's operation.
    TypeMismatch,
    /// The protected `url` is not the URL of the request.
    UrlMismatch,
    /// Too many requests.
    RateLimited,
    /// The bank failed.
    ServerInternal,
    /// The bank takes no requests now.
    Unavailable,
    /// The session has ended, or there is none of this URL.
    SessionEnded,
    /// The session was opened for another purpose.
    SessionPurpose,
    /// The subject's role does not allow it.
    NotAuthorized,
    /// The bank did not issue or import this certificate.
    CertificateUnknown,
    /// The certificate's validity has not begun.
    CertificateNotYetValid,
    /// The certificate's validity has ended.
    CertificateExpired,
    /// The certificate was revoked.
    CertificateRevoked,
    /// The certificate was renewed, and its successor counts.
    CertificateSuperseded,
    /// The bank disabled the subject.
    SubjectDisabled,
    /// The declared environment is not supported.
    EnvironmentUnsupported,
    /// The bank wants a PIN, and none was sent.
    PinRequired,
    /// The PIN is wrong.
    PinWrong,
    /// Too many wrong PINs.
    PinLocked,
    /// The new PIN does not satisfy the bank's rules.
    PinUnacceptable,
    /// The certificate's renewal window has not opened.
    TooEarly,
    /// Another key's order is open for this certificate.
    OrderExists,
    /// `replaces` is not the session's certificate.
    ReplacesMismatch,
    /// The certificate signing request is not acceptable.
    BadCsr,
    /// The key belongs to a certificate already.
    KeyReused,
    /// The bank does not take this key store.
    KeyStoreUnsupported,
    /// The CA refused for good; only as an order's `error`.
    IssueFailed,
    /// No order has this key.
    OrderUnknown,
    /// The order's certificate is not issued yet.
    OrderProcessing,
    /// The order is completed.
    OrderCompleted,
    /// The order was canceled.
    OrderCanceled,
    /// The order became invalid.
    OrderInvalid,
    /// The order was rolled back.
    OrderRolledBack,
    /// The order is not completed yet.
    OrderNotCompleted,
    /// The request names another key than the order's.
    KeyMismatch,
    /// The predecessor has expired, so that canceling would take the only certificate.
    PredecessorExpired,
    /// The right to roll back has ended.
    RollbackEnded,
    /// The bank does not roll back.
    RollbackDisabled,
    /// A recovery logon with a certificate that is not superseded.
    NotSuperseded,
    /// There is nothing to defer.
    DeferralRefused,
    /// The contract has no such subject.
    SubjectUnknown,
    /// The subject's name is not the one that the request gives.
    SubjectMismatch,
    /// Nobody of the contract may reissue for this subject.
    ReissueNotAllowed,
    /// There is a reissue of this id with another content.
    ReissueConflict,
    /// The reissue has come to its end.
    ReissueClosed,
    /// The code is wrong, or there is no such reissue.
    EnrollmentRefused,
    /// The code was used with another key.
    EnrollmentUsed,
    /// The code has expired.
    EnrollmentExpired,
    /// The reissue was canceled, or a newer code voids this one.
    EnrollmentCanceled,
    /// There is no renewal information for this certificate any more, or not yet.
    NotRenewable,
}

impl Token {
    /// What `type` begins with, before the token.
    pub const URN: &'static str = "urn:koshin:error:";

    /// How many tokens there are.
    pub const COUNT: usize = Self::NotRenewable as usize + 1;

    /// Every token, in the order of the table.
    pub fn all() -> impl ExactSizeIterator<Item = Self> {
        TABLE.iter().map(|row| row.token)
    }

    /// This token's row of the table.
    pub const fn row(self) -> &'static Row {
        &TABLE[self as usize]
    }

    /// The token as `type` ends with it.
    pub const fn as_str(self) -> &'static str {
        self.row().name
    }

    /// The token of this name, if this software knows it.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::all().find(|token| token.as_str() == name)
    }

    /// The HTTP status of a response with this problem.
    pub const fn status(self) -> u16 {
        self.row().status
    }
}

impl fmt::Display for Token {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}
