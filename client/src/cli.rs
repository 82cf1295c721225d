//! The command line: its words, and how each ends.

mod agent;
mod consent;
mod context;
mod doctor;
mod failure;
mod home;
mod import;
mod language;
mod output;
mod renew;
mod say;
mod secret;

use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand};
use koshin_protocol::problem::Language;

use self::context::Context;
use self::failure::Failure;
use self::home::IdentityName;
use self::output::Output;

const AFTER_HELP: &str = "\
Exit codes:
   0  done
   1  a fault of this program or of the machine
   2  wrong usage
  10  the same again later may succeed: the window is not open yet, the bank is busy or out of reach
  11  somebody acts first: types the right PIN, imports, unlocks, updates
  12  only a reissue helps

First steps:
  koshin import certificate.p12 --directory https://bank.example/directory --trust roots.pem
  koshin renew";

/// Renews the electronic certificates with which companies log on to their bank.
#[derive(Debug, Parser)]
#[command(name = "koshin", version, after_help = AFTER_HELP, max_term_width = 100)]
pub(crate) struct Arguments {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

/// What every command understands.
#[derive(Debug, Args)]
pub(crate) struct Global {
    /// Folder with the identities [default: koshin in $`XDG_DATA_HOME` or ~/.local/share]
    #[arg(
        long,
        global = true,
        value_name = "FOLDER",
        env = "KOSHIN_HOME",
        hide_env_values = true,
        help = "Folder with the identities [default: koshin in $XDG_DATA_HOME or ~/.local/share]"
    )]
    home: Option<std::path::PathBuf>,
    /// Which identity; needed where there are several
    #[arg(
        long,
        short,
        global = true,
        value_name = "NAME",
        env = "KOSHIN_IDENTITY",
        hide_env_values = true
    )]
    identity: Option<IdentityName>,
    /// Print one JSON object a line instead of text, and ask nobody anything
    #[arg(long, global = true)]
    json: bool,
    /// Language of texts [default: the system's]
    #[arg(
        long,
        global = true,
        value_name = "LANGUAGE",
        env = "KOSHIN_LANG",
        hide_env_values = true,
        value_parser = language::parser()
    )]
    lang: Option<Language>,
}

#[derive(Debug, Subcommand)]
enum Command {
    Import(import::Import),
    Renew(renew::Renew),
    Resume(renew::Resume),
    Doctor(doctor::Doctor),
    Agent(agent::Agent),
}

impl Command {
    fn run(&self, context: &Context) -> Result<(), Failure> {
        match self {
            Self::Import(import) => import.run(context),
            Self::Renew(renew) => renew.run(context),
            Self::Resume(resume) => resume.run(context),
            Self::Doctor(doctor) => doctor.run(context),
            Self::Agent(agent) => agent.run(context),
        }
    }
}

/// Does what the command line says; the answer is the process's exit code.
pub(crate) fn run() -> ExitCode {
    let matches = Arguments::command().try_get_matches();
    let arguments = matches.and_then(|matches| {
        let name = matches.subcommand_name().unwrap_or_default().to_owned();
        Arguments::from_arg_matches(&matches).map(|arguments| (name, arguments))
    });
    let (name, arguments) = match arguments {
        Ok(arguments) => arguments,
        Err(error) => return misused(&error),
    };
    let context = match Context::new(&name, &arguments.global) {
        Ok(context) => context,
        Err((output, failure)) => return output.fail(&failure, &name),
    };
    match arguments.command.run(&context) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => context.fail(&failure),
    }
}

/// What clap has to say: help and version, which are no failure, or wrong usage.
fn misused(error: &clap::Error) -> ExitCode {
    // Where the terminal is gone, the exit code tells.
    drop(error.print());
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => ExitCode::SUCCESS,
        _ => {
            if std::env::args_os().any(|argument| argument == "--json") {
                let output = Output::new(true, language::Tongue::english());
                let text = error.render().to_string();
                let line = text.lines().next().unwrap_or_default();
                let message = line.strip_prefix("error: ").unwrap_or(line).to_owned();
                return output.fail(&Failure::arguments(message), "koshin");
            }
            ExitCode::from(failure::USAGE)
        }
    }
}
