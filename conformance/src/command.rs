//! The command `koshin-conformance`.

mod client;
mod evidence;
mod koshin;
mod list;
mod mutants;
mod options;
mod progress;
mod provision_from_folder;
mod run;
mod server;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

pub use options::RunOptions;
pub use progress::Progress;

const ABOUT: &str = "\
Tells whether a bank or a client follows SPEC.md, by requirement.

Exit code: 0 nothing counts against it, 1 something does, 2 usage, 3 the run was not possible.";

/// Tells whether a bank or a client follows SPEC.md.
#[derive(Debug, Parser)]
#[command(name = "koshin-conformance", version, long_about = ABOUT)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Server(server::Server),
    Client(client::Client),
    List(list::List),
    Koshin(koshin::OwnBank),
    Mutants(mutants::Mutants),
    ProvisionFromFolder(provision_from_folder::ProvisionFromFolder),
    /// A client of the library koshin-client behind the adapter of SPEC.md B.3
    #[command(hide = true)]
    ReferenceClient {
        /// Which requirement it breaks.
        #[arg(long)]
        mutant: Option<String>,
    },
    Requirements(evidence::Requirements),
    Coverage(evidence::Coverage),
}

/// Why a command ends otherwise than well.
#[derive(Debug)]
pub enum Failure {
    /// The thing under test, or what was checked, is not as it should be; said already, or said here.
    Found(Vec<String>),
    /// The command was called wrongly.
    Usage(String),
    /// What it was called for is not possible.
    Impossible(String),
}

/// Runs the command of this process.
pub fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Server(server) => server.run(),
        Command::Client(client) => client.run(),
        Command::Mutants(mutants) => mutants.run(),
        Command::ReferenceClient { mutant } => {
            return crate::client::reference::main(mutant.as_deref());
        }
        Command::List(list) => list.run(),
        Command::Koshin(bank) => bank.run(),
        Command::ProvisionFromFolder(folder) => folder.run(),
        Command::Requirements(requirements) => requirements.run(),
        Command::Coverage(coverage) => coverage.run(),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Found(problems)) => {
            for problem in problems {
                eprintln!("{problem}");
            }
            ExitCode::from(1)
        }
        Err(Failure::Usage(why)) => {
            eprintln!("error: {why}");
            ExitCode::from(2)
        }
        Err(Failure::Impossible(why)) => {
            eprintln!("error: {why}");
            ExitCode::from(3)
        }
    }
}
