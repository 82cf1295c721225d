//! Who does it: an operator, who shows their credential.

use std::env;
use std::fs::File;
use std::io::{self, IsTerminal, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use clap::Args;
use koshin_server::clock::{Clock, System};
use koshin_server::operator::{Credential, NotAuthenticated, Operator, OperatorName};
use koshin_server::registry::Registry;
use zeroize::Zeroizing;

use super::failure::Failure;

const VARIABLE: &str = "KOSHIN_OPERATOR_CREDENTIAL";

/// Who does it.
#[derive(Debug, Args)]
#[command(next_help_heading = "Operator")]
pub(crate) struct By {
    /// The operator who does this, with the credential from `KOSHIN_OPERATOR_CREDENTIAL`, from
    /// --credential-file or typed in
    #[arg(long, value_name = "NAME", required = true)]
    operator: OperatorName,
    #[command(flatten)]
    source: Source,
}

/// Who does it, if anybody.
#[derive(Debug, Args)]
#[command(next_help_heading = "Operator")]
pub(crate) struct MaybeBy {
    /// The operator who does this, with the credential from `KOSHIN_OPERATOR_CREDENTIAL`, from
    /// --credential-file or typed in. Not needed for the very first operator
    #[arg(long, value_name = "NAME")]
    operator: Option<OperatorName>,
    #[command(flatten)]
    source: Source,
}

/// Where the credential comes from.
#[derive(Debug, Args)]
struct Source {
    /// File with the operator's credential, which only its owner may read
    #[arg(long, value_name = "FILE")]
    credential_file: Option<PathBuf>,
}

impl By {
    /// The operator, if the credential is theirs.
    pub(crate) async fn operator(&self, registry: &Registry) -> Result<Operator, Failure> {
        let credential = self.source.credential(&self.operator)?;
        authenticate(registry, &self.operator, &credential).await
    }
}

impl MaybeBy {
    /// The operator, if one is named and the credential is theirs.
    pub(crate) async fn operator(&self, registry: &Registry) -> Result<Option<Operator>, Failure> {
        let Some(name) = &self.operator else { return Ok(None) };
        let credential = self.source.credential(name)?;
        authenticate(registry, name, &credential).await.map(Some)
    }

    /// The same, by the hash of the credential, which was found elsewhere.
    pub(crate) async fn check(&self, hash: Option<&str>) -> Result<Option<Operator>, Failure> {
        let Some(name) = &self.operator else { return Ok(None) };
        let credential = self.source.credential(name)?;
        Ok(Some(Operator::check(name.clone(), &credential, hash).await?))
    }

    /// Who is named, and is believed only with the credential.
    pub(crate) fn name(&self) -> Option<&OperatorName> {
        self.operator.as_ref()
    }
}

/// The operator; who is not believed is in the audit.
async fn authenticate(
    registry: &Registry,
    name: &OperatorName,
    credential: &Credential,
) -> Result<Operator, Failure> {
    let outcome = Operator::authenticate(registry, name.clone(), credential).await;
    if let Err(NotAuthenticated::Refused) = outcome {
        registry.operator_refused(name.as_str().to_owned(), System.now()).await?;
    }
    Ok(outcome?)
}

impl Source {
    fn credential(&self, name: &OperatorName) -> Result<Credential, Failure> {
        if let Some(path) = &self.credential_file {
            return Ok(Credential::new(&first_line(path)?));
        }
        if let Ok(text) = env::var(VARIABLE) {
            return Ok(Credential::new(&Zeroizing::new(text)));
        }
        if !io::stdin().is_terminal() {
            return Err(Failure::usage(format!(
                "the credential of {name} is needed: in {VARIABLE}, in a file with --credential-file, or typed in"
            )));
        }
        Ok(Credential::new(&typed(&format!("credential of {name}: "))?))
    }
}

impl From<NotAuthenticated> for Failure {
    fn from(error: NotAuthenticated) -> Self {
        match error {
            NotAuthenticated::Refused => Self::refused(error),
            NotAuthenticated::Pin(_) | NotAuthenticated::Store(_) => Self::fault(error),
        }
    }
}

/// Asks for a secret without echoing it.
pub(crate) fn typed(prompt: &str) -> Result<Zeroizing<String>, Failure> {
    let text = rpassword::prompt_password(prompt).map_err(Failure::fault)?;
    Ok(Zeroizing::new(text))
}

/// The first line of a file that only its owner may read.
pub(crate) fn first_line(path: &Path) -> Result<Zeroizing<String>, Failure> {
    let failed = |error: io::Error| Failure::usage(format!("{}: {error}", path.display()));
    let mut file = File::open(path).map_err(failed)?;
    if file.metadata().map_err(failed)?.mode() & 0o077 != 0 {
        return Err(Failure::usage(format!(
            "{}: others than its owner may read it; run chmod 600",
            path.display()
        )));
    }
    let mut text = Zeroizing::new(String::new());
    file.by_ref().take(4096).read_to_string(&mut text).map_err(failed)?;
    Ok(Zeroizing::new(text.lines().next().unwrap_or_default().to_owned()))
}
