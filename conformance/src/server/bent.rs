//! Banks that break one requirement each: our own, with one thing bent. What they are for is to be caught ([`crate::mutant`]);
//! nothing of this is in a bank that is shipped.
//!
//! Most are bent where their answers leave them, so that they are wrong in the way that other banks can be wrong; the others have
//! a part replaced: the memory, the verifier, the clock, the limits.

mod accepts;
mod answers;
mod memory;
mod parts;
mod service;

use std::sync::Arc;

use http::Request;
use hyper::body::Bytes;
use koshin_protocol::problem::Token;
use koshin_server::bank::Bank;
use koshin_server::http::Limits;
use koshin_server::store::Store;

pub(crate) use self::memory::Lapse;
pub(crate) use self::service::{Asked, Bent, Told};

/// A bank that breaks one requirement.
#[derive(Clone, Copy)]
pub(crate) struct Wrong {
    /// Its stable name.
    pub(crate) slug: &'static str,
    /// The requirement that it breaks.
    pub(crate) requirement: &'static str,
    /// How.
    pub(crate) bend: Bend,
}

/// What is bent.
#[derive(Clone, Copy)]
pub(crate) enum Bend {
    /// Requests that it would refuse with this token, and which are of this kind, are answered like the last good one.
    Accepts(Token, fn(&Asked) -> bool),
    /// Something in its answers.
    Answers(fn(&Asked, &mut Told)),
    /// Something in what it hears.
    Hears(fn(&mut Request<Bytes>)),
    /// The same request again is answered as the first time.
    Replays,
    /// A part of the bank.
    Bank(fn(&mut Bank)),
    /// What its edge lets through.
    Limits(fn(&mut Limits)),
    /// What it forgets.
    Memory(Lapse),
}

/// All of them.
pub(crate) fn all() -> impl Iterator<Item = Wrong> {
    accepts::ALL.into_iter().chain(answers::ALL).chain(parts::ALL)
}

/// The one of this name.
pub(crate) fn named(slug: &str) -> Option<Wrong> {
    all().find(|wrong| wrong.slug == slug)
}

/// A memory that forgets one thing of another.
pub(crate) fn forgetful(whole: &Arc<dyn Store>, lapse: Lapse) -> Arc<dyn Store> {
    Arc::new(memory::Forgetful::new(Arc::clone(whole), lapse))
}

/// One line of a table.
const fn wrong(slug: &'static str, requirement: &'static str, bend: Bend) -> Wrong {
    Wrong { slug, requirement, bend }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::requirements;

    #[test]
    fn each_has_a_name_of_its_own_and_breaks_a_requirement_that_cases_show() {
        let cases = crate::server::cases();
        let mut slugs = BTreeSet::new();
        for wrong in all() {
            let Wrong { slug, requirement, .. } = wrong;
            assert!(slugs.insert(slug), "{slug} is there twice");
            assert!(requirements::embedded(requirement).is_some(), "{slug}: {requirement}");
            let shown =
                cases.iter().any(|case| case.about.requirements.iter().any(|id| id == requirement));
            assert!(shown, "{slug}: no case shows {requirement}");
        }
        assert!(slugs.len() >= 60, "{}", slugs.len());
    }
}
