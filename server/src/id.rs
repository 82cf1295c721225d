//! What the bank's rows are named by: 128 random bits, written base64url inside URLs.

use std::fmt;
use std::str::FromStr;

use koshin_protocol::base64url;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use thiserror::Error;

/// The text is not 16 bytes of canonical base64url.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("not an identifier of the bank: 16 bytes in base64url")]
pub struct InvalidId;

/// The six bits that base64url writes `-`.
const HYPHEN: u8 = 62;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub struct $name([u8; 16]);

        impl $name {
            /// A new one from the system's randomness.
            pub fn random() -> Self {
                loop {
                    let mut bytes = [0; 16];
                    getrandom::fill(&mut bytes).expect("the system has randomness");
                    if Self(bytes).is_plain() {
                        return Self(bytes);
                    }
                }
            }

            /// Whether a command line takes it as it is: what begins with a hyphen is an option there.
            pub(crate) const fn is_plain(&self) -> bool {
                self.0[0] >> 2 != HYPHEN
            }

            /// The one with these bytes.
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(bytes)
            }

            /// Its bytes, as the store keeps them.
            pub const fn as_bytes(&self) -> &[u8; 16] {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(&base64url::encode(&self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(formatter, concat!(stringify!($name), "({})"), self)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                let bytes = base64url::decode(text).map_err(|_| InvalidId)?;
                bytes.try_into().map(Self).map_err(|_| InvalidId)
            }
        }
    )*};
}

ids! {
    /// A contract corporation's contract.
    ContractId;
    /// A subject of a contract.
    SubjectId;
    /// An order; part of its URL.
    OrderId;
    /// A session; part of its URL, which is the `kid` of its requests.
    SessionId;
    /// A reissue; chosen by the administrator's client, since it is the salt of the enrollment key.
    ReissueId;
    /// An operator's request for a reissue that another operator has to approve.
    RequestId;
}

/// SHA-256 of a certificate's DER: how the certificate of an `x5c` is found.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// The fingerprint of a certificate's DER.
    pub fn of(der: &[u8]) -> Self {
        Self(Sha256::digest(der).into())
    }

    /// The one with these bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&base64url::encode(&self.0))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Fingerprint({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_what_it_writes_and_nothing_else() {
        let id = OrderId::random();
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!("".parse::<OrderId>(), Err(InvalidId));
        assert_eq!("AAAAAAAAAAAAAAAAAAAAAB".parse::<OrderId>(), Err(InvalidId), "trailing bits");
        assert_eq!("AAAAAAAAAAAAAAAAAAAAAA==".parse::<OrderId>(), Err(InvalidId));
    }
}
