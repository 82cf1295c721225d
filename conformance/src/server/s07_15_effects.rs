//! SPEC.md 7.15: what a reissue does to the certificates, sessions, orders and reissues of its subject.

use koshin_protocol::order::StatusName;
use koshin_protocol::problem::Token;
use koshin_protocol::reissue;
use koshin_protocol::revocation::Reason;

use super::key::Key;
use super::s07_15_reissue::pair;
use super::{Bank, case, kebab};
use crate::case::{Case, Need, ensure};

/// The cases of this section.
pub(super) fn cases() -> Vec<Case<Bank>> {
    let mut cases = for_each_reason();
    cases.extend(for_others());
    for case in &mut cases {
        case.about.needs.push(Need::Full);
    }
    cases
}

fn for_each_reason() -> Vec<Case<Bank>> {
    Reason::ALL
        .into_iter()
        .map(|reason| {
            let at_once = matches!(reason, Reason::KeyCompromise | Reason::DeviceLost);
            let word = reason.as_str();
            let sentence = if at_once {
                format!("A reissue for `{word}` revokes the current and the superseded certificate at once.")
            } else {
                format!("A reissue for `{word}` revokes nothing before the enrollment is confirmed.")
            };
            case(format!("reissue/for-{}", kebab(word)), sentence).shows(if at_once { &["REI-09"] } else { &["REI-10", "ENR-15"] }).run(move |bank: Bank| async move {
                let (by, user) = pair(&bank).await?;
                let staged = bank.staged_for(user, StatusName::Completed).await?;
                let (ticket, _, _) = bank.reissue(&by, &staged.person, word).await?;
                let both = [&staged.person.pair, &staged.pair];
                if at_once {
                    for pair in both {
                        bank.refused_logon(pair, Token::CertificateRevoked).await?;
                    }
                    return Ok(());
                }
                bank.log_on_by(&staged.pair, None).await?;
                bank.refused_logon(&staged.person.pair, Token::CertificateSuperseded).await?;
                let placed = bank.enroll(&ticket, &staged.person).await?;
                bank.log_on_by(&staged.pair, None).await?;
                bank.confirm(&placed).await?;
                for pair in both {
                    bank.refused_logon(pair, Token::CertificateRevoked).await?;
                }
                Ok(())
            })
        })
        .collect()
}

fn for_others() -> Vec<Case<Bank>> {
    vec![
        case("reissue/voids-the-older", "A new reissue voids the open one of the subject, and its code is refused.").shows(&["REI-07", "ENR-13"]).run(|bank: Bank| async move {
            let made = bank.reissued(reissue::StatusName::Pending).await?;
            let (newer, _, _) = bank.reissue(&made.by, &made.person, "keyLost").await?;
            bank.reissue_stands(&made, reissue::StatusName::Voided).await?;
            let key = Key::new();
            let draft = bank.enrollment_draft(&made.ticket, made.person.pair.name(), &key).await?;
            bank.deliver(draft).await?.refused(Token::EnrollmentCanceled)?;
            bank.enroll(&newer, &made.person).await.map(drop)
        }),
        case("reissue/of-another-subject-stays", "A reissue leaves that of another subject open.").shows(&["REI-07", "STA-08"]).run(|bank: Bank| async move {
            let (administrator, user, other) = bank.three().await?;
            let by = bank.log_on(&administrator).await?;
            let made = bank.reissued_by(by, user, reissue::StatusName::Pending).await?;
            bank.reissue(&made.by, &other, "keyLost").await?;
            bank.reissue_stands(&made, reissue::StatusName::Pending).await
        }),
        case("reissue/ends-sessions-and-order", "A reissue ends the sessions and the open order of the subject, and revokes the order's certificate.").shows(&["REI-08", "ORD-23"]).run(|bank: Bank| async move {
            let (by, user) = pair(&bank).await?;
            let staged = bank.staged_for(user, StatusName::Valid).await?;
            let logon = bank.log_on(&staged.person).await?;
            bank.reissue(&by, &staged.person, "keyLost").await?;
            bank.read(&logon.url, &logon.by()).await?.refused(Token::SessionEnded)?;
            bank.invalid_for(&staged.placed, Token::OrderInvalid).await?;
            bank.refused_logon(&staged.pair, Token::CertificateRevoked).await?;
            ensure(bank.is_active(&by).await?, "the administrator's session active", "ended")
        }),
        case("reissue/redeemed-ends-them-again", "Redeeming a reissue ends the sessions and the order that began after it was created.").shows(&["REI-08", "ORD-13"]).run(|bank: Bank| async move {
            let made = bank.reissued(reissue::StatusName::Pending).await?;
            let staged = bank.staged_for(made.person.clone(), StatusName::Valid).await?;
            let logon = bank.log_on(&made.person).await?;
            bank.enroll(&made.ticket, &made.person).await?;
            bank.read(&logon.url, &logon.by()).await?.refused(Token::SessionEnded)?;
            bank.invalid_for(&staged.placed, Token::OrderInvalid).await?;
            bank.refused_logon(&staged.pair, Token::CertificateRevoked).await.map(drop)
        }),
    ]
}
