//! Whether the clock jumped: a comparison of two readings of it with the time that passed between them.
//!
//! What a jump means cannot be told by the bank. A clock that was set right jumps as one that was set wrong does, and so
//! does that of a machine that its host stopped for a while. So it believes neither time until the new one has been steady
//! for a day, and issues certificates so that they are valid by both.

use std::time::Duration;

use koshin_protocol::time::Time;

use super::Clock;

/// What two clocks may differ by without being wrong, in seconds.
pub const TOLERANCE: i64 = 5;

/// How long a clock that jumped is watched until its new time is believed.
pub const STEADY: Duration = Duration::from_hours(24);

/// The time, and how much of it has passed, at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    /// What the clock shows.
    pub now: Time,
    /// [`Clock::uptime`]
    pub uptime: Duration,
}

/// What a look at the clock found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// It shows another time than it would by what has passed since the look before.
    Jumped {
        /// By how many seconds; negative if it went back.
        seconds: i64,
        /// To where it would be without any of the jumps that are not believed: it was wrong, and is right again.
        back: bool,
    },
    /// The time after a jump has been steady for [`STEADY`], and counts.
    Believed,
}

/// When a certificate is issued: one moment, which a clock in doubt puts at two times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeOfIssue {
    /// The earlier one, for what must have begun whichever is right.
    pub earliest: Time,
    /// The one from which a whole validity is counted.
    pub counted_from: Time,
}

/// How long the clock has been steady, and what it would show if it had always been.
#[derive(Clone, Copy, Debug)]
pub struct Steadiness {
    last: Reading,
    /// The uptime at the newest jump, or when the watch began.
    since: Duration,
    jumps: u64,
    doubt: Option<Doubt>,
}

/// A jump whose new time is not believed yet.
#[derive(Clone, Copy, Debug)]
struct Doubt {
    /// The last reading before it.
    before: Reading,
    /// The time before it had been steady for [`STEADY`].
    proven: bool,
}

impl Reading {
    /// Reads the clock.
    pub fn of(clock: &dyn Clock) -> Self {
        Self { now: clock.now(), uptime: clock.uptime() }
    }

    /// What a clock that showed this shows at that uptime.
    fn carried_on(self, uptime: Duration) -> Time {
        let passed = uptime.saturating_sub(self.uptime).as_secs();
        let unix = self.now.unix().saturating_add_unsigned(passed);
        Time::from_unix(unix).unwrap_or(Time::MAX)
    }
}

impl From<Time> for TimeOfIssue {
    /// By a clock that is not in doubt.
    fn from(now: Time) -> Self {
        Self { earliest: now, counted_from: now }
    }
}

impl Steadiness {
    /// Begins to watch. What happened before is not known.
    pub fn new(first: Reading) -> Self {
        Self { last: first, since: first.uptime, jumps: 0, doubt: None }
    }

    /// A further look at the clock.
    pub fn look(&mut self, reading: Reading) -> Option<Event> {
        let before = *self;
        self.last = reading;
        let seconds = reading.now.seconds_since(before.last.carried_on(reading.uptime));
        if seconds.abs() > TOLERANCE {
            let doubt = before.doubt.unwrap_or_else(|| Doubt {
                before: before.last,
                proven: before.steady_for() >= STEADY,
            });
            let apart = reading.now.seconds_since(doubt.before.carried_on(reading.uptime));
            let back = apart.abs() <= TOLERANCE;
            self.doubt = (!back).then_some(doubt);
            self.since = reading.uptime;
            self.jumps += 1;
            return Some(Event::Jumped { seconds, back });
        }
        if self.doubt.is_some() && self.steady_for() >= STEADY {
            self.doubt = None;
            return Some(Event::Believed);
        }
        None
    }

    /// How long the clock had not jumped at the last look, as far as it was watched.
    pub fn steady_for(&self) -> Duration {
        self.last.uptime.saturating_sub(self.since)
    }

    /// How many jumps were noticed.
    pub fn jumps(&self) -> u64 {
        self.jumps
    }

