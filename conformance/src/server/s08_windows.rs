//! SPEC.md 8: the enforced window, notices, deferral.

use jiff::tz::TimeZone;
use koshin_protocol::notice::Notice;
use koshin_protocol::problem::Token;
use koshin_protocol::renewal_info::{RenewalInfo, Window};
use koshin_protocol::session::Session;
use koshin_protocol::subject::Role;
use koshin_protocol::time::Time;

use super::bank::date;
use super::deed::Logon;
use super::key::Key;
use super::person::{DAY, Person, seconds_after};
use super::{Bank, case};
use crate::case::{Case, Need, Outcome, Prepares as _, Stop, ensure};

/// The cases of this chapter.
pub(super) fn cases() -> Vec<Case<Bank>> {
    let mut cases = windows();
    cases.extend(openings());
    cases.extend(notices());
    cases.extend(deferrals());
    cases
}

/// The zone and the days of the bank's window.
async fn rule(bank: &Bank) -> Outcome<(TimeZone, u32)> {
    let directory = bank.directory().await?;
    let zone = TimeZone::get(&directory.meta.time_zone)
        .map_err(|error| Stop::fail("the IANA name of a zone in meta.timeZone", error))?;
    Ok((zone, directory.meta.window.days()))
}

/// The window that SPEC.md 8.1 gives a certificate.
async fn computed(bank: &Bank, not_after: Time) -> Outcome<Window> {
    let (zone, days) = rule(bank).await?;
    Window::enforced(not_after, days, &zone)
        .ok_or_else(|| Stop::blocked("the window cannot be computed"))
}

/// The last second of the local day that is so many days from today's, and so many seconds later.
async fn local_midnight(bank: &Bank, days: i32, seconds: i64) -> Outcome<Time> {
    let (zone, _) = rule(bank).await?;
    let today = bank.now().timestamp().to_zoned(zone.clone()).date();
    let day = today.checked_add(jiff::Span::new().days(days + 1)).ok();
    let start = day.and_then(|day| day.to_zoned(zone).ok());
    let start = start.ok_or_else(|| Stop::blocked("a day that cannot be computed"))?;
    Time::from_timestamp(start.timestamp())
        .map(|start| seconds_after(start, seconds - 1))
        .map_err(Stop::blocked)
}

async fn until(bank: &Bank, not_after: Time) -> Outcome<Person> {
    bank.person(bank.wanted(Role::User).await?.until(not_after)).await
}

async fn enforced(bank: &Bank, person: &Person) -> Outcome<Window> {
    let answer = bank.try_renewal_info(person.pair.cert_id().as_str()).await?;
    Ok(answer.object::<RenewalInfo>(200)?.enforced_window)
}

fn same(what: &str, expected: Window, got: Window) -> Outcome {
    let said = |window: Window| format!("{} to {}", window.start(), window.end());
    ensure(expected == got, format_args!("{what} of {}", said(expected)), said(got))
}

fn windows() -> Vec<Case<Bank>> {
    // Around the local midnight, where a day more or less is easily counted.
    const ENDS: [(&str, &str, i64); 4] = [
        ("last-second-of-a-day", "in the last second of a local day", 0),
        ("first-second-of-a-day", "in the first second of a local day", 1),
        ("noon", "at noon", 12 * 3600),
        ("utc-midnight", "around midnight of UTC", 9 * 3600),
    ];
    ENDS
        .into_iter()
        .map(|(name, said, seconds)| {
            let sentence = format!(
                "renewalInfo and notice of a certificate that ends {said} have the window that is computed by days of `meta.timeZone`."
            );
            case(format!("window/{name}"), sentence).shows(&["WIN-01", "NTC-10"]).run(
                move |bank: Bank| async move {
                    let person = until(&bank, local_midnight(&bank, 3, seconds).await?).await?;
                    let expected = computed(&bank, person.pair.not_after()).await?;
                    same("enforcedWindow", expected, enforced(&bank, &person).await?)?;
                    let logon = bank.log_on(&person).await?;
                    let notice = notice_of(&logon.session)?;
                    same("`window` of the notice", expected, notice.window)?;
                    ensure(
                        notice.expires == person.pair.not_after(),
                        format_args!("`expires` {}", person.pair.not_after()),
                        notice.expires,
                    )
                },
            )
        })
        .collect()
}

