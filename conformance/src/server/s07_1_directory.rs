//! SPEC.md 7.1 to 7.3: directory and renewalInfo.

use http::header::{ETAG, IF_NONE_MATCH};
use http::{HeaderMap, Method};
use koshin_protocol::directory::Directory;
use koshin_protocol::problem::Token;
use koshin_protocol::renewal_info::RenewalInfo;
use koshin_protocol::subject::Role;

use super::key::Pair;
use super::person::{DAY, seconds_after};
use super::refusal::alike;
use super::{Bank, case};
use crate::case::{Case, Need, Outcome, Stop, ensure};

/// The cases of these sections.
pub(super) fn cases() -> Vec<Case<Bank>> {
    let mut cases = vec![
        case(
            "directory/get",
            "The directory is answered 200, unsigned, with the members of its table.",
        )
        .shows(&["DIR-01"])
        .run(|bank: Bank| async move {
            bank.get(&bank.target.directory_url).await?.object::<Directory>(200).map(drop)
        }),
        case("directory/again", "The directory says the same again.").shows(&["DIR-01"]).run(
            |bank: Bank| async move {
                let first = bank.directory().await?;
                let again: Directory = bank.get(&bank.target.directory_url).await?.object(200)?;
                ensure(again == *first, "the same directory", "another")
            },
        ),
        case(
            "renewal-info/in-window",
            "renewalInfo of a current certificate in its window is answered 200.",
        )
        .shows(&["RNI-01", "RNI-04", "WIN-01"])
        .run(|bank: Bank| async move {
            let user = bank.user().await?;
            let info: RenewalInfo =
                bank.try_renewal_info(user.pair.cert_id().as_str()).await?.object(200)?;
            let (suggested, enforced) = (info.suggested_window, info.enforced_window);
            ensure(enforced.end() == user.pair.not_after(), user.pair.not_after(), enforced.end())?;
            ensure(enforced.contains(bank.now()), "an open window", format!("{enforced:?}"))?;
            let inside = enforced.contains(suggested.start()) && enforced.contains(suggested.end());
            ensure(
                inside,
                format!("`suggestedWindow` inside {enforced:?}"),
                format!("{suggested:?}"),
            )
        }),
        case(
            "renewal-info/before-window",
            "renewalInfo is answered 200 before the window opens, too.",
        )
        .shows(&["RNI-01"])
        .run(|bank: Bank| async move {
            let user = bank.person(early(&bank).await?).await?;
            let info: RenewalInfo =
                bank.try_renewal_info(user.pair.cert_id().as_str()).await?.object(200)?;
            ensure(
                !info.enforced_window.contains(bank.now()),
                "a window that is not open yet",
                format!("{:?}", info.enforced_window),
            )
        }),
        case("renewal-info/etag", "renewalInfo has an `ETag`, and is answered 304 to it.")
            .shows(&["RNI-08"])
            .run(|bank: Bank| async move {
                let user = bank.user().await?;
                let id = user.pair.cert_id();
                let answer = bank.try_renewal_info(id.as_str()).await?;
                answer.status(200)?;
                let etag = answer.header(&ETAG).ok_or_else(|| answer.not("`ETag`"))?.to_owned();
                let mut headers = bank.with_host(HeaderMap::new());
                headers.insert(IF_NONE_MATCH, etag.parse().map_err(Stop::blocked)?);
                let path = format!("{}/{id}", bank.directory().await?.renewal_info.path());
                let again = bank.send(Method::GET, &path, headers.clone(), Vec::new()).await?;
                again.empty(304)?;
                headers.insert(IF_NONE_MATCH, "\"another\"".parse().map_err(Stop::blocked)?);
                bank.send(Method::GET, &path, headers, Vec::new()).await?.status(200)
            }),
        case("renewal-info/does-not-say-which", "What cannot renew is refused without saying why.")
            .shows(&["RNI-02"])
            .run(|bank: Bank| async move {
                let superseded = bank.user().await?;
                bank.renew(&superseded).await?;
                let revoked = bank.user().await?;
                bank.revoke_itself(&revoked.pair, "unspecified").await?;
                let one = bank.try_renewal_info(superseded.pair.cert_id().as_str()).await?;
                let other = bank.try_renewal_info(revoked.pair.cert_id().as_str()).await?;
                one.refused(Token::NotRenewable)?;
                alike(&one, &other)
            }),
    ];
    for state in ["unconfirmed", "superseded", "revoked", "expired"] {
        cases.push(
            case(
                format!("renewal-info/{state}"),
                format!("renewalInfo of a certificate that is {state} is refused."),
            )
            .shows(&["RNI-02"])
            .run(move |bank: Bank| async move {
                let pair = pair_that_is(&bank, state).await?;
                bank.try_renewal_info(pair.cert_id().as_str())
                    .await?
                    .refused(Token::NotRenewable)
                    .map(drop)
            }),
        );
    }
    for (name, sentence, id) in [
        (
            "unknown",
            "renewalInfo of a certID that the bank does not know is not found.",
            "aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE",
        ),
        ("odd", "renewalInfo of what is no certID is not found.", "odd"),
        (
            "padded",
            "renewalInfo of a padded certID is not found.",
            "aYhba4dGQEHhs3uEe6CuLN4ByNQ=.AIdlQyE=",
        ),
        (
            "two-dots",
            "renewalInfo of a certID with a further part is not found.",
            "aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE.AA",
        ),
        (
            "empty-serial",
            "renewalInfo of a certID without a serial is not found.",
            "aYhba4dGQEHhs3uEe6CuLN4ByNQ.",
        ),
        ("empty", "renewalInfo of nothing is not found.", ""),
    ] {
        cases.push(case(format!("renewal-info/{name}"), sentence).shows(&["RNI-03"]).run(
            move |bank: Bank| async move {
                let user = bank.user().await?;
                bank.try_renewal_info(user.pair.cert_id().as_str()).await?.status(200)?;
                bank.try_renewal_info(id).await?.refused(Token::NotFound).map(drop)
            },
        ));
    }
    cases.push(
        case(
            "renewal-info/expires-meanwhile",
            "renewalInfo is refused from the second after notAfter on.",
        )
        .shows(&["RNI-02", "WIN-03"])
        .needs(&[Need::Time])
        .run(expires_meanwhile),
    );
    cases
}

