//! `admin unlock`

use clap::Args;
use serde_json::json;

use super::{Access, user};
use crate::cli::context::Context;
use crate::cli::failure::Failure;
use crate::cli::say::Say;

/// Let a user's PIN be tried again after too many wrong ones
#[derive(Debug, Args)]
pub(crate) struct Unlock {
    /// The user's ID or name
    #[arg(value_name = "USER", allow_hyphen_values = true)]
    user: String,
    #[command(flatten)]
    access: Access,
}

impl Unlock {
    pub(crate) fn run(&self, context: &Context) -> Result<(), Failure> {
        context.block_on(async {
            let client = self.access.client(context).await?;
            let contract = client.contract().await?;
            let entry = user(&contract, &self.user)?;
            client.unlock(&entry.id).await?;
            let name = entry.name.to_string();
            let value = json!({ "subject": entry.id, "name": name });
            context.output.result(context.command(), "unlocked", value, &Say::Unlocked { name });
            Ok(())
        })
    }
}
