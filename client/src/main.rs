//! The command `koshin`: renews bank customers' certificates, at a terminal or unattended.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::run()
}
