//! `admin reissue` and `admin cancel-reissue`

use std::io::{self, IsTerminal};
use std::path::PathBuf;

use clap::Args;
use koshin_protocol::revocation::Reason;
use qrcode::QrCode;
use qrcode::render::unicode::Dense1x2;
use serde_json::json;

use super::{Access, user};
use crate::cli::consent::{self, Agreed};
use crate::cli::context::Context;
use crate::cli::export::write_new;
use crate::cli::failure::Failure;
use crate::cli::say::Say;
use crate::cli::words::reasons;

const LONG: &str = "\
Permits a user whose certificate expired or was lost to get a new one (再発行・初期化), and shows the
enrollment ticket, once. Hand it over as you would a password: whoever has it, and the user's PIN where
there is one, can enroll. The user's open renewals end; with keyCompromise and deviceLost the user's
certificates are revoked at once, else when the new one is confirmed.

Examples:
  koshin admin reissue 'CN=Tanaka Hanako,O=Example K.K.' --reason keyLost
  koshin admin reissue qhARWmXuyihrki26lRAVvA --reason deviceLost --ticket-file ticket.txt";

/// Permit a user to enroll anew, and show the ticket
#[derive(Debug, Args)]
#[command(long_about = LONG)]
pub(crate) struct Reissue {
    /// The user's ID or name
    #[arg(value_name = "USER", allow_hyphen_values = true)]
    user: String,
    /// Why
    #[arg(long, value_parser = reasons(), default_value = Reason::Unspecified.as_str())]
    reason: Reason,
    /// Write the ticket to this new file, which only you may read, and do not show it
    #[arg(long, value_name = "FILE")]
    ticket_file: Option<PathBuf>,
    /// Do not ask whether it is the right user
    #[arg(long, short)]
    yes: bool,
    #[command(flatten)]
    access: Access,
}

impl Reissue {
    pub(crate) fn run(&self, context: &Context) -> Result<(), Failure> {
        let agreed = Agreed { yes: self.yes };
        consent::possible(&context.output, &agreed)?;
        if let Some(file) = self.ticket_file.as_ref().filter(|file| file.exists()) {
            return Err(Failure::input(file, io::Error::from(io::ErrorKind::AlreadyExists)));
        }
        context.block_on(async {
            let client = self.access.client(context).await?;
            let contract = client.contract().await?;
            let entry = user(&contract, &self.user)?;
            let (id, name) = (entry.id.clone(), entry.name.clone());
            let question = Say::AskReissue { name: name.to_string(), reason: self.reason };
            consent::sure(&context.output, &agreed, &question)?;
            let permission = client.reissue(id, name, self.reason).await?;
            let (reissue, ticket) = (permission.reissue, permission.ticket.to_text());
            let mut value = json!({
                "subject": reissue.subject,
                "name": reissue.subject_name,
                "reissue": reissue.id,
                "expires": reissue.expires,
            });
            match &self.ticket_file {
                Some(file) => {
                    write_new(file, format!("{}\n", *ticket).as_bytes())
                        .map_err(|error| Failure::input(file, error))?;
                    value["ticketFile"] = json!(file.display().to_string());
                }
                None => value["ticket"] = json!(*ticket),
            }
            let shown = self.ticket_file.is_none().then(|| String::clone(&ticket));
            let say = Say::Reissued {
                name: reissue.subject_name.to_string(),
                expires: reissue.expires,
                qr: shown.as_deref().filter(|_| io::stdout().is_terminal()).and_then(qr),
                ticket: shown,
                file: self.ticket_file.clone(),
            };
            context.output.result(context.command(), "reissued", value, &say);
            Ok(())
        })
    }
}

/// A QR code for a terminal of light letters on dark ground; none if the text is too long for one.
fn qr(text: &str) -> Option<String> {
    let code = QrCode::new(text).ok()?;
    let image = code.render::<Dense1x2>();
    let mut image = image;
    Some(image.dark_color(Dense1x2::Light).light_color(Dense1x2::Dark).build())
}

/// Withdraw the open reissue of a user: its ticket is void
#[derive(Debug, Args)]
pub(crate) struct CancelReissue {
    /// The user's ID or name
    #[arg(value_name = "USER", allow_hyphen_values = true)]
    user: String,
    #[command(flatten)]
    access: Access,
}

impl CancelReissue {
    pub(crate) fn run(&self, context: &Context) -> Result<(), Failure> {
        context.block_on(async {
            let client = self.access.client(context).await?;
            let contract = client.contract().await?;
            let entry = user(&contract, &self.user)?;
            let name = entry.name.to_string();
            let Some(url) = &entry.reissue else {
                return Err(Failure::act(Say::NoReissue { name }));
            };
            let reissue = client.cancel_reissue(url).await?;
            let status = reissue.status.name().as_str();
            let value =
                json!({ "subject": reissue.subject, "reissue": reissue.id, "status": status });
            let say = Say::ReissueCanceled { name, status: status.to_owned() };
            context.output.result(context.command(), "reissueCanceled", value, &say);
            Ok(())
        })
    }
}
