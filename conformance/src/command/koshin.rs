//! `koshin`: this project's own bank as a bank under test

use std::io::Read as _;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use super::Failure;
use crate::adapter::{AdapterError, Answering};
use crate::control::Control as _;
use crate::koshin::{self, Koshin, KoshinError, Variant};
use crate::provision::Provision as _;

const LONG: &str = "\
This project's own bank as a bank under test, in a folder of its own, with both adapters of SPEC.md annex B.

Example:
  koshin-conformance koshin create /tmp/bank       # prints the directory's URL and the roots' file
  koshin-conformance koshin start /tmp/bank
  koshin-conformance server --directory URL --trust /tmp/bank/bank/root.pem \\
      --provision 'koshin-conformance koshin provision /tmp/bank' \\
      --control 'koshin-conformance koshin control /tmp/bank'
  koshin-conformance koshin kill /tmp/bank";

/// Have this project's own bank tested
#[derive(Debug, Args)]
#[command(long_about = LONG)]
pub(super) struct OwnBank {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Make a new bank for tests in an empty folder
    Create {
        /// The folder.
        folder: PathBuf,
        /// Which policy it has.
        #[arg(long, value_enum, default_value_t = Variant::Rich)]
        variant: Variant,
    },
    /// Serve it in this process
    Serve {
        /// The folder.
        folder: PathBuf,
    },
    /// Serve it in a process of its own
    Start {
        /// The folder.
        folder: PathBuf,
    },
    /// Kill that process
    Kill {
        /// The folder.
        folder: PathBuf,
    },
    /// Make a subject and certificate (SPEC.md B.1)
    Provision {
        /// The folder.
        folder: PathBuf,
    },
    /// Have power over it (SPEC.md B.2)
    Control {
        /// The folder.
        folder: PathBuf,
    },
}

impl OwnBank {
    pub(super) fn run(self) -> Result<(), Failure> {
        let program = std::env::current_exe().map_err(impossible)?;
        match self.what {
            What::Create { folder, variant } => {
                std::fs::create_dir_all(&folder).map_err(impossible)?;
                let bank = Koshin::create(&folder, &program, variant)?;
                println!("{} {}", bank.directory_url(), folder.join("bank/root.pem").display());
            }
            What::Serve { folder } => koshin::serve(&folder)?,
            What::Start { folder } => Koshin::open(&folder, &program)?.start()?,
            What::Kill { folder } => Koshin::open(&folder, &program)?.kill()?,
            What::Provision { folder } => {
                let bank = Koshin::open(&folder, &program)?;
                answer(|request| bank.provision(request))?;
            }
            What::Control { folder } => {
                let bank = Koshin::open(&folder, &program)?;
                answer(|request| bank.control(request))?;
            }
        }
        Ok(())
    }
}

fn answer<'a, Q: DeserializeOwned, A: Serialize>(
    call: impl FnOnce(Q) -> Answering<'a, A>,
) -> Result<(), Failure> {
    let mut text = String::new();
    std::io::stdin().lock().read_to_string(&mut text).map_err(impossible)?;
    let request = serde_json::from_str(&text)
        .map_err(|error| Failure::Usage(format!("standard input: {error}")))?;
    let runtime = tokio::runtime::Runtime::new().map_err(impossible)?;
    let answer = match runtime.block_on(call(request)) {
        Ok(answer) => json!(answer),
        Err(AdapterError::Cannot(why)) => json!({ "cannot": why }),
        Err(AdapterError::Fault(why)) => return Err(Failure::Impossible(why)),
    };
    println!("{answer}");
    Ok(())
}

fn impossible(error: impl std::fmt::Display) -> Failure {
    Failure::Impossible(error.to_string())
}

impl From<KoshinError> for Failure {
    fn from(error: KoshinError) -> Self {
        Self::Impossible(error.to_string())
    }
}
