//! The guided tour: a bank, two of its customers, a client that is killed half-way, and a stolen laptop.
//!
//! ```sh
//! cargo run --release -p koshin-server --example quickstart
//! ```
//!
//! Everything that it says happened has happened when it says so: the bank serves HTTPS on a loopback port, the client that is
//! killed is a process of its own, and what is printed of the bank's answers is what the bank answered. The folder stays,
//! with all keys and certificates, to be looked at with other programs.

mod account;
mod aftermath;
mod bank;
mod client;
mod customer;
mod process;
mod renewal;
mod scene;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;

use crate::client::Action;
use crate::scene::Scene;

type Failure = Box<dyn std::error::Error>;

const AFTER_HELP: &str = "\
The folder must not exist, or be empty. Without one it is a new folder for temporary files, which the
first line names and which stays.";

/// Runs a bank on this machine and renews a certificate there, whatever happens on the way.
#[derive(Debug, Parser)]
#[command(name = "quickstart", after_help = AFTER_HELP, max_term_width = 100)]
struct Arguments {
    /// Where everything is put
    folder: Option<PathBuf>,
    /// Leave the bank running in the end, with commands to try
    #[arg(long)]
    serve: bool,
    /// Take the customers' certificates and keys from a folder instead of making them:
    /// administrator.pem, administrator.key, user.pem, user.key, which expire within 30 days
    #[arg(long, value_name = "FOLDER")]
    customers: Option<PathBuf>,
    /// Be the client of an identity: what the tour starts and kills
    #[arg(long, hide = true, value_name = "IDENTITY")]
    as_client: Option<PathBuf>,
    /// What the client does
    #[arg(long, hide = true, default_value = "renew")]
    action: Action,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if let Some(identity) = &arguments.as_client {
        return client::run(identity, arguments.action);
    }
    match tour(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("quickstart: {failure}");
            ExitCode::FAILURE
        }
    }
}

/// The acts, in their order.
fn tour(arguments: &Arguments) -> Result<(), Failure> {
    let folder = folder(arguments.folder.as_deref())?;
    let mut scene = Scene::new(&folder)?;
    scene.open_the_bank()?;
    scene.take_the_customers_in(arguments.customers.as_deref())?;
    let killed = scene.renew_until_killed()?;
    scene.look_at_what_is_left(&killed)?;
    let renewed = scene.resume(&killed)?;
    scene.try_the_old_certificate(&renewed)?;
    let enrolled = scene.replace_the_stolen_laptop(&renewed)?;
    scene.check_the_books()?;
    scene.name_what_to_look_at(&enrolled)?;
    if arguments.serve { scene.serve() } else { scene.close() }
}

/// The folder that was asked for, empty, or a new one; as an absolute path.
fn folder(wanted: Option<&Path>) -> Result<PathBuf, Failure> {
    let Some(wanted) = wanted else {
        return Ok(tempfile::Builder::new().prefix("koshin-quickstart-").tempdir()?.keep());
    };
    let folder = std::path::absolute(wanted)?;
    fs::create_dir_all(&folder)
        .and_then(|()| fs::read_dir(&folder)?.next().map_or(Ok(()), |_| Err(not_empty())))
        .map_err(|error| format!("{}: {error}", folder.display()))?;
    Ok(folder)
}

fn not_empty() -> io::Error {
    io::Error::other("the folder is not empty; name another, or none")
}