/// A pair whose certificate is in this state, and renewable before, unless it is expired.
async fn pair_that_is(bank: &Bank, state: &str) -> Outcome<Pair> {
    let person = if state == "expired" {
        let until = seconds_after(bank.now(), -DAY);
        return Ok(bank.person(bank.wanted(Role::User).await?.until(until)).await?.pair);
    } else {
        bank.user().await?
    };
    bank.try_renewal_info(person.pair.cert_id().as_str()).await?.status(200)?;
    match state {
        "unconfirmed" => return bank.order(&bank.log_on(&person).await?).await?.pair(),
        "superseded" => drop(bank.renew(&person).await?),
        _ => bank.revoke_itself(&person.pair, "unspecified").await?,
    }
    Ok(person.pair)
}

/// Somebody whose window does not open for days.
pub(super) async fn early(bank: &Bank) -> Outcome<super::person::Wanted> {
    let days = i64::from(bank.directory().await?.meta.window.days());
    let until = seconds_after(bank.now(), (days + 20) * DAY);
    Ok(bank.wanted(Role::User).await?.until(until))
}

async fn expires_meanwhile(bank: Bank) -> Outcome {
    let person = bank.user_for(8).await?;
    let id = person.pair.cert_id();
    bank.try_renewal_info(id.as_str()).await?.status(200)?;
    bank.wait_until(seconds_after(person.pair.not_after(), 2)).await;
    bank.try_renewal_info(id.as_str()).await?.refused(Token::NotRenewable).map(drop)
}
