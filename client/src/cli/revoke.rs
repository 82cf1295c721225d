//! `revoke`

use clap::Args;
use koshin_client::consent::Unattended;
use koshin_protocol::cert_id::CertId;
use koshin_protocol::revocation::Reason;
use serde_json::json;

use super::consent::{self, Agreed};
use super::context::{Context, Wish};
use super::failure::Failure;
use super::say::Say;
use super::secret::KeyPassphrase;
use super::words::reasons;

const LONG: &str = "\
Has the bank revoke a certificate of this identity, by its own key: when somebody else may have the key.
It cannot be undone, and you cannot log on with it any more: an administrator has to reissue.

Example:
  koshin revoke --reason keyCompromise";

/// Have a certificate of your own revoked
#[derive(Debug, Args)]
#[command(long_about = LONG)]
pub(crate) struct Revoke {
    /// Which certificate, as `list` names it [default: the one in use]
    #[arg(value_name = "CERTIFICATE", allow_hyphen_values = true)]
    certificate: Option<CertId>,
    /// Why
    #[arg(long, value_parser = reasons(), default_value = Reason::Unspecified.as_str())]
    reason: Reason,
    /// Do not ask whether it may be revoked
    #[arg(long, short)]
    yes: bool,
    #[command(flatten)]
    keys: KeyPassphrase,
}

impl Revoke {
    pub(crate) fn run(&self, context: &Context) -> Result<(), Failure> {
        consent::sure(&context.output, &Agreed { yes: self.yes }, &Say::AskRevoke)?;
        let identity = context.open(&self.keys)?;
        context.block_on(async {
            let client = context.client(identity, Unattended::default(), Wish::default()).await?;
            let revocation = client.revoke(self.certificate.as_ref(), self.reason).await?;
            let value = json!({ "revoked": revocation.revoked });
            let certificates = revocation.revoked.iter().map(ToString::to_string).collect();
            context.output.result(
                context.command(),
                "revoked",
                value,
                &Say::Revoked { certificates, is_own: true },
            );
            Ok(())
        })
    }
}
