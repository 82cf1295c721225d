//! The command line: its words, and how each ends.

mod bank;
mod check_config;
mod failure;
mod init;
mod output;
mod provision;
mod serve;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use koshin_server::config::Config;

use self::failure::Failure;
use self::output::Output;

const AFTER_HELP: &str = "\
Exit codes:
  0  done
  1  a fault: of this program, the disk or the machine
  2  wrong usage
  3  refused by the bank's rules: nothing was changed
  4  the configuration, a policy or the CA's files cannot be used

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
        env = "KOSHIN_SERVER_CONFIG",
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
    Provision(provision::Provision),
}

/// Does what the command line says; the answer is the process's exit code.
pub(crate) fn run(arguments: Arguments) -> ExitCode {
    let Arguments { global, command } = arguments;
    let output = Output::new(global.json);
    let done = match command {
        Command::Init(init) => init.run(output),
        Command::Serve(serve) => serve.run(&global, output),
        Command::CheckConfig(check) => check.run(&global, output),
        Command::Provision(provision) => provision.run(&global),
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
        Ok(Config::read(&self.config)?)
    }
}
