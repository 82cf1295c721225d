//! What the tour says, on standard output: numbered acts, lines with a word in front, none wider than a terminal of 100.

use std::io::{self, IsTerminal, Write};
use std::time::Instant;

const WIDTH: usize = 100;
const MARGIN: &str = "   ";
const LABEL: usize = 13;

/// The account of what happens.
pub(crate) struct Account {
    acts: u32,
    begun: Instant,
    bold: (&'static str, &'static str),
}

impl Account {
    pub(crate) fn new() -> Self {
        let shows_bold = io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        Self {
            acts: 0,
            begun: Instant::now(),
            bold: if shows_bold { ("\x1b[1m", "\x1b[0m") } else { ("", "") },
        }
    }

    /// Begins an act.
    pub(crate) fn act(&mut self, title: &str) -> io::Result<()> {
        self.acts += 1;
        let (on, off) = self.bold;
        print(&format!("\n{on}{}  {title}{off}", self.acts))
    }

    /// Something outside of the acts.
    pub(crate) fn heading(&self, title: &str) -> io::Result<()> {
        let (on, off) = self.bold;
        print(&format!("{on}{title}{off}"))
    }

    /// Some sentences.
    #[expect(clippy::unused_self, reason = "whoever has the account speaks")]
    pub(crate) fn say(&self, text: &str) -> io::Result<()> {
        paragraph(MARGIN.to_owned(), MARGIN.len(), text)
    }

    /// One step, with a word in front of it.
    #[expect(clippy::unused_self, reason = "whoever has the account speaks")]
    pub(crate) fn step(&self, word: &str, text: &str) -> io::Result<()> {
        paragraph(format!("{MARGIN}{word:<LABEL$}"), MARGIN.len() + LABEL, text)
    }

    /// How long it all took.
    pub(crate) fn end(&self) -> io::Result<()> {
        let seconds = self.begun.elapsed().as_secs_f32();
        print(&format!(
            "\nIt took {seconds:.1} seconds. The folder stays: delete it when you have seen enough."
        ))
    }

    /// A command to copy: never broken.
    #[expect(clippy::unused_self, reason = "whoever has the account speaks")]
    pub(crate) fn command(&self, command: &str) -> io::Result<()> {
        print(&format!("{MARGIN}{command}"))
    }
}

/// Words in lines of at most [`WIDTH`], the second and further ones indented; a longer word has a line to itself.
fn paragraph(first: String, indent: usize, text: &str) -> io::Result<()> {
    let mut line = first;
    let mut is_fresh = true;
    for word in text.split_whitespace() {
        if !is_fresh && line.chars().count() + 1 + word.chars().count() > WIDTH {
            print(&line)?;
            line = " ".repeat(indent);
            is_fresh = true;
        }
        if !is_fresh {
            line.push(' ');
        }
        line.push_str(word);
        is_fresh = false;
    }
    print(&line)
}

fn print(line: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()
}
