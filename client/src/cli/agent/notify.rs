//! What the service manager is told (`sd_notify(3)`): nothing where there is none.

use std::time::Duration;

use sd_notify::NotifyState;

/// The agent is up: it knows its configuration and its identities.
pub(crate) fn ready(status: &str) {
    tell(&[NotifyState::Ready, NotifyState::Status(status)]);
}

/// What it is up to, for `systemctl status`.
pub(crate) fn status(status: &str) {
    tell(&[NotifyState::Status(status)]);
}

/// It reads its configuration anew; [`ready`] follows.
pub(crate) fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell(&[NotifyState::Reloading, now]),
        Err(_) => tell(&[NotifyState::Reloading]),
    }
}

/// It is going to end.
pub(crate) fn stopping() {
    tell(&[NotifyState::Stopping]);
}

/// It is alive.
pub(crate) fn watchdog() {
    tell(&[NotifyState::Watchdog]);
}

/// How often the service manager wants to hear that the agent is alive, if it does: twice as often as it would miss it.
pub(crate) fn watchdog_every() -> Option<Duration> {
    let patience = sd_notify::watchdog_enabled()?;
    Some((patience / 2).max(Duration::from_millis(100)))
}

/// That the service manager does not hear is no reason not to renew.
fn tell(states: &[NotifyState<'_>]) {
    sd_notify::notify(states).ok();
}
