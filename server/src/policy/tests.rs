#![allow(clippy::unwrap_used, reason = "a test may stop where it stands")]

use koshin_protocol::environment::EnvironmentText;

use super::*;

fn time(text: &str) -> Time {
    text.parse().unwrap()
}

/// The seed's policy without the remarks behind its values, line by line the same.
fn seed() -> String {
    let lines = SHIPPED[0].1.lines().map(|line| line.split("  #").next().unwrap());
    lines.collect::<Vec<_>>().join("\n") + "\n"
}

/// The seed's policy with one piece of its text replaced.
fn with(old: &str, new: &str) -> Result<Policy, SettingsError> {
    assert!(seed().contains(old), "the seed's policy has no {old:?}");
    Policy::parse("bank.toml", &seed().replace(old, new))
}

fn refusal(old: &str, new: &str) -> String {
    with(old, new).expect_err("accepted").to_string()
}

fn in_zone(zone: &str) -> Policy {
    with("Asia/Tokyo", zone).unwrap()
}

#[test]
fn every_shipped_policy_is_read() {
    for (name, text) in SHIPPED {
        assert!(Policy::parse(name, text).is_ok(), "{:?}", Policy::parse(name, text));
        assert!(Policy::shipped(name).is_some());
    }
    assert!(Policy::shipped("sed").is_none());
}

#[test]
fn the_shipped_policies_are_what_banks_do() {
    let of = |name| Policy::shipped(name).unwrap();
    let seed = of("seed");
    assert_eq!((seed.renewal.window_days, seed.predecessor), (30, Predecessor::Supersede));
    assert_eq!(seed.certificate.term, Term::Years(1));
    assert_eq!(seed.pin.map(|pin| pin.rule), Some(PinRule::new(4, 16, true).unwrap()));
    assert_eq!(
        (seed.session.idle, seed.session.absolute),
        ("PT10M".parse().unwrap(), "PT60M".parse().unwrap())
    );
    let core = of("core");
    assert_eq!((core.profile, core.pin, core.rollback), (ProfileName::Core, None, None));
    let grace = of("one-year-grace");
    assert_eq!(grace.renewal.notice_days, [45, 30, 14, 7]);
    assert_eq!(
        (grace.renewal.window_days, grace.predecessor),
        (40, Predecessor::Grace(Period::from_days(14)))
    );
    let long = of("two-years-until-expiry");
    assert_eq!(
        (long.certificate.term, long.predecessor),
        (Term::Years(2), Predecessor::UntilExpiry)
    );
    assert_eq!((long.renewal.window_days, long.reissue.days), (80, 90));
    assert_eq!(of("365-days-early").certificate.term, Term::Days(365));
    let weeks = of("366-days-four-weeks");
    assert_eq!((weeks.certificate.term, weeks.renewal.window_days), (Term::Days(366), 28));
}

#[test]
fn the_window_opens_at_midnight_of_the_zone_thirty_days_before_the_local_day_of_not_after() {
    // 08:59:59 in Tokyo is 23:59:59 UTC of the day before: the local day counts.
    let not_after = time("2027-03-02T23:59:59Z");
    for (zone, opens) in [
        ("Asia/Tokyo", "2027-01-31T15:00:00Z"),
        ("UTC", "2027-01-31T00:00:00Z"),
        ("America/New_York", "2027-01-31T05:00:00Z"),
    ] {
        let window = in_zone(zone).window(not_after);
        assert_eq!((window.opens, window.closes), (time(opens), not_after), "{zone}");
    }
}

#[test]
fn the_window_opens_at_local_midnight_across_a_change_of_the_clocks() {
    let new_york = in_zone("America/New_York");
    // Summer time began on 2027-03-14: midnight of the opening is still winter's.
    assert_eq!(new_york.window(time("2027-03-31T16:00:00Z")).opens, time("2027-03-01T05:00:00Z"));
    // Summer time ended on 2027-11-07: midnight of the opening is still summer's.
    assert_eq!(new_york.window(time("2027-11-20T16:00:00Z")).opens, time("2027-10-21T04:00:00Z"));
}

#[test]
fn the_window_opens_at_the_days_first_instant_where_clocks_jump_over_midnight() {
    // In Santiago clocks went from 24:00 on 2026-09-05 to 01:00 on 2026-09-06, local time.
    let santiago = in_zone("America/Santiago");
    assert_eq!(santiago.window(time("2026-10-06T12:00:00Z")).opens, time("2026-09-06T04:00:00Z"));
}

