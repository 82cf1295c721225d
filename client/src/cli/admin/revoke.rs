//! `admin revoke`

use clap::Args;
use koshin_protocol::cert_id::CertId;
use koshin_protocol::revocation::{Reason, RevokeCert};
use serde_json::json;

use super::Access;
use crate::cli::consent::{self, Agreed};
use crate::cli::context::Context;
use crate::cli::failure::Failure;
use crate::cli::say::Say;
use crate::cli::words::reasons;

/// Revoke a certificate of a user; it cannot be undone
#[derive(Debug, Args)]
pub(crate) struct Revoke {
    /// Which certificate, as `koshin admin users` names it
    #[arg(value_name = "CERTIFICATE", allow_hyphen_values = true)]
    certificate: CertId,
    /// Why
    #[arg(long, value_parser = reasons(), default_value = Reason::Unspecified.as_str())]
    reason: Reason,
    /// Revoke every certificate that descends from it, too
    #[arg(long)]
    include_successors: bool,
    /// Do not ask whether it may be revoked
    #[arg(long, short)]
    yes: bool,
    #[command(flatten)]
    access: Access,
}

impl Revoke {
    pub(crate) fn run(&self, context: &Context) -> Result<(), Failure> {
        consent::sure(&context.output, &Agreed { yes: self.yes }, &Say::AskRevoke)?;
        context.block_on(async {
            let client = self.access.client(context).await?;
            let request = RevokeCert {
                cert_id: self.certificate.clone(),
                reason: self.reason,
                include_successors: self.include_successors,
            };
            let revocation = client.revoke_of_user(&request).await?;
            let value = json!({ "revoked": revocation.revoked });
            let certificates = revocation.revoked.iter().map(ToString::to_string).collect();
            let say = Say::Revoked { certificates, is_own: false };
            context.output.result(context.command(), "revoked", value, &say);
            Ok(())
        })
    }
}
