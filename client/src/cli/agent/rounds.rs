//! The agent's day: who is looked at when, what changed in the folder, and what the administrator and the service manager
//! want.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::sync::Arc;
use std::time::Duration;

use koshin_client::Class;
use koshin_client::clock::{Clock, SystemClock};
use koshin_protocol::time::Time;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::Instant;

use super::event::Event;
use super::visit::{Rest, TROUBLE, Visit, Why};
use super::{Shared, notify, trace::Trace};
use crate::cli::failure::worse;
use crate::cli::home::IdentityName;

/// Identities that are looked at at the same time: one whose bank does not answer keeps the others from nothing.
const AT_ONCE: usize = 4;

/// The longest pause of an identity that cannot be worked with.
const CEILING: Duration = Duration::from_hours(6);

/// All identities, and when to look at each.
pub(crate) struct Rounds {
    shared: Arc<Shared>,
    /// The one that was asked for, or all.
    only: Option<IdentityName>,
    watched: BTreeMap<IdentityName, Watched>,
    under_way: JoinSet<Rest>,
    names: HashMap<Id, IdentityName>,
}

/// One identity.
struct Watched {
    trace: Trace,
    /// When to look, by the timer and by the clock: whichever comes first, since a machine that slept has a timer that
    /// stood still, and a clock that was set back one that went on.
    due: Option<(Instant, Time)>,
    why: Why,
    is_under_way: bool,
    troubles: u32,
    rest: Option<Rest>,
}

/// What a signal means.
enum Wish {
    Stop,
    Reload,
}

/// The signals that the agent listens to.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
}

impl Rounds {
    pub(crate) fn new(shared: &Arc<Shared>, only: Option<IdentityName>) -> Self {
        Self {
            shared: Arc::clone(shared),
            only,
            watched: BTreeMap::new(),
            under_way: JoinSet::new(),
            names: HashMap::new(),
        }
    }

    /// Looks at every identity once. How many there are, and what is wrong with any, the worst of it.
    pub(crate) async fn once(mut self) -> io::Result<(usize, Option<Class>)> {
        let mut signals = Signals::new()?;
        self.look_around(true);
        self.start_due();
        while !self.under_way.is_empty() {
            tokio::select! {
                Some(ended) = self.under_way.join_next_with_id() => {
                    self.ended(ended);
                    if !self.shared.stop.is_requested() {
                        self.start_new();
                    }
                }
                Some(wish) = signals.next() => match wish {
                    Wish::Stop => self.stop(),
                    // It ends anyway.
                    Wish::Reload => {}
                },
            }
        }
        let classes = self.watched.values().map(|watched| watched.rest?.class);
        Ok((self.watched.len(), classes.fold(None, worse)))
    }

    /// Looks after the identities until it is told to stop.
    pub(crate) async fn for_ever(mut self) -> io::Result<()> {
        let mut signals = Signals::new()?;
        let watchdog = notify::watchdog_every();
        self.look_around(true);
        self.shared.log.tell(&Event::AgentStarted { identities: self.watched.len() });
        notify::ready(&self.status());
        let (mut looked, mut barked) = (Instant::now(), Instant::now());
        while !self.shared.stop.is_requested() {
            self.start_due();
            let look = looked + self.shared.config().look_every();
            let bark = watchdog.map(|every| barked + every);
            let wake = bark.map_or(look, |bark| bark.min(look)).min(self.next_due());
            tokio::select! {
                Some(ended) = self.under_way.join_next_with_id() => {
                    self.ended(ended);
                    notify::status(&self.status());
                }
                () = tokio::time::sleep_until(wake) => {}
                Some(wish) = signals.next() => match wish {
                    Wish::Stop => self.stop(),
                    Wish::Reload => {
                        self.reload();
                        looked = Instant::now();
                    }
                },
            }
            let now = Instant::now();
            if now >= look {
                self.look_around(false);
                looked = now;
            }
            if bark.is_some_and(|bark| now >= bark) {
                notify::watchdog();
                barked = now;
            }
        }
        while !self.under_way.is_empty() {
            tokio::select! {
                Some(ended) = self.under_way.join_next_with_id() => self.ended(ended),
                Some(wish) = signals.next() => match wish {
                    // Whoever asks twice does not want to wait.
                    Wish::Stop => self.under_way.abort_all(),
                    Wish::Reload => {}
                },
            }
        }
        Ok(())
    }

    fn stop(&self) {
        notify::stopping();
        self.shared.log.tell(&Event::Stopping);
        self.shared.stop.request();
    }

    /// Reads the configuration anew, and looks at everything.
    fn reload(&mut self) {
        notify::reloading();
        match self.shared.reload() {
            Ok(()) => self.shared.log.tell(&Event::Reloaded),
            Err(error) => {
                self.shared.log.tell(&Event::ConfigUnusable { reason: error.to_string() });
            }
        }
        self.look_around(false);
        for watched in self.watched.values_mut() {
            watched.due = Some(at_once());
        }
        notify::ready(&self.status());
    }

