//! Logs: one event is one line, whatever was put into it.
//!
//! Values from outside (a user agent, a subject's name, a detail of somebody's parser) reach the
//! log through fields and messages. A line break in one would forge an event, an escape sequence
//! would repaint the terminal of whoever reads it. So the text of every event is written through
//! `OneLine`, which escapes all control characters and all marks that reorder text, in both
//! formats and with no event going around it. Keeping secrets out is the business of their types:
//! none of them prints itself.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::{self, Write};

use tracing::Subscriber;
use tracing::subscriber::{SetGlobalDefaultError, set_global_default};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use crate::config::LogSettings;

/// How events are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// What is logged, and how.
#[derive(Clone, Debug)]
pub struct Log {
    /// The format.
    pub format: Format,
    /// Directives of `tracing-subscriber`, such as `info` or `koshin_server=debug,info`.
    pub filter: String,
}

impl Default for Log {
    fn default() -> Self {
        Self { format: Format::Text, filter: "info".to_owned() }
    }
}

/// Why there is no log.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The filter cannot be read.
    #[error("log filter {filter:?}: {error}")]
    Filter {
        /// The filter as given.
        filter: String,
        /// What is wrong with it.
        error: tracing_subscriber::filter::ParseError,
    },
    /// The process has a log already.
    #[error(transparent)]
    Twice(#[from] SetGlobalDefaultError),
}

impl Log {
    /// The log as configured.
    pub fn configured(settings: &LogSettings) -> Self {
        let format = if settings.json { Format::Json } else { Format::Text };
        Self { format, filter: settings.filter.clone() }
    }

    /// Makes this the log of the process, written to standard error; panics go there as well.
    pub fn install(&self) -> Result<(), LogError> {
        set_global_default(self.subscriber(io::stderr)?)?;
        std::panic::set_hook(Box::new(|panic| {
            let place = panic.location().map(ToString::to_string);
            let said = panic.payload_as_str().unwrap_or("");
            tracing::error!(place, said, "a panic, which is a fault of this program");
        }));
        Ok(())
    }

    /// The subscriber that writes to `sink`; each event is one call of `write`.
    pub fn subscriber<W>(&self, sink: W) -> Result<Box<dyn Subscriber + Send + Sync>, LogError>
    where
        W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
    {
        let filter = EnvFilter::try_new(&self.filter)
            .map_err(|error| LogError::Filter { filter: self.filter.clone(), error })?;
        let json = self.format == Format::Json;
        let events = tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_ansi(false)
            .with_writer(OneLine { sink, json });
        Ok(match self.format {
            Format::Text => Box::new(events.finish()),
            Format::Json => Box::new(events.json().flatten_event(true).finish()),
        })
    }
}

/// Makes writers that keep each event on its line.
struct OneLine<W> {
    sink: W,
    json: bool,
}

impl<'a, W: MakeWriter<'a>> MakeWriter<'a> for OneLine<W> {
    type Writer = Escaping<W::Writer>;

    fn make_writer(&'a self) -> Self::Writer {
        Escaping { sink: self.sink.make_writer(), json: self.json }
    }
}

/// Escapes what does not belong into a line. Expects one event per call, as the layer writes it.
struct Escaping<W> {
    sink: W,
    json: bool,
}

impl<W: Write> Write for Escaping<W> {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(event);
        let line = text.strip_suffix('\n').unwrap_or(&text);
        let mut line = escape(line, self.json).into_owned();
        line.push('\n');
        // Whoever read the log may be gone. The subscriber would tell standard error of a failure, and
        // a panic over that would end the bank.
        drop(self.sink.write_all(line.as_bytes()));
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.sink.flush()
    }
}

/// `text` without control characters, in the notation of JSON or of Rust.
fn escape(text: &str, json: bool) -> Cow<'_, str> {
    if !text.chars().any(unwelcome) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        let code = u32::from(character);
        let outcome = match (unwelcome(character), json) {
            (false, _) => escaped.write_char(character),
            // All of them are below U+10000.
            (true, true) => write!(escaped, "\\u{code:04x}"),
            (true, false) => write!(escaped, "\\u{{{code:x}}}"),
        };
        outcome.expect("writing to a String does not fail");
    }
    Cow::Owned(escaped)
}

/// Control characters, line and paragraph separators, and marks that change the direction of text.
fn unwelcome(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Sink(Arc<Mutex<Vec<u8>>>);

    impl Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("no writer panics").extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    const HOSTILE: &str = "a\r\nERROR forged\u{1b}[2J\u{9b}31m\u{7f}\u{2028}b\u{202e}c\t\0\u{85}d";

    fn logged(format: Format) -> String {
        let sink = Sink::default();
        let copy = sink.clone();
        let log = Log { format, filter: "trace".to_owned() };
        let subscriber = log.subscriber(move || copy.clone()).expect("a filter that parses");
        tracing::subscriber::with_default(subscriber, || {
            let span =
                tracing::info_span!("span", display = %HOSTILE, debug = ?HOSTILE, plain = HOSTILE);
            let _inside = span.enter();
            tracing::info!(display = %HOSTILE, debug = ?HOSTILE, plain = HOSTILE, "{HOSTILE}");
            tracing::info!("second");
        });
        let bytes = sink.0.lock().expect("no writer panics").clone();
        String::from_utf8(bytes).expect("UTF-8")
    }

    // [AUD-05]
    #[test]
    fn an_event_is_one_line_whatever_its_fields_hold() {
        for format in [Format::Text, Format::Json] {
            let text = logged(format);
            assert_eq!(text.lines().count(), 2, "{format:?}: {text}");
            assert!(text.contains("forged"), "{format:?}: {text}");
            let left: Vec<char> = text.chars().filter(|c| *c != '\n' && unwelcome(*c)).collect();
            assert!(left.is_empty(), "{format:?}: {left:?} in {text}");
        }
    }

    #[test]
    fn json_stays_json_and_keeps_the_value() {
        let text = logged(Format::Json);
        for line in text.lines() {
            serde_json::from_str::<serde_json::Value>(line).expect("JSON");
        }
        let first: serde_json::Value =
            serde_json::from_str(text.lines().next().expect("an event")).expect("JSON");
        assert_eq!(first["plain"], HOSTILE);
    }

    #[test]
    fn a_filter_that_cannot_be_read_is_named() {
        let log = Log { filter: "koshin_server=loud".to_owned(), ..Log::default() };
        let error = log.subscriber(io::sink).err().expect("no such level");
        assert!(error.to_string().contains("koshin_server=loud"), "{error}");
    }
}