#[test]
fn both_ends_of_the_window_belong_to_it() {
    let not_after = time("2027-03-02T23:59:59Z");
    let window = Policy::shipped("seed").unwrap().window(not_after);
    for (now, inside) in [
        ("2027-01-31T14:59:59Z", false),
        ("2027-01-31T15:00:00Z", true),
        ("2027-03-02T23:59:59Z", true),
        ("2027-03-03T00:00:00Z", false),
    ] {
        assert_eq!(window.contains(time(now)), inside, "{now}");
    }
}

#[test]
fn the_suggested_window_is_the_first_share_of_the_enforced_one() {
    let policy = with("suggestedShare = 50", "suggestedShare = 25").unwrap();
    let not_after = time("2027-01-31T00:00:00Z");
    let (enforced, suggested) = (policy.window(not_after), policy.suggested_window(not_after));
    assert_eq!(suggested.opens, enforced.opens);
    let length = |window: Window| window.closes.seconds_since(window.opens);
    assert_eq!(length(suggested) * 4, length(enforced));
}

#[test]
fn notices_come_at_local_midnight_longest_first() {
    let policy = Policy::shipped("one-year-grace").unwrap();
    let notices: Vec<_> = policy.notices(time("2027-03-02T23:59:59Z")).collect();
    assert_eq!(
        notices,
        [
            "2027-01-16T15:00:00Z",
            "2027-01-31T15:00:00Z",
            "2027-02-16T15:00:00Z",
            "2027-02-23T15:00:00Z"
        ]
        .map(time)
    );
}

#[test]
fn a_successor_ends_a_term_after_its_predecessor_in_the_banks_zone() {
    let tokyo = in_zone("Asia/Tokyo");
    assert_eq!(tokyo.not_after(time("2027-03-02T23:59:59Z")), time("2028-03-02T23:59:59Z"));
    // The 29th of February in Tokyo, the 28th in UTC: a year later both are the 28th there.
    assert_eq!(tokyo.not_after(time("2028-02-28T23:59:59Z")), time("2029-02-27T23:59:59Z"));
    assert_eq!(
        in_zone("UTC").not_after(time("2028-02-29T08:00:00Z")),
        time("2029-02-28T08:00:00Z")
    );
    let days = with("years = 1", "days = 366").unwrap();
    assert_eq!(days.not_after(time("2027-03-02T23:59:59Z")), time("2028-03-02T23:59:59Z"));
    let new_york = in_zone("America/New_York");
    assert_eq!(new_york.not_after(time("2027-03-14T12:00:00Z")), time("2028-03-14T12:00:00Z"));
}

#[test]
fn the_end_of_time_is_no_panic() {
    let policy = in_zone("Asia/Tokyo");
    for edge in ["9999-12-30T00:00:00Z", "0000-01-01T00:00:00Z"].map(time) {
        assert!(policy.not_after(edge) >= edge);
        assert!(policy.window(edge).opens <= edge);
        assert!(policy.suggested_window(edge).closes <= edge);
        assert!(policy.reissue_expires(edge) >= edge);
    }
}

#[test]
fn a_reissue_ends_with_its_code_or_with_its_last_local_day() {
    let now = time("2026-11-23T16:00:00Z"); // 01:00 on the 24th in Tokyo
    assert_eq!(Policy::shipped("seed").unwrap().reissue_expires(now), time("2026-12-07T16:00:00Z"));
    let days_only = with("code = \"P14D\"\n", "").unwrap();
    assert_eq!(days_only.reissue_expires(now), time("2027-02-12T14:59:59Z"));
}

#[test]
fn a_superseded_certificate_is_listed_only_once_it_cannot_be_rolled_back() {
    let confirmed = time("2026-11-23T00:00:00Z");
    let listed = |policy: Policy| policy.superseded_listed_from(confirmed);
    assert_eq!(listed(with("P7D\"\nconfirm", "off\"\nconfirm").unwrap()), Some(confirmed));
    assert_eq!(listed(Policy::shipped("seed").unwrap()), Some(time("2026-11-30T00:00:00Z")));
    assert_eq!(
        listed(Policy::shipped("one-year-grace").unwrap()),
        Some(time("2026-12-07T00:00:00Z"))
    );
    assert_eq!(listed(Policy::shipped("two-years-until-expiry").unwrap()), None);
    assert_eq!(
        refusal("then = \"supersede\"", "then = \"grace\"\ngrace = \"P6D\""),
        "bank.toml:20: `predecessor.grace` is \"P6D\"; allowed: a duration not shorter than order.rollback"
    );
}

