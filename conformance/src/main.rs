//! The command `koshin-conformance`.

use std::process::ExitCode;

fn main() -> ExitCode {
    koshin_conformance::command::main()
}
