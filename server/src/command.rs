//! The command line: its words, and how each ends.

mod audit;
mod backup;
mod bank;
mod by;
mod certificate;
mod check_config;
mod contract;
mod failure;
mod init;
mod manual;
mod operator;
mod output;
mod page;
mod pin;
mod provision;
mod reissue;
mod revoke;
mod serve;
mod subject;
mod words;

use std::io::ErrorKind;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use koshin_server::config::{Config, ConfigError};

use self::failure::Failure;
use self::output::Output;

const VARIABLE: &str = "KOSHIN_SERVER_CONFIG";

const AFTER_HELP: &str = "\
Exit codes:
  0  done
  1  a fault: of this program, the disk or the machine
  2  wrong usage
  3  refused by the bank's rules: nothing was changed
  4  the configuration, a policy or the CA's files cannot be used
  5  a serving bank cannot store any more, after a fault of the disk: start it again
  6  the database is damaged: restore a backup

First steps, for a bank on this machine alone:
  koshin-server init bank --tls-for-loopback --testing
  koshin-server serve --config bank/koshin-server.toml";

/// The bank's side of Koshin: renews client certificates.
#[derive(Debug, Parser)]
#[command(name = "koshin-server", version, after_help = AFTER_HELP, max_term_width = 100)]
pub(crate) struct Arguments {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

/// What every command understands.
#[derive(Debug, Args)]
struct Global {
    /// The bank's configuration file
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        env = VARIABLE,
        hide_env_values = true,
        default_value = "koshin-server.toml"
    )]
    config: PathBuf,
    /// Print one JSON object instead of text; errors too, on standard error
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    Init(init::Init),
    Serve(serve::Serve),
    CheckConfig(check_config::CheckConfig),
    Operator(operator::Operators),
    Contract(contract::Contracts),
    Subject(subject::Subjects),
    Certificate(certificate::Certificates),
    Pin(pin::Pinning),
    Unlock(pin::Unlock),
    Reissue(reissue::Reissues),
    Revoke(revoke::Revoke),
    Crl(revoke::Crl),
    Audit(audit::Audit),
    Backup(backup::Backup),
    Restore(backup::Restore),
    Provision(provision::Provision),
    Completions(manual::Completions),
    Man(manual::Manual),
}

/// Does what the command line says; the answer is the process's exit code.
pub(crate) fn run(arguments: Arguments) -> ExitCode {
    let Arguments { global, command } = arguments;
    let output = Output::new(global.json);
    let done = match command {
        Command::Init(init) => init.run(output),
        Command::Serve(serve::Serve {}) => serve::Serve::run(&global, output),
        Command::CheckConfig(check_config::CheckConfig {}) => {
            check_config::CheckConfig::run(&global, output)
        }
        Command::Operator(operators) => operators.run(&global, output),
        Command::Contract(contracts) => contracts.run(&global, output),
        Command::Subject(subjects) => subjects.run(&global, output),
        Command::Certificate(certificates) => certificates.run(&global, output),
        Command::Pin(pinning) => pinning.run(&global, output),
        Command::Unlock(unlock) => unlock.run(&global, output),
        Command::Reissue(reissues) => reissues.run(&global, output),
        Command::Revoke(revoke) => revoke.run(&global, output),
        Command::Crl(crl) => crl.run(&global, output),
        Command::Audit(audit) => audit.run(&global, output),
        Command::Backup(backup) => backup.run(&global, output),
        Command::Restore(restore) => restore.run(&global, output),
        Command::Provision(provision::Provision {}) => provision::Provision::run(&global),
        Command::Completions(completions) => completions.run(),
        Command::Man(manual) => manual.run(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            output.fail(&failure);
            failure.exit_code()
        }
    }
}

impl Global {
    /// Reads the configuration.
    fn configuration(&self) -> Result<Config, Failure> {
        Config::read(&self.config).map_err(|error| match error {
            ConfigError::Unreadable { ref path, error: ref cause }
                if *path == self.config && cause.kind() == ErrorKind::NotFound =>
            {
                Failure::configuration(format!(
                    "{error}; name the bank's configuration with --config or {VARIABLE}"
                ))
            }
            other => other.into(),
        })
    }
}