fn openings() -> Vec<Case<Bank>> {
    vec![
        case("window/opened-today", "A certificate whose window opened in the first second of today is renewed.")
            .shows(&["WIN-02", "WIN-01"])
            .run(|bank: Bank| async move {
                let (_, days) = rule(&bank).await?;
                let days = i32::try_from(days).map_err(Stop::blocked)?;
                let person = until(&bank, local_midnight(&bank, days, 0).await?).await?;
                let logon = bank.log_on(&person).await?;
                let answer = bank.try_order(&logon, &Key::new()).await?;
                let window = computed(&bank, person.pair.not_after()).await?;
                let open = date(&answer).is_some_and(|date| window.contains(date));
                ensure(open, "a window that is open", window.start()).prepares("this case")?;
                answer.status(201)
            }),
        case("window/opens-tomorrow", "A certificate whose window opens in the first second of tomorrow is refused, with that second.")
            .shows(&["WIN-01", "ORD-07"])
            .run(|bank: Bank| async move {
                let (_, days) = rule(&bank).await?;
                let days = i32::try_from(days).map_err(Stop::blocked)?;
                let person = until(&bank, local_midnight(&bank, days, 1).await?).await?;
                let logon = bank.log_on(&person).await?;
                let answer = bank.try_order(&logon, &Key::new()).await?;
                let window = computed(&bank, person.pair.not_after()).await?;
                if date(&answer).is_none_or(|date| date >= window.start()) {
                    return Err(Stop::blocked("midnight came in between"));
                }
                let problem = answer.refused(Token::TooEarly)?;
                ensure(
                    problem.remedy.not_before == Some(window.start()),
                    format_args!("`notBefore` {}", window.start()),
                    format!("{:?}", problem.remedy.not_before),
                )?;
                // The same request is accepted of a certificate that is in its window.
                let other = bank.log_on(&bank.user().await?).await?;
                bank.try_order(&other, &Key::new()).await?.status(201).prepares("newOrder in the window")
            }),
        case("window/last-second", "A certificate logs on and orders in its last second, and no more in the second after the next.")
            .shows(&["WIN-03", "AUT-08"])
            .needs(&[Need::Time])
            .run(|bank: Bank| async move {
                let person = bank.user_for(9).await?;
                let not_after = person.pair.not_after();
                let logon = bank.log_on(&person).await?;
                bank.wait_until(not_after).await;
                let answer = bank.try_log_on_for(&person.pair, None, "renewal").await?;
                if date(&answer).is_none_or(|date| date > not_after) {
                    return Err(Stop::blocked("the last second was over before the answer came"));
                }
                bank.logged_on(&person.pair, &answer)?;
                bank.wait_until(seconds_after(not_after, 2)).await;
                let answer = bank.try_log_on_for(&person.pair, None, "renewal").await?;
                answer.refused(Token::CertificateExpired)?;
                let answer = bank.try_order(&logon, &Key::new()).await?;
                answer.refused_with(&[Token::CertificateExpired, Token::SessionEnded]).map(drop)
            }),
    ]
}

fn notice_of(session: &Session) -> Outcome<&Notice> {
    session.notice.as_ref().ok_or_else(|| Stop::fail("a notice in the session", "none"))
}

async fn again(bank: &Bank, person: &Person) -> Outcome<(Logon, Notice)> {
    let logon = bank.log_on(person).await?;
    let notice = notice_of(&logon.session)?.clone();
    Ok((logon, notice))
}

fn count(notice: &Notice) -> u32 {
    notice.deferred.map_or(0, |deferred| deferred.count.get())
}

/// Defers, and the notice of the session after it.
async fn defer(bank: &Bank, logon: &Logon) -> Outcome<Notice> {
    let answer = bank.try_defer(logon, &logon.defer()?).await?;
    Ok(notice_of(&answer.object::<Session>(200)?)?.clone())
}

fn notices() -> Vec<Case<Bank>> {
    vec![
        case("notice/in-the-window", "The session of a current certificate in its window has a notice, at each read.")
            .shows(&["NTC-10"])
            .run(|bank: Bank| async move {
                let person = bank.user().await?;
                let (logon, notice) = again(&bank, &person).await?;
                ensure(notice.expires == person.pair.not_after(), person.pair.not_after(), notice.expires)?;
                ensure(notice.window.contains(bank.now()), "an open window", notice.window.start())?;
                notice_of(&bank.read_session(&logon).await?).map(drop)
            }),
        case("notice/none-after-renewal", "The session of a certificate that was just issued has no notice, unless policy gives early ones.")
            .shows(&["NTC-10", "NTC-11"])
            .run(|bank: Bank| async move {
                let renewed = bank.renew(&bank.user().await?).await?;
                let logon = bank.log_on_by(&renewed.pair, None).await?;
                let Some(notice) = &logon.session.notice else { return Ok(()) };
                let expected = computed(&bank, renewed.pair.not_after()).await?;
                same("`window` of an early notice", expected, notice.window)?;
                ensure(notice.defer.is_none(), "no `defer` before the window", "one")
            }),
    ]
}

