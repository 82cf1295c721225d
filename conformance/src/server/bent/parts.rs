//! Banks of which a part is another.

use std::sync::Arc;
use std::time::Duration;

use koshin_protocol::algorithm::{Algorithm, X509Algorithm};
use koshin_protocol::jwk::PublicKey;
use koshin_protocol::time::Time;
use koshin_protocol::verify::{BadSignature, Verifier, default_verifier};
use koshin_server::clock::{Clock, System};

use super::{Bend, Lapse, Wrong, wrong};

/// All of them.
pub(super) const ALL: [Wrong; 12] = [
    wrong("verifies-no-signature", "JWS-08", Bend::Bank(|bank| bank.verifier = &Credulous)),
    wrong(
        "ends-certificates-a-second-early",
        "WIN-03",
        Bend::Bank(|bank| bank.clock = Arc::new(Ahead)),
    ),
    wrong("takes-short-bodies-only", "LIM-02", Bend::Limits(|limits| limits.body = 8 * 1024)),
    wrong(
        "takes-bodies-of-any-length",
        "LIM-01",
        Bend::Limits(|limits| limits.body = 64 * 1024 * 1024),
    ),
    wrong("forgets-logoffs", "SES-15", Bend::Memory(Lapse::LogOff)),
    wrong("forgets-cancels", "CAN-01", Bend::Memory(Lapse::Cancel)),
    wrong("forgets-unlocks", "UNL-01", Bend::Memory(Lapse::Unlock)),
    wrong("forgets-new-pins", "PIN-20", Bend::Memory(Lapse::Pin)),
    wrong("keeps-former-sessions", "SES-20", Bend::Memory(Lapse::Sessions)),
    wrong("shows-users-everybody", "CTR-01", Bend::Memory(Lapse::Contract)),
    wrong("counts-no-wrong-pins", "PIN-08", Bend::Memory(Lapse::Attempts)),
    wrong("forgets-deferrals-at-once", "NTC-21", Bend::Memory(Lapse::Defer)),
];

/// Believes every signature.
#[derive(Debug)]
struct Credulous;

impl Verifier for Credulous {
    fn algorithms(&self) -> &'static [Algorithm] {
        default_verifier().algorithms()
    }

    fn verify(&self, _: Algorithm, _: &PublicKey, _: &[u8], _: &[u8]) -> Result<(), BadSignature> {
        Ok(())
    }

    fn verify_x509(
        &self,
        _: X509Algorithm,
        _: &PublicKey,
        _: &[u8],
        _: &[u8],
    ) -> Result<(), BadSignature> {
        Ok(())
    }
}

/// A second ahead.
#[derive(Debug)]
struct Ahead;

impl Clock for Ahead {
    fn now(&self) -> Time {
        Time::from_unix(System.now().unix() + 1).expect("a time near the present")
    }

    fn uptime(&self) -> Duration {
        System.uptime()
    }
}
