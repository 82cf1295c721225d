//! A contract in one piece, of the pages in which a bank gives it (SPEC.md 7.7).

use std::collections::HashSet;

use koshin_protocol::contract::Contract;
use koshin_protocol::subject::SubjectId;
use koshin_protocol::url::Url;

/// Most subjects of a contract (CTR-10).
const MAX_SUBJECTS: usize = 1_000_000;

/// Most bytes of all pages of a contract (CTR-10).
const MAX_BYTES: usize = 1 << 28;

/// Why pages make no contract. A bank that means well gives no such pages.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ContractFault {
    /// A page is of another contract than the first.
    #[error("one page is of another contract than the first")]
    OtherContract,
    /// Somebody is on two pages, or twice on one: the pages may go round in a circle.
    #[error("{0} is there twice")]
    Twice(SubjectId),
    /// There is no end of pages.
    #[error("it has more than {MAX_SUBJECTS} subjects or {MAX_BYTES} bytes")]
    Endless,
}

/// The pages that came so far.
#[derive(Debug, Default)]
pub(crate) struct Pages {
    whole: Option<Contract>,
    there: HashSet<SubjectId>,
    bytes: usize,
}

impl Pages {
    /// Adds a page of so many bytes. The answer is where the next one is.
    pub(crate) fn add(
        &mut self,
        mut page: Contract,
        bytes: usize,
    ) -> Result<Option<Url>, ContractFault> {
        self.bytes = self.bytes.saturating_add(bytes);
        if self.bytes > MAX_BYTES || self.there.len() + page.subjects.len() > MAX_SUBJECTS {
            return Err(ContractFault::Endless);
        }
        for entry in &page.subjects {
            if !self.there.insert(entry.id.clone()) {
                return Err(ContractFault::Twice(entry.id.clone()));
            }
        }
        let next = page.next.take();
        match &mut self.whole {
            Some(whole) if whole.id != page.id => return Err(ContractFault::OtherContract),
            Some(whole) => whole.subjects.extend(page.subjects),
            None => self.whole = Some(page),
        }
        Ok(next)
    }

    /// The contract; `None` before the first page.
    pub(crate) fn into_whole(self) -> Option<Contract> {
        self.whole
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const NEXT: &str = "https://bank.example/koshin/contract-after/1";

    fn page(id: &str, subjects: &[&str], next: bool) -> Contract {
        let subjects = subjects.iter().map(|id| {
            json!({
                "id": id,
                "name": "CN=Tanaka Hanako",
                "role": "user",
                "pin": "none",
                "certificates": [],
                "deferrals": 0,
            })
        });
        let mut page = json!({ "id": id, "name": "x", "subjects": subjects.collect::<Vec<_>>() });
        if next {
            page["next"] = NEXT.into();
        }
        serde_json::from_value(page).expect("a page")
    }

    // [CTR-08]
    #[test]
    fn pages_make_a_contract_with_everybody_in_their_order() {
        let mut pages = Pages::default();
        let next = pages.add(page("c", &["b", "a"], true), 1).expect("a page");
        assert_eq!(next.map(|url| url.to_string()).as_deref(), Some(NEXT));
        assert_eq!(pages.add(page("c", &["c"], false), 1), Ok(None));
        assert_eq!(pages.into_whole(), Some(page("c", &["b", "a", "c"], false)));
    }

    // [CTR-09]
    #[test]
    fn whoever_is_there_twice_or_elsewhere_ends_it() {
        let twice = ContractFault::Twice("a".parse().expect("an id"));
        let mut pages = Pages::default();
        pages.add(page("c", &["a", "b"], true), 1).expect("a page");
        assert_eq!(pages.add(page("c", &["c", "a"], true), 1), Err(twice.clone()));
        assert_eq!(Pages::default().add(page("c", &["a", "a"], false), 1), Err(twice));
        let mut pages = Pages::default();
        pages.add(page("c", &["a"], true), 1).expect("a page");
        assert_eq!(pages.add(page("d", &["b"], true), 1), Err(ContractFault::OtherContract));
    }

    // [CTR-10]
    #[test]
    fn pages_without_end_are_not_read_to_it() {
        let mut pages = Pages::default();
        pages.add(page("c", &["a"], true), MAX_BYTES - 1).expect("a page");
        assert_eq!(pages.add(page("c", &["b"], true), 1).map(|next| next.is_some()), Ok(true));
        assert_eq!(pages.add(page("c", &["c"], true), 1), Err(ContractFault::Endless));
        let mut pages = Pages::default();
        pages.there = (1..MAX_SUBJECTS).map(|n| n.to_string().parse().expect("an id")).collect();
        assert!(pages.add(page("c", &["a"], true), 1).is_ok());
        assert_eq!(pages.add(page("c", &["b"], true), 1), Err(ContractFault::Endless));
    }
}
