//! When the bank would like a renewal, asked for no more often than it wants (SPEC.md 7.3, RNI-06), also over restarts.

use koshin_protocol::cert_id::CertId;
use koshin_protocol::renewal_info::RenewalInfo;
use koshin_protocol::time::{Period, Time};
use serde::{Deserialize, Serialize};

use crate::client::Client;
use crate::error::Error;
use crate::identity::{Identity, IdentityError};

/// The file's name in the identity's folder.
const FILE: &str = "renewal-info.json";

/// What was answered, for which certificate, and until when it is not asked for again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Kept {
    #[serde(rename = "certID")]
    cert_id: CertId,
    asked: Time,
    fresh_until: Time,
    /// Absent where the bank refused: the certificate is not its subject's current one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    info: Option<RenewalInfo>,
}

impl Client {
    /// When a certificate may and should be renewed, by the bank; `None` where the bank does not say. It is asked again once
    /// its `Retry-After` has passed; until then this is what it said last.
    pub async fn renewal_info(&self, of: &CertId) -> Result<Option<RenewalInfo>, Error> {
        Ok(self.renewal_advice(of).await?.0)
    }

    /// As [`Self::renewal_info`], and until when the bank is not asked again, by this machine's clock.
    pub async fn renewal_advice(&self, of: &CertId) -> Result<(Option<RenewalInfo>, Time), Error> {
        let now = self.bank.own_now();
        let kept = self.on_disk(read).await?.filter(|kept| kept.cert_id == *of);
        // A clock that was set back does not keep an answer for ever.
        if let Some(kept) = kept
            && (kept.asked..=kept.fresh_until).contains(&now)
        {
            return Ok((kept.info, kept.fresh_until));
        }
        let (info, fresh) = match self.bank.renewal_info(of).await {
            Ok((info, fresh)) => (Some(info), fresh),
            Err(Error::Refused(refusal)) => {
                let fresh = crate::bank::renewal_info_freshness(refusal.retry_after);
                (None, fresh)
            }
            Err(error) => return Err(error),
        };
        let seconds = u32::try_from(fresh.as_secs()).unwrap_or(u32::MAX);
        let fresh_until = now.checked_add(Period::from_seconds(seconds)).unwrap_or(now);
        let kept = Kept { cert_id: of.clone(), asked: now, fresh_until, info: info.clone() };
        self.on_disk(move |identity| put(identity, &kept)).await?;
        Ok((info, fresh_until))
    }
}

/// What was kept; a damaged file is as good as none.
fn read(identity: &Identity) -> Result<Option<Kept>, IdentityError> {
    let content = identity.read_note(FILE)?;
    Ok(content.and_then(|content| serde_json::from_slice(&content).ok()))
}

fn put(identity: &Identity, kept: &Kept) -> Result<(), IdentityError> {
    let json = serde_json::to_vec_pretty(kept).expect("times and names are JSON");
    identity.put_note(FILE, &json)
}
