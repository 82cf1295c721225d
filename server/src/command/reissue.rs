//! `reissue`: maker and checker

use clap::{Args, Subcommand};
use koshin_protocol::enrollment_code::EnrollmentCode;
use koshin_protocol::reissue::ReissueId as WireId;
use koshin_protocol::revocation::Reason;
use koshin_protocol::sign::Signer;
use koshin_protocol::ticket::Ticket;
use koshin_server::clock::{Clock, System};
use koshin_server::config::Config;
use koshin_server::route::Route;
use koshin_server::registry::Registry;
use koshin_server::rule::command::{NewReissue, NewRequest};
use koshin_server::id::{ReissueId, RequestId, SubjectId};
use koshin_server::store::Request as RequestRow;
use koshin_server::urls::Urls;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::Global;
use super::bank;
use super::by::By;
use super::failure::Failure;
use super::output::Output;
use super::words::reasons;

const LONG: &str = "\
A reissue (再発行・初期化) permits a subject to enroll: the first time, or anew. It takes two
operators. The maker requests it with the paper form's number; the checker, who is somebody else,
compares it with the form and approves, and is shown the enrollment ticket. The code in it is shown
this once; the bank keeps only the public key derived from it. A new code voids the former.

With reason keyCompromise or deviceLost all certificates of the subject are revoked at the approval,
else when the enrolled one is confirmed.

Examples:
  koshin-server reissue request qhARWmXuyihrki26lRAVvA --reason keyLost --form 2026-0417 --operator hanako
  koshin-server reissue list
  koshin-server reissue approve 710AseIwJc3al7p5AFQ80w --operator taro";

/// Request, list, approve and cancel reissues and first enrollments
#[derive(Debug, Args)]
#[command(long_about = LONG)]
pub(crate) struct Reissues {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Request a reissue or a first enrollment: the maker
    Request(Request),
    /// List the requests that wait for a checker
    List,
    /// Approve a request and show the enrollment ticket, once: the checker
    Approve {
        /// The request, as `reissue list` shows it
        #[arg(allow_hyphen_values = true)]
        request: RequestId,
        #[command(flatten)]
        by: By,
    },
    /// Cancel a reissue: its code is void
    Cancel {
        /// The reissue
        #[arg(allow_hyphen_values = true)]
        reissue: ReissueId,
        #[command(flatten)]
        by: By,
    },
}

#[derive(Debug, Args)]
struct Request {
    /// For whom
    #[arg(allow_hyphen_values = true)]
    subject: SubjectId,
    /// Why; a first enrollment is unspecified
    #[arg(long, value_parser = reasons())]
    reason: Reason,
    /// The number of the paper form
    #[arg(long, value_name = "NUMBER")]
    form: String,
    #[command(flatten)]
    by: By,
}

impl Reissues {
    pub(crate) fn run(&self, global: &Global, output: Output) -> Result<(), Failure> {
        let config = global.configuration()?;
        let registry = bank::registry(&config)?;
        bank::block_on(async {
            match &self.what {
                What::Request(request) => request.run(&registry, output).await,
                What::List => list(&registry, output).await,
                What::Approve { request, by } => {
                    approve(&config, &registry, *request, by, output).await
                }
                What::Cancel { reissue, by } => {
                    let by = by.operator(&registry).await?;
                    registry.cancel_reissue(*reissue, by.actor(), System.now()).await?;
                    let value = json!({ "reissue": reissue.to_string(), "canceled": true });
                    output.say(&value, format_args!("reissue {reissue} is canceled"))
                }
            }
        })
    }
}

impl Request {
    async fn run(&self, registry: &Registry, output: Output) -> Result<(), Failure> {
        if self.form.trim().is_empty() || self.form.chars().any(char::is_control) {
            return Err(Failure::usage(
                "the form's number is not empty and has no control characters",
            ));
        }
        let by = self.by.operator(registry).await?;
        let new = NewRequest {
            id: RequestId::random(),
            subject: self.subject,
            reason: self.reason,
            form: self.form.clone(),
        };
        let maker = by.name().as_str().to_owned();
        let row = registry.request_reissue(new, maker, System.now()).await?;
        let name = name_of(registry, row.subject).await?;
        output.say(
            &value(&row, &name),
            format_args!(
                "request {} for {name}\nanother operator approves it: koshin-server reissue approve {}",
                row.id, row.id
            ),
        )
    }
}

async fn name_of(registry: &Registry, subject: SubjectId) -> Result<String, Failure> {
    let row = registry.subject(subject).await?;
    Ok(row.ok_or_else(|| Failure::refused("no such subject"))?.name)
}

fn value(row: &RequestRow, name: &str) -> Value {
    json!({
        "request": row.id.to_string(),
        "subject": row.subject.to_string(),
        "name": name,
        "reason": row.reason.as_str(),
        "form": row.form,
        "maker": row.maker,
        "requested": row.created,
    })
}

async fn list(registry: &Registry, output: Output) -> Result<(), Failure> {
    let mut values = Vec::new();
    let mut lines = Vec::new();
    for row in registry.requests().await? {
        let name = name_of(registry, row.subject).await?;
        values.push(value(&row, &name));
        let RequestRow { id, form, maker, created, reason, .. } = &row;
        lines.push(format!("{id}  {name}  {reason}  form {form}  by {maker} at {created}"));
    }
    output.say(&json!({ "requests": values }), lines.join("\n"))
}

async fn approve(
    config: &Config,
    registry: &Registry,
    request: RequestId,
    by: &By,
    output: Output,
) -> Result<(), Failure> {
    let by = by.operator(registry).await?;
    let waiting = registry.requests().await?.into_iter().find(|row| row.id == request);
    let row = waiting.ok_or_else(|| {
        Failure::refused("no such request waits: it does not exist or was approved")
    })?;
    let name = name_of(registry, row.subject).await?;
    let mut random = Zeroizing::new([0; 16]);
    getrandom::fill(random.as_mut()).map_err(Failure::fault)?;
    let code = EnrollmentCode::from_bytes(*random);
    let id = ReissueId::random();
    let wire_id = WireId::from_bytes(*id.as_bytes());
    let now = System.now();
    let new = NewReissue {
        id,
        subject: row.subject,
        subject_name: name.clone(),
        reason: row.reason,
        enrollment_key: code.key(&wire_id).public_key().to_canonical_jwk(),
        expires: config.policy.reissue_expires(now),
    };
    // Before anything is stored: whatever is wrong with the ticket must not cost the request.
    let ticket = Ticket {
        directory: Urls::new(&config.public_origin).of(&Route::Directory),
        reissue: wire_id,
        name: name.parse().map_err(Failure::fault)?,
        code,
    };
    let checker = by.name().as_str().to_owned();
    let reissue = registry.approve_reissue(request, new, checker, now).await?;
    let (text, grouped) = (ticket.to_text(), ticket.code.to_grouped());
    let value = json!({
        "reissue": reissue.id.to_string(),
        "subject": reissue.subject.to_string(),
        "name": name,
        "reason": reissue.reason.as_str(),
        "form": row.form,
        "maker": row.maker,
        "expires": reissue.expires,
        "code": grouped.as_str(),
        "ticket": text.as_str(),
    });
    output.say(
        &value,
        format_args!(
            "approved: {name}, {}, form {}, requested by {}\ncode, shown this once: {}\nuntil {}\nticket: {}",
            reissue.reason.as_str(),
            row.form,
            row.maker,
            grouped.as_str(),
            reissue.expires,
            text.as_str(),
        ),
    )
}
