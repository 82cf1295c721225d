//! `check-config`

use clap::Args;
use koshin_server::config::{Config, Transport};
use koshin_server::http::Tls;
use koshin_server::start;
use serde_json::json;

use super::Global;
use super::failure::Failure;
use super::output::Output;

const LONG: &str = "\
Reads the configuration, its policy, the CA's files and the TLS files, and says what is wrong with
the first one that cannot be used: file, line, key, and what would be allowed. Changes nothing, and
needs no running bank.

Example:
  koshin-server check-config --config bank/koshin-server.toml";

/// Check configuration, policy, CA and TLS files
#[derive(Debug, Args)]
#[command(long_about = LONG)]
pub(crate) struct CheckConfig {}

impl CheckConfig {
    pub(crate) fn run(global: &Global, output: Output) -> Result<(), Failure> {
        let config = global.configuration()?;
        let authority = start::authority(&config)?;
        if let Transport::Tls { certificate, key } = &config.transport {
            Tls::load(certificate, key).map_err(Failure::configuration)?;
        }
        if !config.database().is_file() {
            return Err(Failure::configuration(format!(
                "{}: there is no database; was this bank made by `koshin-server init`?",
                config.database().display()
            )));
        }
        let said = json!({
            "config": global.config.display().to_string(),
            "publicOrigin": config.public_origin.as_str(),
            "listen": config.listen.to_string(),
            "policy": config.policy_name,
            "timeZone": config.policy.time_zone_name(),
            "testing": config.testing,
            "issuer": koshin_server::ca::Issuer::authority(&authority).certificate().subject().as_str(),
        });
        output.say(&said, sound(global, &config))
    }
}

fn sound(global: &Global, config: &Config) -> String {
    let mut text = format!(
        "{}: sound; {} by policy {:?}",
        global.config.display(),
        config.public_origin.as_str(),
        config.policy_name
    );
    if config.testing {
        text.push_str("; a test environment, not for customers");
    }
    text
}
