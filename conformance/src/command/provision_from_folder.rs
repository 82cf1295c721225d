//! `provision-from-folder`

use std::io::Read as _;
use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::Failure;
use crate::adapter::AdapterError;
use crate::provision::{Request, folder};
use crate::target::here;

const LONG: &str = "\
Hands out subjects that were prepared by hand: a provisioning command for banks that have none. One JSON object on
standard input, one on standard output (SPEC.md, annex B.1).

  DIR/<any name>/certificate.pem   the certificate
  DIR/<any name>/key.pem           its key, PKCS #8
  DIR/<any name>/subject.json      {\"subject\": \"u-1001\", \"role\": \"user\"}, and where they apply
                                   \"contract\": \"a\", \"issuer\": \"foreign\", \"alg\": \"RS256\", \"pin\": \"481516\"
  DIR/used/<any name>              made by this command: handed out already

Each subject is handed out once. Its times may differ by ten days from those asked for, on the same side of the present.
Delete DIR/used only after the subjects were set back at the bank.

Example:
  koshin-conformance server --directory https://bank.example/koshin/directory --trust roots.pem \\
      --provision 'koshin-conformance provision-from-folder prepared'";

/// Hand out subjects that were prepared by hand
#[derive(Debug, Args)]
#[command(long_about = LONG)]
pub(super) struct ProvisionFromFolder {
    /// The folder.
    folder: PathBuf,
}

impl ProvisionFromFolder {
    pub(super) fn run(self) -> Result<(), Failure> {
        let mut text = String::new();
        std::io::stdin()
            .lock()
            .read_to_string(&mut text)
            .map_err(|error| Failure::Impossible(format!("standard input: {error}")))?;
        let request: Request = serde_json::from_str(&text)
            .map_err(|error| Failure::Usage(format!("standard input: {error}")))?;
        let answer = match folder::provide(&self.folder, &request, here()) {
            Ok(provided) => json!(provided),
            Err(AdapterError::Cannot(why)) => json!({ "cannot": why }),
            Err(AdapterError::Fault(why)) => return Err(Failure::Impossible(why)),
        };
        println!("{answer}");
        Ok(())
    }
}
