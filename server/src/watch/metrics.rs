//! What the bank counts, in the names of Prometheus.
//!
//! Label values are `&'static str`: names of operations, tokens and states from the protocol's
//! tables, never anything a peer sent, so that the number of series is bounded.

use std::time::Duration;

use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

/// All metrics of one bank.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    requests: Family<Outcome, Counter>,
    latency: Family<Operation, Histogram, fn() -> Histogram>,
    connections: Gauge,
    accepted: Counter,
    handshakes_failed: Counter,
    edge_refusals: Family<Token, Counter>,
    order_transitions: Family<Transition, Counter>,
    certificates_issued: Counter,
    certificates_revoked: Counter,
    pin_failures: Counter,
    pin_locks: Counter,
    nonces_issued: Counter,
    nonces_refused: Counter,
    clock_jumps: Counter,
    clock_jump: Gauge,
    clock_behind_audit: Gauge,
    store_failed: Gauge,
    store_outages: Family<Cause, Counter>,
    pranks: Family<Prank, Counter>,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Outcome {
    operation: &'static str,
    outcome: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Operation {
    operation: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Token {
    token: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Transition {
    from: &'static str,
    to: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Cause {
    cause: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Prank {
    prank: &'static str,
}

/// Upper bounds of the latency buckets in seconds: from a read out of memory to a PIN hash in a queue.
const BUCKETS: [f64; 14] =
    [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0];

impl Metrics {
    /// Metrics at zero.
    pub fn new() -> Self {
        let latency: fn() -> Histogram = || Histogram::new(BUCKETS);
        let mut metrics = Self {
            registry: Registry::with_prefix("koshin"),
            requests: Family::default(),
            latency: Family::new_with_constructor(latency),
            connections: Gauge::default(),
            accepted: Counter::default(),
            handshakes_failed: Counter::default(),
            edge_refusals: Family::default(),
            order_transitions: Family::default(),
            certificates_issued: Counter::default(),
            certificates_revoked: Counter::default(),
            pin_failures: Counter::default(),
            pin_locks: Counter::default(),
            nonces_issued: Counter::default(),
            nonces_refused: Counter::default(),
            clock_jumps: Counter::default(),
            clock_jump: Gauge::default(),
            clock_behind_audit: Gauge::default(),
            store_failed: Gauge::default(),
            store_outages: Family::default(),
            pranks: Family::default(),
        };
        metrics.register();
        metrics
    }

    fn register(&mut self) {
        let r = &mut self.registry;
        r.register(
            "requests",
            "Requests by operation and outcome (ok or a problem token)",
            self.requests.clone(),
        );
        r.register(
            "request_seconds",
            "Time from a whole request to its answer",
            self.latency.clone(),
        );
        r.register("connections_open", "Connections open now", self.connections.clone());
        r.register("connections", "Connections accepted", self.accepted.clone());
        r.register(
            "tls_handshakes_failed",
            "TLS handshakes that failed",
            self.handshakes_failed.clone(),
        );
        r.register(
            "edge_refusals",
            "Requests refused before the protocol, by token",
            self.edge_refusals.clone(),
        );
        r.register(
            "order_transitions",
            "Orders that went from one state to another",
            self.order_transitions.clone(),
        );
        r.register("certificates_issued", "Certificates issued", self.certificates_issued.clone());
        r.register(
            "certificates_revoked",
            "Certificates revoked",
            self.certificates_revoked.clone(),
        );
        r.register("pin_failures", "Wrong PINs", self.pin_failures.clone());
        r.register("pin_locks", "PINs locked by wrong ones", self.pin_locks.clone());
        r.register("nonces_issued", "Nonces issued", self.nonces_issued.clone());
        r.register("nonces_refused", "Nonces refused", self.nonces_refused.clone());
        r.register(
            "clock_jumps",
            "Times that the clock was found set while the bank served",
            self.clock_jumps.clone(),
        );
        r.register(
            "clock_jump_seconds",
            "The newest jump of the clock in seconds, negative if it went back",
            self.clock_jump.clone(),
        );
        r.register(
            "clock_behind_audit_seconds",
            "How far the clock is behind the newest audit record, 0 if it is not",
            self.clock_behind_audit.clone(),
        );
        r.register(
            "store_failed",
            "Whether nothing can be stored now: 1 while a disk is full or failed",
            self.store_failed.clone(),
        );
        r.register(
            "store_outages",
            "Times that nothing could be stored, by cause",
            self.store_outages.clone(),
        );
        r.register("pranks", "Faults made on purpose", self.pranks.clone());
    }

    /// A request was answered: `operation` such as `newOrder`, `outcome` `ok` or the problem's token.
    pub fn request(&self, operation: &'static str, outcome: &'static str, took: Duration) {
        self.requests.get_or_create(&Outcome { operation, outcome }).inc();
        self.latency.get_or_create(&Operation { operation }).observe(took.as_secs_f64());
    }

    /// A connection was accepted; it counts as open until the value returned is dropped.
    pub fn connection_opened(&self) -> OpenConnection {
        self.accepted.inc();
        self.connections.inc();
        OpenConnection(self.connections.clone())
    }

    /// A TLS handshake failed or took too long.
    pub fn handshake_failed(&self) {
        self.handshakes_failed.inc();
    }

    /// The edge refused a request.
    pub fn edge_refused(&self, token: &'static str) {
        self.edge_refusals.get_or_create(&Token { token }).inc();
    }

    /// An order was created in (`from` is `none`), or went to, state `to`.
    pub fn order_transition(&self, from: &'static str, to: &'static str) {
        self.order_transitions.get_or_create(&Transition { from, to }).inc();
    }

    /// A certificate was issued and stored.
    pub fn certificate_issued(&self) {
        self.certificates_issued.inc();
    }

    /// So many certificates were revoked.
    pub fn certificates_revoked(&self, count: usize) {
        self.certificates_revoked.inc_by(count as u64);
    }

    /// A wrong PIN was given; `locked` if it was the last one allowed.
    pub fn pin_failed(&self, locked: bool) {
        self.pin_failures.inc();
        if locked {
            self.pin_locks.inc();
        }
    }

    /// A nonce was handed out.
    pub fn nonce_issued(&self) {
        self.nonces_issued.inc();
    }

    /// A nonce was refused.
    pub fn nonce_refused(&self) {
        self.nonces_refused.inc();
    }

    /// The clock jumped by so many seconds, negative if it went back.
    pub fn clock_jumped(&self, seconds: i64) {
        self.clock_jumps.inc();
        self.clock_jump.set(seconds);
    }

    /// The clock is so many seconds behind the newest audit record, 0 if it is not.
    pub fn clock_behind_audit(&self, seconds: u64) {
        self.clock_behind_audit.set(i64::try_from(seconds).unwrap_or(i64::MAX));
    }

    /// What the bank works in spite of, a sentence each, for who asks after its health.
    pub fn warnings(&self) -> Vec<String> {
        let behind = self.clock_behind_audit.get().unsigned_abs();
        let behind = (behind > 0)
            .then(|| format!("the clock is {} behind the newest audit record", rounded(behind)));
        behind.into_iter().collect()
    }

    /// Nothing can be stored for this cause; `None`: it can again.
    pub fn store_outage(&self, cause: Option<&'static str>) {
        self.store_failed.set(cause.is_some().into());
        if let Some(cause) = cause {
            self.store_outages.get_or_create(&Cause { cause }).inc();
        }
    }

    /// A fault was made on purpose.
    pub fn prank_played(&self, prank: &'static str) {
        self.pranks.get_or_create(&Prank { prank }).inc();
    }

    /// The text that Prometheus scrapes (`OpenMetrics` 1.0).
    pub fn exposition(&self) -> String {
        let mut exposition = String::new();
        text::encode(&mut exposition, &self.registry).expect("writing to a String does not fail");
        exposition
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

/// A length of time for people, in its largest unit alone: `2 days`.
pub fn rounded(seconds: u64) -> String {
    let (length, unit) = match seconds {
        0..120 => (1, "second"),
        120..7_200 => (60, "minute"),
        7_200..172_800 => (3_600, "hour"),
        172_800.. => (86_400, "day"),
    };
    let count = seconds.saturating_add(length / 2) / length;
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {unit}{plural}")
}

/// A connection that counts as open while this lives.
#[derive(Debug)]
pub struct OpenConnection(Gauge);

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.0.dec();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_counted_is_exposed() {
        let metrics = Metrics::new();
        metrics.request("newOrder", "ok", Duration::from_millis(2));
        metrics.request("newOrder", "tooEarly", Duration::from_millis(2));
        metrics.order_transition("none", "valid");
        metrics.pin_failed(true);
        metrics.certificates_revoked(3);
        metrics.store_outage(Some("full"));
        metrics.store_outage(None);
        metrics.store_outage(Some("disk"));
        let text = metrics.exposition();
        for line in [
            "koshin_requests_total{operation=\"newOrder\",outcome=\"ok\"} 1",
            "koshin_requests_total{operation=\"newOrder\",outcome=\"tooEarly\"} 1",
            "koshin_request_seconds_bucket{le=\"0.001\",operation=\"newOrder\"} 0",
            "koshin_request_seconds_bucket{le=\"0.0025\",operation=\"newOrder\"} 2",
            "koshin_order_transitions_total{from=\"none\",to=\"valid\"} 1",
            "koshin_pin_failures_total 1",
            "koshin_pin_locks_total 1",
            "koshin_certificates_revoked_total 3",
            "koshin_store_failed 1",
            "koshin_store_outages_total{cause=\"full\"} 1",
            "# EOF",
        ] {
            assert!(text.lines().any(|given| given == line), "{line} is not in\n{text}");
        }
    }

    #[test]
    fn a_jump_of_the_clock_is_counted_and_the_newest_one_measured() {
        let metrics = Metrics::new();
        metrics.clock_jumped(864_000);
        metrics.clock_jumped(-3600);
        metrics.clock_behind_audit(3600);
        let text = metrics.exposition();
        for line in [
            "koshin_clock_jumps_total 2",
            "koshin_clock_jump_seconds -3600",
            "koshin_clock_behind_audit_seconds 3600",
        ] {
            assert!(text.lines().any(|given| given == line), "{line} is not in\n{text}");
        }
    }

    #[test]
    fn a_length_of_time_is_told_in_its_largest_unit() {
        for (seconds, told) in [
            (1, "1 second"),
            (119, "119 seconds"),
            (3_599, "60 minutes"),
            (7_200, "2 hours"),
            (63_071_970, "730 days"),
            (u64::MAX, "213503982334601 days"),
        ] {
            assert_eq!(rounded(seconds), told);
        }
    }

    #[test]
    fn a_connection_is_open_until_it_is_dropped() {
        let metrics = Metrics::new();
        let open = metrics.connection_opened();
        assert!(metrics.exposition().contains("koshin_connections_open 1\n"));
        drop(open);
        let text = metrics.exposition();
        assert!(text.contains("koshin_connections_open 0\n"), "{text}");
        assert!(text.contains("koshin_connections_total 1\n"), "{text}");
    }
}