fn deferrals() -> Vec<Case<Bank>> {
    vec![
        case("defer/offered", "`defer` is in the notice while the window is open and no order is, and again after a cancel.")
            .shows(&["NTC-20"])
            .run(|bank: Bank| async move {
                let logon = bank.log_on(&bank.user().await?).await?;
                let offered = |session: &Session| session.notice.as_ref().is_some_and(|notice| notice.defer.is_some());
                ensure(offered(&logon.session), "`defer` before an order", "none")?;
                let placed = bank.order(&logon).await?;
                let session = bank.read_session(&logon).await?;
                ensure(!offered(&session), "no `defer` beside an open order", "one")?;
                bank.cancel(&placed, &logon).await?;
                let session = bank.read_session(&logon).await?;
                ensure(offered(&session), "`defer` after the cancel", "none")
            }),
        case("defer/counted-once", "A second deferral in one session is not counted, one in the next session is.")
            .shows(&["NTC-21"])
            .run(|bank: Bank| async move {
                let person = bank.user().await?;
                let (logon, before) = again(&bank, &person).await?;
                ensure(count(&before) == 0, "no deferral before", count(&before))?;
                let first = defer(&bank, &logon).await?;
                ensure(count(&first) == 1, "1 deferral", count(&first))?;
                let second = defer(&bank, &logon).await?;
                ensure(count(&second) == 1, "1 deferral still", count(&second))?;
                let (logon, _) = again(&bank, &person).await?;
                let third = defer(&bank, &logon).await?;
                ensure(count(&third) == 2, "2 deferrals", count(&third))
            }),
        case("defer/offered-again", "The logon after a deferral offers the renewal again, and says when it was deferred.")
            .shows(&["NTC-22"])
            .run(|bank: Bank| async move {
                let person = bank.user().await?;
                let (logon, _) = again(&bank, &person).await?;
                let began = bank.now();
                defer(&bank, &logon).await?;
                let (_, notice) = again(&bank, &person).await?;
                ensure(notice.defer.is_some(), "`defer`", "none")?;
                let Some(deferred) = notice.deferred else {
                    return Err(Stop::fail("`deferrals` 1 and `deferredAt`", "none"));
                };
                ensure(deferred.count.get() == 1, "`deferrals` 1", deferred.count)?;
                let late = deferred.last.seconds_since(began);
                ensure((-2..=30).contains(&late), format_args!("`deferredAt` at {began}"), deferred.last)
            }),
        case("defer/refused-beside-an-order", "While an order is open the renewal is not deferred, by a URL that was offered before.")
            .shows(&["NTC-23"])
            .run(|bank: Bank| async move {
                let logon = bank.log_on(&bank.user().await?).await?;
                let url = logon.defer()?;
                let placed = bank.order(&logon).await?;
                bank.try_defer(&logon, &url).await?.refused(Token::DeferralRefused)?;
                bank.cancel(&placed, &logon).await?;
                bank.try_defer(&logon, &url).await?.object::<Session>(200).prepares("the deferral after the cancel").map(drop)
            }),
        case("defer/changes-nothing-else", "A deferred renewal has the same window and expiry, and is accepted in the same session.")
            .shows(&["NTC-24"])
            .run(|bank: Bank| async move {
                let person = bank.user().await?;
                let before = enforced(&bank, &person).await?;
                let (logon, one) = again(&bank, &person).await?;
                let other = defer(&bank, &logon).await?;
                same("the window after the deferral", before, other.window)?;
                same("enforcedWindow after the deferral", before, enforced(&bank, &person).await?)?;
                ensure(one.expires == other.expires, one.expires, other.expires)?;
                bank.try_order(&logon, &Key::new()).await?.status(201)
            }),
        case("defer/renewed-before-expiry", "A renewal that was deferred at two logons is made at the third.")
            .shows(&["NTC-22", "NTC-24"])
            .run(|bank: Bank| async move {
                let person = bank.user().await?;
                for expected in [1, 2] {
                    let (logon, _) = again(&bank, &person).await?;
                    let notice = defer(&bank, &logon).await?;
                    ensure(count(&notice) == expected, expected, count(&notice)).prepares("a deferral")?;
                }
                let renewed = bank.renew(&person).await?;
                let later = renewed.pair.not_after().seconds_since(person.pair.not_after());
                ensure(later > DAY, "a certificate that lasts longer", renewed.pair.not_after())
            }),
    ]
}
