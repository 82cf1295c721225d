//! What happened, in words that the same seed gives again.

use std::sync::{Arc, Mutex};

use crate::time::Elapsed;

#[derive(Clone, Debug, Default)]
pub(crate) struct Trace {
    lines: Arc<Mutex<Vec<String>>>,
    elapsed: Elapsed,
}

impl Trace {
    pub(crate) fn by(elapsed: &Elapsed) -> Self {
        Self { lines: Arc::default(), elapsed: elapsed.clone() }
    }

    pub(crate) fn line(&self, what: impl std::fmt::Display) {
        let time = self.elapsed.now().to_string();
        self.lines.lock().unwrap().push(format!("{} {what}", &time[11..19]));
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap().clone()
    }
}
