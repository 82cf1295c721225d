//! `list`

use clap::Args;

use super::Failure;
use crate::case::{About, Side};
use crate::select::Selection;
use crate::{client, server};

/// List the cases
#[derive(Debug, Args)]
pub(super) struct List {
    /// For whom the cases are.
    #[arg(long, value_enum)]
    side: Side,
    /// As a JSON array.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    selection: Selection,
}

impl List {
    pub(super) fn run(self) -> Result<(), Failure> {
        let all = match self.side {
            Side::Server => server::cases().into_iter().map(|case| case.about).collect(),
            Side::Client => client::abouts(),
        };
        let chosen: Vec<About> =
            all.into_iter().filter(|about| self.selection.has(about)).collect();
        if self.json {
            let text = serde_json::to_string_pretty(&chosen);
            println!("{}", text.map_err(|error| Failure::Impossible(error.to_string()))?);
            return Ok(());
        }
        for about in chosen {
            let ids = about.requirements.join(" ");
            println!("{:<44} {:<6} {:<24} {}", about.slug, about.section, ids, about.sentence);
        }
        Ok(())
    }
}
