//! `certificate import`

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use koshin_protocol::cert_id::CertId;
use koshin_protocol::certificate::Certificate;
use koshin_protocol::subject::Role;
use koshin_server::clock::{Clock, System};
use koshin_server::registry::Registry;
use koshin_server::rule::command::{Import as ToImport, ImportOutcome};
use koshin_server::id::{ContractId, SubjectId};
use serde_json::{Value, json};

use super::trust::{Trust, certificates};
use crate::command::by::By;
use crate::command::failure::Failure;
use crate::command::output::Output;
use crate::command::words::roles;

const LONG: &str = "\
Takes in certificates that another CA issued (RSA from 2048 bits up, P-256, P-384, Ed25519), each as
the current one of its subject, so that their holders can renew here. A subject that does not exist
is made with the certificate's name. PEM, any number in a file, or DER.

It may be repeated: what is there already is left as it is. A dry run changes nothing and reports the
same. With --issuer-trust each certificate must lead to a root of that file; CAs below the roots may
stand in it, too.

A manifest is a CSV file with a line `file,contract,role` for each file, without quotes, paths
relative to it; lines that begin with # and a heading `file,contract,role` are skipped.

Exit code 3 means that at least one certificate was not taken in; the report says which and why.

Examples:
  koshin-server certificate import hanako.pem --contract bvSI0fE-1wTLI6EZi3NkBA --operator hanako
  koshin-server certificate import --dir customers --contract bvSI0fE-1wTLI6EZi3NkBA \\
      --issuer-trust old-ca.pem --dry-run --operator hanako
  koshin-server certificate import --manifest customers.csv --operator hanako --json";

/// As many are taken in at a time, so that a serving bank never waits for long.
const AT_A_TIME: usize = 100;

/// Take in certificates of another CA
#[derive(Debug, Args)]
#[command(long_about = LONG)]
pub(super) struct Import {
    /// Files with certificates
    #[arg(required_unless_present_any = ["dir", "manifest"])]
    files: Vec<PathBuf>,
    /// Every .pem, .crt, .cer and .der file of a folder
    #[arg(long, value_name = "FOLDER")]
    dir: Option<PathBuf>,
    /// A CSV file that names files, contracts and roles
    #[arg(long, value_name = "FILE")]
    manifest: Option<PathBuf>,
    /// The contract that they belong to
    #[arg(long, allow_hyphen_values = true, required_unless_present = "manifest")]
    contract: Option<ContractId>,
    /// The role of subjects that are made
    #[arg(long, value_parser = roles(), default_value = "user")]
    role: Role,
    /// Roots, and CAs below them, of the CA that issued them, PEM
    #[arg(long, value_name = "FILE")]
    issuer_trust: Option<PathBuf>,
    /// Change nothing, only report
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    by: By,
}

/// A file, and whose certificates are in it.
struct Source {
    file: PathBuf,
    contract: ContractId,
    role: Role,
}

/// A certificate on its way in.
struct Line {
    file: PathBuf,
    outcome: Outcome,
}

enum Outcome {
    /// It cannot be read, or does not lead to a root.
    Bad(String),
    /// To be asked of the store.
    Waiting(Box<ToImport>),
    /// The store's answer.
    Answered { certificate: Box<Certificate>, outcome: ImportOutcome },
}

impl Import {
    pub(super) async fn run(&self, registry: &Registry, output: Output) -> Result<(), Failure> {
        let by = self.by.operator(registry).await?;
        let trust = self.issuer_trust.as_deref().map(Trust::read).transpose()?;
        let now = System.now();
        let mut lines = Vec::new();
        for source in self.sources()? {
            match fs::read(&source.file).map_err(|e| e.to_string()).and_then(|b| certificates(&b)) {
                Ok(found) => {
                    for certificate in found {
                        let trusted =
                            trust.as_ref().map_or(Ok(()), |t| t.verify(&certificate, now));
                        let outcome = match trusted {
                            _ if certificate.is_authority() => {
                                Outcome::Bad("a CA's certificate, not a customer's".to_owned())
                            }
                            Err(error) => Outcome::Bad(error.to_string()),
                            Ok(()) => Outcome::Waiting(Box::new(ToImport {
                                certificate,
                                contract: source.contract,
                                subject: SubjectId::random(),
                                role: source.role,
                            })),
                        };
                        lines.push(Line { file: source.file.clone(), outcome });
                    }
                }
                Err(why) => lines.push(Line { file: source.file, outcome: Outcome::Bad(why) }),
            }
        }
        for batch in lines.chunks_mut(AT_A_TIME) {
            let waiting = batch.iter().filter_map(|line| match &line.outcome {
                Outcome::Waiting(import) => Some((**import).clone()),
                Outcome::Bad(_) | Outcome::Answered { .. } => None,
            });
            let waiting = waiting.collect();
            let answers = registry.import_certificates(waiting, self.dry_run, by.actor(), now).await?;
            let mut answers = answers.into_iter();
            for line in batch {
                if let Outcome::Waiting(import) = &line.outcome
                    && let Some(outcome) = answers.next()
                {
                    let certificate = Box::new(import.certificate.clone());
                    line.outcome = Outcome::Answered { certificate, outcome };
                }
            }
        }
        self.report(&lines, output)
    }