    /// When something is issued that is issued at the last look.
    pub fn time_of_issue(&self) -> TimeOfIssue {
        let shown = self.last.now;
        let Some(Doubt { before, proven }) = self.doubt else { return shown.into() };
        let carried_on = before.carried_on(self.last.uptime);
        TimeOfIssue {
            earliest: shown.min(carried_on),
            // A day's steadiness is believed rather than none. Where neither time has it, as after a machine's start, too
            // long a validity does less harm than too short a one.
            counted_from: if proven { carried_on } else { shown.max(carried_on) },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: i64 = 1_800_000_000;
    const DAY: i64 = 86_400;

    /// A clock that is read as the test says: `(seconds that it shows, seconds that have passed)`, both since the start.
    fn reading((now, uptime): (i64, u64)) -> Reading {
        let now = Time::from_unix(START + now).expect("a time");
        Reading { now, uptime: Duration::from_secs(1000 + uptime) }
    }

    fn at(seconds: i64) -> Time {
        reading((seconds, 0)).now
    }

    fn watched(readings: &[(i64, u64)]) -> (Steadiness, Vec<Event>) {
        let mut steadiness = Steadiness::new(reading((0, 0)));
        let looks = readings.iter().map(|read| steadiness.look(reading(*read)));
        let events = looks.flatten().collect();
        (steadiness, events)
    }

    fn jumped(seconds: i64) -> Event {
        Event::Jumped { seconds, back: false }
    }

    #[test]
    fn a_clock_that_goes_with_the_time_never_jumps() {
        let (steadiness, events) = watched(&[(1, 1), (2, 2), (4000, 4000), (30 * DAY, 2_592_000)]);
        assert_eq!(events, []);
        assert_eq!(steadiness.steady_for(), Duration::from_hours(720));
        assert_eq!(steadiness.time_of_issue(), at(30 * DAY).into());
    }

    #[test]
    fn a_sleep_is_no_jump_since_both_clocks_count_it() {
        assert_eq!(watched(&[(1, 1), (8 * 3600, 28_800)]).1, []);
    }

    #[test]
    fn a_few_seconds_are_no_jump_and_do_not_add_up() {
        let readings: Vec<_> =
            (1..100_u32).map(|look| (i64::from(look) * 6, u64::from(look))).collect();
        assert_eq!(watched(&readings).1, []);
        assert_eq!(watched(&[(6, 1)]).1, []);
        assert_eq!(watched(&[(-4, 1)]).1, []);
        assert_eq!(watched(&[(7, 1)]).1, [jumped(6)]);
        assert_eq!(watched(&[(-5, 1)]).1, [jumped(-6)]);
    }

    #[test]
    fn a_jump_is_noticed_once_with_its_direction() {
        let (steadiness, events) = watched(&[(1, 1), (10 * DAY + 2, 2), (10 * DAY + 3, 3)]);
        assert_eq!(events, [jumped(10 * DAY)]);
        assert_eq!(steadiness.steady_for(), Duration::from_secs(1));
        assert_eq!(watched(&[(1, 1), (2 - 3600, 2), (3 - 3600, 3)]).1, [jumped(-3600)]);
    }

    #[test]
    fn a_clock_that_came_back_is_not_in_doubt_but_steady_only_from_then_on() {
        let (steadiness, events) =
            watched(&[(60, 60), (DAY, 61), (DAY + 9, 70), (71, 71), (73, 73)]);
        let back = Event::Jumped { seconds: 70 - (DAY + 9), back: true };
        assert_eq!(events, [jumped(DAY - 61), back]);
        assert_eq!(steadiness.time_of_issue(), at(73).into());
        assert_eq!(steadiness.steady_for(), Duration::from_secs(2));
    }

    #[test]
    fn a_clock_that_comes_back_in_two_jumps_came_back() {
        let (steadiness, events) = watched(&[(DAY, 1), (3600, 2), (3, 3)]);
        let back = Event::Jumped { seconds: 2 - 3600, back: true };
        assert_eq!(events[2..], [back]);
        assert_eq!(steadiness.time_of_issue(), at(3).into());
    }

    #[test]
    fn after_a_jump_ahead_a_certificate_begins_by_the_time_before() {
        let (steadiness, _) = watched(&[(1, 1), (10 * DAY, 2), (10 * DAY + 58, 60)]);
        assert_eq!(steadiness.time_of_issue().earliest, at(60));
    }

    #[test]
    fn after_a_jump_back_a_certificate_begins_by_the_time_shown() {
        let (steadiness, _) = watched(&[(1, 1), (2 - 3600, 2), (60 - 3600, 60)]);
        assert_eq!(steadiness.time_of_issue().earliest, at(60 - 3600));
    }

    #[test]
    fn a_validity_is_counted_from_a_proven_time_or_else_from_the_later_one() {
        let counted_from =
            |readings: &[(i64, u64)]| watched(readings).0.time_of_issue().counted_from;
        assert_eq!(counted_from(&[(730 * DAY, 1)]), at(730 * DAY));
        assert_eq!(counted_from(&[(-730 * DAY, 1)]), at(1));
        assert_eq!(counted_from(&[(DAY, 86_400), (730 * DAY, 86_401)]), at(DAY + 1));
        assert_eq!(counted_from(&[(DAY, 86_400), (-730 * DAY, 86_401)]), at(DAY + 1));
    }

    #[test]
    fn the_time_after_a_jump_is_believed_after_a_steady_day() {
        let (steadiness, events) = watched(&[(DAY, 1), (2 * DAY - 1, 86_400), (2 * DAY, 86_401)]);
        assert_eq!(events, [jumped(DAY - 1), Event::Believed]);
        assert_eq!(steadiness.time_of_issue(), at(2 * DAY).into());
        let (steadiness, events) = watched(&[(DAY, 1), (3 * DAY, 86_400), (4 * DAY - 1, 172_799)]);
        assert_eq!(events.len(), 2, "a second jump begins the day anew");
        assert_eq!(steadiness.time_of_issue().earliest, at(172_799));
    }

    #[test]
    fn an_uptime_read_out_of_order_is_no_jump() {
        assert_eq!(watched(&[(3, 3), (2, 2), (4, 4)]).1, []);
    }
}
