//! What the certificate that signed may be used for.

use koshin_protocol::problem::Token;
use koshin_protocol::state::certificate::Use;
use koshin_protocol::time::Time;

use crate::error::Error;
use crate::store::Refused;
use crate::store::row::Holder;

impl Holder {
    /// Stage `signer`: the certificate may be used so now, and its subject is not disabled.
    pub fn admits(&self, wanted: Use, now: Time) -> Result<(), Error> {
        let certificate = &self.certificate;
        let admitted = certificate.state.admits(wanted, certificate.validity(now));
        admitted.map_err(|token| self.refused(token, now))?;
        if self.subject.disabled { Err(Error::SubjectDisabled) } else { Ok(()) }
    }

    /// The refusal of a request that this certificate signed, with what its token tells.
    fn refused(&self, token: Token, now: Time) -> Error {
        let role = self.subject.role;
        let refused = match token {
            Token::CertificateRevoked => {
                Refused::CertificateRevoked { role, predecessor: self.predecessor_at(now) }
            }
            Token::CertificateSuperseded => {
                Refused::CertificateSuperseded { successor: self.successor.clone() }
            }
            Token::CertificateExpired => Refused::CertificateExpired { role },
            Token::CertificateNotYetValid => {
                Refused::CertificateNotYetValid { not_before: self.certificate.not_before }
            }
            Token::NotSuperseded => Refused::NotSuperseded,
            token => return Error::OrderState(token),
        };
        refused.into()
    }
}
