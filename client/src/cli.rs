//! The command line: its words, and how each ends.

mod admin;
mod agent;
mod consent;
mod context;
mod doctor;
mod enroll;
mod export;
mod failure;
mod home;
mod import;
mod language;
mod manual;
mod open_work;
mod output;
mod renew;
mod revoke;
mod say;
mod secret;
mod status;
mod undo;
mod words;

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
  koshin status
  koshin renew";

/// Renews the electronic certificates with which companies log on to their bank.
#[derive(Debug, Parser)]
#[command(
    name = "koshin",
    version,
    after_help = AFTER_HELP,
    max_term_width = 100,
    arg_required_else_help = true
)]
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
    Enroll(enroll::Enroll),
    Status(status::ShowStatus),
    List(status::List),
    Renew(renew::Renew),
    Resume(renew::Resume),
    Doctor(doctor::Doctor),
    Agent(agent::Agent),
    Defer(undo::Defer),
    Cancel(undo::Cancel),
    Rollback(undo::Rollback),
    Export(export::Export),
    Revoke(revoke::Revoke),
    Admin(admin::Admin),
    Completions(manual::Completions),
    Man(manual::Manual),
}

impl Command {
    fn run(&self, context: &Context) -> Result<(), Failure> {
        match self {
            Self::Import(import) => import.run(context),
            Self::Enroll(enroll) => enroll.run(context),
            Self::Status(status) => status.run(context),
            Self::List(list) => list.run(context),
            Self::Renew(renew) => renew.run(context),
            Self::Resume(resume) => resume.run(context),
            Self::Doctor(doctor) => doctor.run(context),
            Self::Agent(agent) => agent.run(context),
            Self::Defer(defer) => defer.run(context),
            Self::Cancel(cancel) => cancel.run(context),
            Self::Rollback(rollback) => rollback.run(context),
            Self::Export(export) => export.run(context),
            Self::Revoke(revoke) => revoke.run(context),
            Self::Admin(admin) => admin.run(context),
            Self::Completions(completions) => {
                completions.run();
                Ok(())
            }
            Self::Man(manual) => manual.run(),
        }
    }
}

/// Does what the command line says; the answer is the process's exit code.
pub(crate) fn run() -> ExitCode {
    let matches = Arguments::command().try_get_matches();
    let arguments = matches.and_then(|matches| {
        let name = command_name(&matches);
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

/// The words of the command: `renew`, `admin users`.
fn command_name(matches: &clap::ArgMatches) -> String {
    match matches.subcommand() {
        Some((name, further)) => match command_name(further).as_str() {
            "" => name.to_owned(),
            rest => format!("{name} {rest}"),
        },
        None => String::new(),
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