#[test]
fn mistakes_are_named_with_line_key_value_and_what_is_allowed() {
    for (old, new, error) in [
        ("days = 30", "days = 0", "bank.toml:10: `window.days` is 0; allowed: 1 to 366 days"),
        (
            "days = 30",
            "day = 30",
            "bank.toml:10: unknown key `window.day`; known here: days, suggestedShare, notices",
        ),
        (
            "\"supersede\"",
            "\"superseded\"",
            "bank.toml:19: `predecessor.then` is \"superseded\"; allowed: \"supersede\", \"grace\", \"untilExpiry\"",
        ),
        (
            "Asia/Tokyo",
            "Asia/Tokio",
            "bank.toml:4: `timeZone` is \"Asia/Tokio\"; allowed: a name of the IANA time zone database, like \
             \"Asia/Tokyo\" or \"UTC\"",
        ),
        (
            "years = 1",
            "years = 1\ndays = 365",
            "bank.toml:16: `certificate.days` is 365; allowed: either certificate.years or certificate.days, not both",
        ),
        (
            "notices = [30]",
            "notices = [14, 30]",
            "bank.toml:12: `window.notices` is [14, 30]; allowed: one or more numbers of days before expiry, longest \
             first, like [45, 30, 14, 7]",
        ),
        (
            "maxLength = 16",
            "maxLength = 3",
            "bank.toml:28: `pin.maxLength` is 3; allowed: 4 to 64 characters",
        ),
        (
            "absolute = \"PT60M\"",
            "absolute = \"PT5M\"",
            "bank.toml:32: `session.absolute` is \"PT5M\"; allowed: a duration not shorter than session.idle",
        ),
        (
            "\"full\"",
            "\"core\"",
            "bank.toml:22: `order.rollback` is \"P7D\"; allowed: \"off\", because profile \"core\" has no rollback",
        ),
    ] {
        assert_eq!(refusal(old, new), error);
    }
}

#[test]
fn es256_cannot_be_left_out_and_nothing_named_twice() {
    assert!(
        refusal("[\"ES256\", \"ES384\"", "[\"ES384\"")
            .starts_with("bank.toml:6: `algorithms` is [\"ES384\", ")
    );
    assert!(refusal("[\"P-256\", ", "[").starts_with("bank.toml:5: `keyTypes` is "));
    assert!(refusal("\"P-384\"", "\"P-256\"").starts_with("bank.toml:5: `keyTypes` is "));
    assert!(refusal("\"nss\"", "\"file\"").starts_with("bank.toml:7: `keyStores` is "));
    assert!(refusal("\"nss\"", "\"\"").starts_with("bank.toml:7: `keyStores[3]` is \"\""));
}

#[test]
fn environments_are_read_with_their_least_versions() {
    let text = format!(
        "{}\n[[environment]]\nos = \"windows\"\nosVersion = \"10.0\"\n\n[[environment]]\nos = \"linux\"\n",
        seed()
    );
    let policy = Policy::parse("bank.toml", &text).unwrap();
    assert_eq!(policy.environments.len(), 2);
    assert_eq!(
        policy.environments[0].os_version.as_ref().map(EnvironmentText::as_str),
        Some("10.0")
    );
    let error = Policy::parse("bank.toml", &text.replace("10.0", "10.x")).unwrap_err();
    assert_eq!(
        error.to_string(),
        "bank.toml:43: `environment[0].osVersion` is \"10.x\"; allowed: a version in dotted decimals, like \"10.0\""
    );
}

#[test]
fn a_policy_has_a_pin_exactly_in_profile_full() {
    let seed = seed();
    let (before, pin) = seed.split_once("[pin]").unwrap();
    let (_, after) = pin.split_once("\n[session]").unwrap();
    let without = format!("{before}[session]{after}");
    assert_eq!(
        Policy::parse("bank.toml", &without).unwrap_err().to_string(),
        "bank.toml:1: `pin` is missing; allowed: a table [pin], because profile \"full\" has PINs"
    );
    let core =
        without.replace("\"full\"", "\"core\"").replace("rollback = \"P7D\"", "rollback = \"off\"");
    assert_eq!(Policy::parse("bank.toml", &core).unwrap().pin, None);
    let with_pin = format!("{core}\n[pin]\nrequired = false\nminLength = 4\nmaxLength = 8\n");
    assert!(Policy::parse("bank.toml", &with_pin).unwrap_err().to_string().contains("has no PIN"));
}

#[test]
fn a_reissue_never_lasts_longer_than_ninety_days() {
    let policy = with("days = 80\ncode = \"P14D\"", "days = 90").unwrap();
    let now = time("2026-11-23T16:00:00Z");
    assert_eq!(policy.reissue_expires(now), time("2027-02-21T16:00:00Z"));
}