    fn sources(&self) -> Result<Vec<Source>, Failure> {
        let mut sources = match &self.manifest {
            Some(path) => manifest(path)?,
            None => Vec::new(),
        };
        let mut files = self.files.clone();
        if let Some(folder) = &self.dir {
            files.extend(folder_of_certificates(folder)?);
        }
        match (self.contract, files.first()) {
            (Some(contract), _) => {
                let role = self.role;
                sources.extend(files.into_iter().map(|file| Source { file, contract, role }));
            }
            (None, Some(_)) => {
                return Err(Failure::usage("files outside of the manifest need --contract"));
            }
            (None, None) => {}
        }
        Ok(sources)
    }

    fn report(&self, lines: &[Line], output: Output) -> Result<(), Failure> {
        let counted = |word| lines.iter().filter(|line| line.outcome.word() == word).count();
        let (imported, unchanged, refused) =
            (counted("imported"), counted("unchanged"), counted("refused"));
        let value = json!({
            "dryRun": self.dry_run,
            "trust": if self.issuer_trust.is_some() { "verified" } else { "notVerified" },
            "imported": imported,
            "unchanged": unchanged,
            "refused": refused,
            "certificates": lines.iter().map(Line::value).collect::<Vec<_>>(),
        });
        let text: Vec<String> = lines.iter().map(Line::text).collect();
        let dry = if self.dry_run { "dry run, nothing was changed: " } else { "" };
        output.say(
            &value,
            format_args!(
                "{}\n{dry}{imported} imported, {unchanged} unchanged, {refused} refused",
                text.join("\n")
            ),
        )?;
        if refused > 0 {
            return Err(Failure::refused(format!(
                "{refused} of {} were not taken in",
                lines.len()
            )));
        }
        Ok(())
    }
}

impl Outcome {
    fn word(&self) -> &'static str {
        match self {
            Self::Answered { outcome: ImportOutcome::Imported { .. }, .. } => "imported",
            Self::Answered { outcome: ImportOutcome::Unchanged { .. }, .. } => "unchanged",
            Self::Answered { outcome: ImportOutcome::Refused(_), .. }
            | Self::Bad(_)
            | Self::Waiting(_) => "refused",
        }
    }

    fn why(&self) -> Option<String> {
        match self {
            Self::Bad(why) => Some(why.clone()),
            Self::Waiting(_) => Some("the store gave no answer".to_owned()),
            Self::Answered { outcome: ImportOutcome::Refused(why), .. } => Some(why.to_string()),
            Self::Answered {
                outcome: ImportOutcome::Imported { .. } | ImportOutcome::Unchanged { .. },
                ..
            } => None,
        }
    }
}

impl Line {
    fn value(&self) -> Value {
        let mut value = json!({
            "file": self.file.display().to_string(),
            "outcome": self.outcome.word(),
            "reason": self.outcome.why(),
        });
        if let Outcome::Answered { certificate, outcome } = &self.outcome {
            value["certID"] = json!(CertId::of(certificate).as_str());
            value["name"] = json!(certificate.subject().as_str());
            value["notAfter"] = json!(certificate.not_after());
            match outcome {
                ImportOutcome::Imported { subject, subject_created } => {
                    value["subject"] = json!(subject.to_string());
                    value["subjectCreated"] = json!(subject_created);
                }
                ImportOutcome::Unchanged { subject } => {
                    value["subject"] = json!(subject.to_string());
                }
                ImportOutcome::Refused(_) => {}
            }
        }
        value
    }

    fn text(&self) -> String {
        let file = self.file.display();
        let word = self.outcome.word();
        let name = match &self.outcome {
            Outcome::Answered { certificate, .. } => certificate.subject().as_str(),
            Outcome::Bad(_) | Outcome::Waiting(_) => "",
        };
        let why = self.outcome.why().map_or_else(String::new, |why| format!(": {why}"));
        format!("{word}  {file}  {name}{why}")
    }
}

fn folder_of_certificates(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let failed = |error| Failure::usage(format!("{}: {error}", folder.display()));
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let extension = path.extension().and_then(|extension| extension.to_str());
        if extension.is_some_and(|known| ["pem", "crt", "cer", "der"].contains(&known)) {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn manifest(path: &Path) -> Result<Vec<Source>, Failure> {
    let text = fs::read_to_string(path)
        .map_err(|error| Failure::usage(format!("{}: {error}", path.display())))?;
    let folder = path.parent().unwrap_or(Path::new(""));
    let mut sources = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') || line == "file,contract,role" {
            continue;
        }
        let source = source(folder, line).ok_or_else(|| {
            Failure::usage(format!(
                "{}, line {}: expected file,contract,role with a contract's id and administrator or user",
                path.display(),
                number + 1
            ))
        })?;
        sources.push(source);
    }
    Ok(sources)
}

fn source(folder: &Path, line: &str) -> Option<Source> {
    let mut cells = line.split(',').map(str::trim);
    let (file, contract, role) = (cells.next()?, cells.next()?, cells.next()?);
    if file.is_empty() || cells.next().is_some() {
        return None;
    }
    let role =
        [Role::Administrator, Role::User].into_iter().find(|known| known.as_str() == role)?;
    Some(Source { file: folder.join(file), contract: contract.parse().ok()?, role })
}
