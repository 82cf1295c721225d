//! `completions` and `man`

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use clap::{Args, Command, CommandFactory};
use clap_complete::Shell;

use super::Arguments;
use super::failure::Failure;
use super::output::print;

/// Print completions for a shell
#[derive(Debug, Args)]
pub(crate) struct Completions {
    /// Which shell
    shell: Shell,
}

impl Completions {
    pub(crate) fn run(&self) {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Arguments::command(), "koshin", &mut script);
        print(String::from_utf8_lossy(&script).trim_end());
    }
}

/// Print the manual page, or write the pages of every command to a folder
#[derive(Debug, Args)]
pub(crate) struct Manual {
    /// The folder; without it the first page is printed
    folder: Option<PathBuf>,
}

impl Manual {
    pub(crate) fn run(&self) -> Result<(), Failure> {
        let mut command = Arguments::command();
        command.build();
        match &self.folder {
            None => print(String::from_utf8_lossy(&page(&command)?).trim_end()),
            Some(folder) => {
                write_all(&command, folder).map_err(|error| Failure::input(folder, error))?;
            }
        }
        Ok(())
    }
}

fn page(command: &Command) -> io::Result<Vec<u8>> {
    let mut page = Vec::new();
    clap_mangen::Man::new(command.clone()).render(&mut page)?;
    Ok(page)
}

fn write_all(command: &Command, folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let name = command.get_display_name().unwrap_or_else(|| command.get_name()).to_owned();
    fs::write(folder.join(format!("{name}.1")), page(command)?)?;
    let mut further = command.get_subcommands().filter(|command| command.get_name() != "help");
    further.try_for_each(|command| write_all(command, folder))
}
