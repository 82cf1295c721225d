//! Stopping: no new work, what was taken on is finished, and all of it within a bound.

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// Tells everything that holds a [`Shutdown`] of it to stop. Dropping it does the same.
#[derive(Debug)]
pub struct Trigger(watch::Sender<bool>);

/// Learns that stopping was asked for.
#[derive(Clone, Debug)]
pub struct Shutdown(watch::Receiver<bool>);

impl Trigger {
    /// A trigger that was not pulled yet.
    pub fn new() -> (Self, Shutdown) {
        let (sender, receiver) = watch::channel(false);
        (Self(sender), Shutdown(receiver))
    }

    /// Asks everybody to stop. Once is enough, twice does no harm.
    pub fn pull(&self) {
        self.0.send_replace(true);
    }

    /// Pulls the trigger at the first SIGTERM or SIGINT. A second one of either ends the process
    /// at once, with the status that the signal has by custom.
    ///
    /// # Errors
    /// The system refuses the handlers.
    pub fn on_signals(self) -> std::io::Result<()> {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        tokio::spawn(async move {
            let name = tokio::select! {
                _ = terminate.recv() => "SIGTERM",
                _ = interrupt.recv() => "SIGINT",
            };
            tracing::info!(signal = name, "stopping: finishing the requests under way");
            self.pull();
            let status = tokio::select! {
                _ = terminate.recv() => 143,
                _ = interrupt.recv() => 130,
            };
            tracing::warn!("stopping at once");
            std::process::exit(status);
        });
        Ok(())
    }
}

impl Shutdown {
    /// Returns once stopping was asked for. Cancel-safe.
    pub async fn asked(&mut self) {
        // An error means that the trigger is gone: nobody is left who could keep us running.
        let _gone = self.0.wait_for(|asked| *asked).await.is_err();
    }

    /// Whether stopping was asked for.
    pub fn is_asked(&self) -> bool {
        *self.0.borrow()
    }
}
