//! The suite, tested: banks and clients that break one requirement each, and whether the suite says so.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::Serialize;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::report::CaseResult;
use crate::verdict::Verdict;

/// So many mutants are judged at a time.
const AT_ONCE: usize = 4;

/// Something that breaks one requirement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mutant {
    /// Its stable name.
    pub slug: &'static str,
    /// The requirement that it breaks.
    pub requirement: &'static str,
}

/// What the suite made of one.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Found {
    /// Its name.
    pub slug: &'static str,
    /// The requirement that it breaks.
    pub requirement: &'static str,
    /// The first case of that requirement that it fails; absent where it fails none.
    pub killed_by: Option<String>,
}

/// What the suite made of all of one side.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Tally {
    /// How many there are.
    pub mutants: usize,
    /// How many fail a case of their requirement.
    pub killed: usize,
    /// Each of them.
    pub list: Vec<Found>,
}

impl Mutant {
    /// What these results say of it: a case that shows its requirement must fail. That others are blocked says nothing.
    pub fn found(self, results: &[CaseResult]) -> Found {
        let killer = results.iter().find(|result| {
            matches!(result.verdict, Verdict::Fail { .. })
                && result.about.requirements.iter().any(|id| id == self.requirement)
        });
        let killed_by = killer.map(|result| result.about.slug.clone());
        Found { slug: self.slug, requirement: self.requirement, killed_by }
    }
}

/// Judges several mutants at a time, since most cases wait; tells of each when it is done, and gives all in their order.
pub async fn judge<E, F>(
    mutants: impl IntoIterator<Item = Mutant>,
    one: impl Fn(Mutant) -> F,
    tell: impl Fn(&Found),
) -> Result<Tally, E>
where
    E: Send + 'static,
    F: Future<Output = Result<Found, E>> + Send + 'static,
{
    let turns = Arc::new(Semaphore::new(AT_ONCE));
    let mut running = JoinSet::new();
    for (index, mutant) in mutants.into_iter().enumerate() {
        let (turns, judging) = (Arc::clone(&turns), one(mutant));
        running.spawn(async move {
            let _turn = turns.acquire().await.expect("nobody closes it");
            Ok((index, judging.await?))
        });
    }
    let mut list = Vec::new();
    while let Some(judged) = running.join_next().await {
        let (index, found) = judged.expect("a mutant that is judged is not aborted")?;
        tell(&found);
        list.push((index, found));
    }
    list.sort_by_key(|&(index, _)| index);
    Ok(Tally::of(list.into_iter().map(|(_, found)| found).collect()))
}

impl Tally {
    /// Of what was found.
    pub fn of(list: Vec<Found>) -> Self {
        let killed = list.iter().filter(|found| found.killed_by.is_some()).count();
        Self { mutants: list.len(), killed, list }
    }

    /// Those that the suite does not see.
    pub fn survivors(&self) -> BTreeSet<&'static str> {
        let survivors = self.list.iter().filter(|found| found.killed_by.is_none());
        survivors.map(|found| found.slug).collect()
    }
}
