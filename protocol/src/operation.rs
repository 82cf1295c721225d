//! The operations of the protocol. Every signed request names its own in the protected `typ`, so
//! that a request for one is never taken for another (SPEC.md, JWS).

use std::fmt;

use crate::algorithm::Unknown;

/// What a signed request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Operation {
    /// POST-as-GET of any resource; the only one with an empty payload.
    Read,
    /// Log on.
    NewSession,
    /// End the session.
    Logoff,
    /// Be reminded at the next logon.
    Defer,
    /// Order the renewal.
    NewOrder,
    /// Find the order of a key.
    FindOrder,
    /// Cancel an order.
    Cancel,
    /// Confirm that the new certificate is installed.
    Confirm,
    /// Return to the superseded certificate.
    Rollback,
    /// Permit a user to enroll anew.
    NewReissue,
    /// Withdraw that permission.
    CancelReissue,
    /// Unlock a user's PIN.
    Unlock,
    /// Change one's own PIN.
    Pin,
    /// Enroll with a one-time code.
    NewEnrollment,
    /// Revoke a certificate.
    RevokeCert,
}

/// How a request names who signs it: exactly one of three header members.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Identification {
    /// `x5c`: the certificate itself.
    Certificate,
    /// `kid`: the session's URL.
    Session,
    /// `jwk`: a bare key.
    Key,
}

impl Identification {
    /// The name of the header member.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Certificate => "x5c",
            Self::Session => "kid",
            Self::Key => "jwk",
        }
    }
}

impl Operation {
    /// All of them, in the order of SPEC.md.
    pub const ALL: [Self; 15] = [
        Self::Read,
        Self::NewSession,
        Self::Logoff,
        Self::Defer,
        Self::NewOrder,
        Self::FindOrder,
        Self::Cancel,
        Self::Confirm,
        Self::Rollback,
        Self::NewReissue,
        Self::CancelReissue,
        Self::Unlock,
        Self::Pin,
        Self::NewEnrollment,
        Self::RevokeCert,
    ];

    /// The protected `typ`, compared exactly.
    pub const fn typ(self) -> &'static str {
        match self {
            Self::Read => "koshin-read+jws",
            Self::NewSession => "koshin-new-session+jws",
            Self::Logoff => "koshin-logoff+jws",
            Self::Defer => "koshin-defer+jws",
            Self::NewOrder => "koshin-new-order+jws",
            Self::FindOrder => "koshin-find-order+jws",
            Self::Cancel => "koshin-cancel+jws",
            Self::Confirm => "koshin-confirm+jws",
            Self::Rollback => "koshin-rollback+jws",
            Self::NewReissue => "koshin-new-reissue+jws",
            Self::CancelReissue => "koshin-cancel-reissue+jws",
            Self::Unlock => "koshin-unlock+jws",
            Self::Pin => "koshin-pin+jws",
            Self::NewEnrollment => "koshin-new-enrollment+jws",
            Self::RevokeCert => "koshin-revoke-cert+jws",
        }
    }

    /// The operation with that `typ`.
    pub fn from_typ(typ: &str) -> Result<Self, Unknown> {
        Self::ALL.into_iter().find(|operation| operation.typ() == typ).ok_or(Unknown)
    }

    /// The header members that may name its signer.
    pub const fn identifications(self) -> &'static [Identification] {
        use Identification::{Certificate, Key, Session};
        match self {
            Self::Read => &[Session, Key, Certificate],
            Self::NewSession | Self::Confirm => &[Certificate],
            Self::FindOrder | Self::NewEnrollment => &[Key],
            Self::RevokeCert => &[Certificate, Session],
            Self::Logoff
            | Self::Defer
            | Self::NewOrder
            | Self::Cancel
            | Self::Rollback
            | Self::NewReissue
            | Self::CancelReissue
            | Self::Unlock
            | Self::Pin => &[Session],
        }
    }

    /// Whether that header member may name its signer.
    pub fn allows(self, identification: Identification) -> bool {
        self.identifications().contains(&identification)
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.typ())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_operation_has_its_own_type_and_is_found_by_it_exactly() {
        for operation in Operation::ALL {
            assert_eq!(Operation::from_typ(operation.typ()), Ok(operation));
        }
        for typ in
            ["", "koshin-read", "Koshin-read+jws", "koshin-binding+jws", "koshin-receipt+jws"]
        {
            assert_eq!(Operation::from_typ(typ), Err(Unknown), "{typ}");
        }
    }

    #[test]
    fn a_bare_key_only_reads_finds_and_enrolls() {
        let by_key: Vec<_> =
            Operation::ALL.into_iter().filter(|one| one.allows(Identification::Key)).collect();
        assert_eq!(by_key, [Operation::Read, Operation::FindOrder, Operation::NewEnrollment]);
    }
}
