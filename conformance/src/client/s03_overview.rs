//! SPEC.md 3: the plain things, and how many requests they take.

use super::case;
use super::plain::{Ability, tried};
use super::stage::Play;
use crate::case::{Case, Outcome, ensure};

/// The cases.
pub(super) fn cases() -> Vec<Case<Play>> {
    let mut cases: Vec<_> = Ability::ALL.into_iter().map(plain).collect();
    cases.push(
        case(
            "plain/four-requests",
            "A whole renewal sends each of directory, newSession, newOrder and confirm once.",
        )
        .shows(&["CLI-65"])
        .run(four_requests),
    );
    cases
}

fn plain(ability: Ability) -> Case<Play> {
    let (sentence, shows): (_, &[&str]) = match ability {
        Ability::Renew => (
            "A renewal leaves the new pair as the client's current one, confirmed at the bank.",
            &["CLI-64", "CLI-65", "CLI-73", "HTP-20", "ALG-02"],
        ),
        Ability::Resume => {
            ("A client that was killed before its confirm takes the renewal up.", &["CLI-50"])
        }
        Ability::Defer => {
            ("A deferral is counted by the bank, and nothing is ordered.", &["NTC-12"])
        }
        Ability::Cancel => (
            "A cancel before confirm leaves the old pair current, and the order canceled.",
            &["CLI-80"],
        ),
        Ability::Rollback => (
            "A rollback after a renewal leaves the old pair current, and the order rolled back.",
            &["CLI-82", "CLI-90"],
        ),
        Ability::Enroll => (
            "An enrollment by a ticket ends with the new pair as the client's current one.",
            &["ENR-17", "COD-02", "COD-03"],
        ),
    };
    case(ability.slug(), sentence).shows(shows).run(move |play| tried(play, ability))
}

async fn four_requests(play: Play) -> Outcome {
    let stage = play.stage().await?;
    let ended = stage.renew().await?;
    stage.renewed(&ended).await?;
    for operation in ["newSession", "newOrder", "confirm"] {
        let count = stage.of(operation).len();
        ensure(count == 1, format_args!("one {operation}"), count)?;
    }
    Ok(())
}
