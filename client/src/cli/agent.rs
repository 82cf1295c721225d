//! `agent`: renews all identities in their windows, for as long as it runs, or once.

mod config;
mod event;
mod hook;
mod memory;
mod notify;
mod rounds;
mod secret;
mod stop;
mod text;
mod trace;
mod visit;

use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};

use clap::Args;
use koshin_protocol::time::Period;
use serde_json::json;

use self::config::{Config, ConfigError, Given};
use self::event::Log;
use self::rounds::Rounds;
use self::stop::Stop;
use super::context::Context;
use super::failure::Failure;
use super::home::Home;
use super::output::Output;
use super::say::Say;

const LONG: &str = "\
Renews every identity of the folder at a random time of the window that its bank suggests, and goes on with
what was begun. It runs until SIGTERM; SIGHUP makes it read its configuration anew and look at everything.
With --once it looks at each identity once, for timers and cron.

After a failure a certificate is left alone for an hour, then for longer. A wrong PIN is not sent twice.

Hooks are commands of the shell. The one before a renewal postpones it by failing. The one after runs when
the certificate changed, whoever changed it, and after an attempt that failed if there is a hook before; it is
run again, also after a restart, until it succeeds. They find in their environment:
  KOSHIN_HOOK         before or after
  KOSHIN_OUTCOME      after: renewed, changed (by somebody else), failed
  KOSHIN_IDENTITY     the identity's name
  KOSHIN_FOLDER       its folder
  KOSHIN_CERTIFICATE  file with the current certificate and its chain, PEM
  KOSHIN_KEY          file with its key
  KOSHIN_CERT_ID, KOSHIN_NOT_AFTER   the current certificate's name and last second

PINs come from the files of agent.toml, else from the service manager's credentials koshin-pin.NAME, or
koshin-pin where there is one identity only; passphrases of keys likewise from koshin-key-passphrase.

Exit codes with --once tell the worst of what is wrong with any identity, as those of the other commands do.

Examples:
  koshin agent --after-hook 'systemctl reload ledger'
  koshin agent --once --json";

/// Renew all identities in their windows, as a service or by a timer
#[derive(Debug, Args)]
#[command(long_about = LONG)]
pub(crate) struct Agent {
    /// Look at each identity once, do what is due, and end
    #[arg(long)]
    once: bool,
    /// With --once: a person wants it now, so that pauses after failures and a refused PIN do not count
    #[arg(long, requires = "once")]
    again: bool,
    /// Configuration [default: agent.toml in the folder with the identities]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Command to run before each renewal
    #[arg(long, value_name = "COMMAND")]
    before_hook: Option<String>,
    /// Command to run after the certificate changed
    #[arg(long, value_name = "COMMAND")]
    after_hook: Option<String>,
    /// How long a hook may take [default: PT5M]
    #[arg(long, value_name = "DURATION")]
    hook_timeout: Option<Period>,
    /// How often to look for identities that came, went or changed [default: PT1M]
    #[arg(long, value_name = "DURATION")]
    look_every: Option<Period>,
}

/// What all looks at identities have in common.
pub(crate) struct Shared {
    home: Home,
    output: Arc<Output>,
    log: Log,
    stop: Stop,
    /// Pauses do not count: a person wants it.
    is_forced: bool,
    asked_for: Option<PathBuf>,
    given: Given,
    config: RwLock<Arc<Config>>,
}

impl Agent {
    pub(crate) fn run(&self, context: &Context) -> Result<(), Failure> {
        let home = context.home.clone();
        let given = Given {
            before_hook: self.before_hook.clone(),
            after_hook: self.after_hook.clone(),
            hook_timeout: self.hook_timeout,
            look_every: self.look_every,
        };
        let config = Config::read(self.config.as_deref(), home.folder(), &given);
        let config = config.map_err(|error| Failure::arguments(error.to_string()))?;
        let output = &context.output;
        let shared = Arc::new(Shared {
            log: Log::new(output.is_json(), output.tongue().clone()),
            output: Arc::clone(output),
            stop: Stop::new(),
            is_forced: self.again,
            asked_for: self.config.clone(),
            given,
            config: RwLock::new(Arc::new(config)),
            home,
        });
        let rounds = Rounds::new(&shared, context.home.wanted().cloned());
        if !self.once {
            return context.block_on(async { Ok(rounds.for_ever().await?) });
        }
        let (identities, worst) = context.block_on(async { Ok(rounds.once().await?) })?;
        let outcome = if worst.is_none() { "done" } else { "problems" };
        let say = Say::Looked { identities, is_well: worst.is_none() };
        context.output.result("agent", outcome, json!({ "identities": identities }), &say);
        worst.map_or(Ok(()), |class| Err(Failure::Told(class)))
    }
}

impl Shared {
    fn words(&self, failure: &Failure) -> String {
        failure.message(&self.output)
    }

    fn config(&self) -> Arc<Config> {
        Arc::clone(&self.config.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn reload(&self) -> Result<(), ConfigError> {
        let config = Config::read(self.asked_for.as_deref(), self.home.folder(), &self.given)?;
        *self.config.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(config);
        Ok(())
    }
}