    /// Finds out which identities there are, and which of them changed.
    fn look_around(&mut self, is_start: bool) {
        let names = match self.shared.home.names() {
            Ok(names) => names,
            Err(failure) => {
                let reason = self.shared.words(&failure);
                return self.shared.log.tell(&Event::Unusable { class: Class::Act, reason });
            }
        };
        let config = self.shared.config();
        let wanted = |name: &IdentityName| {
            self.only.as_ref().is_none_or(|only| only == name) && config.renews(name.as_str())
        };
        let names = names.into_iter().filter(wanted).collect::<Vec<_>>();
        self.watched.retain(|name, watched| {
            let stays = names.contains(name) || watched.is_under_way;
            if !stays {
                self.shared.log.tell_of(name, &Event::Gone);
            }
            stays
        });
        for name in names {
            let trace = Trace::of(&self.shared, &name);
            match self.watched.get_mut(&name) {
                Some(watched) if watched.trace == trace => {}
                Some(watched) => {
                    watched.trace = trace;
                    watched.due = Some(at_once());
                }
                None => {
                    if !is_start {
                        self.shared.log.tell_of(&name, &Event::Appeared);
                    }
                    let due = Some(at_once());
                    let watched = Watched {
                        trace,
                        due,
                        why: Why::Start,
                        is_under_way: false,
                        troubles: 0,
                        rest: None,
                    };
                    self.watched.insert(name, watched);
                }
            }
        }
    }

    /// Begins to look at whoever is due, as many as may be at the same time.
    fn start_due(&mut self) {
        let (timer, clock) = (Instant::now(), SystemClock.now());
        let is_due = |watched: &Watched| {
            !watched.is_under_way
                && watched.due.is_some_and(|(instant, time)| instant <= timer || time <= clock)
        };
        self.start(is_due);
    }

    /// Begins to look at whoever was not looked at yet.
    fn start_new(&mut self) {
        self.start(|watched| !watched.is_under_way && watched.rest.is_none());
    }

    fn start(&mut self, which: impl Fn(&Watched) -> bool) {
        let is_only = self.shared.home.names().is_ok_and(|names| names.len() == 1);
        for (name, watched) in &mut self.watched {
            if self.under_way.len() >= AT_ONCE {
                break;
            }
            if !which(watched) {
                continue;
            }
            (watched.is_under_way, watched.due) = (true, None);
            let visit = Visit::new(&self.shared, name, is_only);
            let why = std::mem::replace(&mut watched.why, Why::Look);
            let task = self.under_way.spawn(visit.make(why));
            self.names.insert(task.id(), name.clone());
        }
    }

    /// One look has ended.
    fn ended(&mut self, ended: Result<(Id, Rest), JoinError>) {
        let (id, rest) = match ended {
            Ok((id, rest)) => (id, Ok(rest)),
            Err(error) => (error.id(), Err(error)),
        };
        let Some(name) = self.names.remove(&id) else { return };
        let Some(watched) = self.watched.get_mut(&name) else { return };
        let rest = rest.unwrap_or_else(|error| {
            // A fault in looking at one identity is none of the others' business.
            let (class, reason) = (Class::Fault, error.to_string());
            self.shared.log.tell_of(&name, &Event::Unusable { class, reason });
            Rest { quiet: TROUBLE, class: Some(class), is_trouble: true, renew_at: None }
        });
        watched.troubles = if rest.is_trouble { watched.troubles.saturating_add(1) } else { 0 };
        let grown = 1 << watched.troubles.saturating_sub(1).min(8);
        let quiet = if rest.is_trouble {
            rest.quiet.saturating_mul(grown).min(CEILING)
        } else {
            rest.quiet
        };
        watched.is_under_way = false;
        watched.rest = Some(rest);
        // What the look itself changed is nothing new; a due time that came up meanwhile stands.
        watched.trace = Trace::of(&self.shared, &name);
        watched.due.get_or_insert_with(|| later(quiet));
    }

    fn next_due(&self) -> Instant {
        let idle = self.watched.values().filter(|watched| !watched.is_under_way);
        let dues = idle.filter_map(|watched| watched.due.map(|(instant, _)| instant));
        // With all hands full, the end of a look wakes the loop.
        let is_full = self.under_way.len() >= AT_ONCE;
        let next = dues.min().filter(|_| !is_full);
        next.unwrap_or_else(|| Instant::now() + CEILING)
    }

    /// For `systemctl status`.
    fn status(&self) -> String {
        let next = self
            .watched
            .iter()
            .filter_map(|(name, watched)| Some((watched.rest.as_ref()?.renew_at?, name)));
        let troubled = |watched: &&Watched| watched.rest.is_some_and(|rest| rest.class.is_some());
        let mut status = format!("watching {}", self.watched.len());
        if let Some((time, name)) = next.min() {
            status = format!("{status}; next renewal: {name} at {time}");
        }
        match self.watched.values().filter(troubled).count() {
            0 => status,
            count => format!("{status}; {count} with problems"),
        }
    }
}

impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    /// What the administrator or the service manager wants next.
    async fn next(&mut self) -> Option<Wish> {
        tokio::select! {
            told = self.terminate.recv() => told.map(|()| Wish::Stop),
            told = self.interrupt.recv() => told.map(|()| Wish::Stop),
            told = self.hang_up.recv() => told.map(|()| Wish::Reload),
        }
    }
}

fn at_once() -> (Instant, Time) {
    later(Duration::ZERO)
}

fn later(by: Duration) -> (Instant, Time) {
    let seconds = i64::try_from(by.as_secs()).unwrap_or(i64::MAX);
    let time = Time::from_unix(SystemClock.now().unix().saturating_add(seconds));
    (Instant::now() + by, time.unwrap_or(Time::MAX))
}
