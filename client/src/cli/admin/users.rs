//! `admin users`

use clap::Args;
use koshin_protocol::contract::Contract;
use serde_json::json;

use super::Access;
use crate::cli::context::Context;
use crate::cli::failure::Failure;
use crate::cli::say::Say;

/// Show the users of the contract: certificates, PINs, open renewals (契約法人ステータス画面)
#[derive(Debug, Args)]
pub(crate) struct Users {
    #[command(flatten)]
    access: Access,
}

impl Users {
    pub(crate) fn run(&self, context: &Context) -> Result<(), Failure> {
        context.block_on(async {
            let contract = self.access.client(context).await?.contract().await?;
            let value = json!({ "contract": contract });
            context.output.result(context.command(), "users", value, &page(&contract));
            Ok(())
        })
    }
}

/// The status page of a contract.
pub(crate) fn page(contract: &Contract) -> Say {
    let (id, name) = (contract.id.to_string(), contract.name.clone());
    let mut lines = vec![Say::Contract { id, name }];
    for entry in &contract.subjects {
        lines.push(Say::ContractSubject {
            id: entry.id.to_string(),
            name: entry.name.to_string(),
            role: entry.role,
            pin: entry.pin,
            deferrals: entry.deferrals,
            has_order: entry.order.is_some(),
            has_reissue: entry.reissue.is_some(),
        });
        lines.extend(entry.certificates.iter().map(|certificate| Say::ContractCertificate {
            cert_id: certificate.cert_id.to_string(),
            state: certificate.state,
            until: certificate.not_after,
        }));
    }
    Say::Lines(lines)
}
