//! What an earlier draft got wrong (DESIGN.md 6), to be put in on purpose.

/// One mistake, of the bank or of the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mistake {
    /// The bank does not tell the order of a certificate that the certificate is being replaced.
    RollbackAfterSuccessorOrdered,
    /// The bank does not tell a completed order that its certificate was revoked.
    RollbackAfterRevocation,
    /// The bank looks whether the predecessor is revoked when it signs, not when it stores.
    IssueUnderRevoked,
    /// The bank looks whether the subject was reissued when it signs, not when it stores.
    IssueUnderReissued,
    /// The client deletes the old pair once the new one is confirmed.
    DeleteOldPair,
    /// The client looks for its order by a session only.
    NoFindOrder,
    /// The bank cancels whatever order is open.
    CancelWithoutKey,
    /// The client cancels an open order of another machine without being told to.
    CancelForeign,
    /// The client takes a missing answer to newOrder for "no order", as it was told at its logon.
    StaleNoOrder,
    /// The bank does not look at the time when it cancels.
    CancelAfterExpiry,
    /// The bank stores that a certificate has expired, instead of looking at its clock anew.
    StoreExpiry,
}
