//! Figures of several rounds, with their spread.

use std::time::Duration;

/// One figure of each round.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rounds(Vec<f64>);

impl Rounds {
    pub(crate) fn push(&mut self, figure: f64) {
        self.0.push(figure);
    }

    /// The least figure that so many per cent of all are not above.
    fn at(&self, per_cent: usize) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        sorted.get((sorted.len().saturating_sub(1)) * per_cent / 100).copied().unwrap_or(f64::NAN)
    }

    pub(crate) fn print(&self, name: &str, unit: &str) {
        let (least, median, most) = (self.at(0), self.at(50), self.at(90));
        println!("  {name:<44} min {least:9.2}   median {median:9.2}   p90 {most:9.2} {unit}");
    }
}

/// All latencies of all rounds.
#[derive(Clone, Debug, Default)]
pub(crate) struct Latencies(Vec<Duration>);

impl Latencies {
    pub(crate) fn extend(&mut self, latencies: impl IntoIterator<Item = Duration>) {
        self.0.extend(latencies);
    }

    pub(crate) fn print(&self, name: &str) {
        let mut sorted = self.0.clone();
        sorted.sort();
        let at = |per_cent: usize| {
            let found = sorted.get(sorted.len().saturating_sub(1) * per_cent / 100);
            found.copied().unwrap_or_default().as_secs_f64() * 1e3
        };
        println!(
            "  {name:<44} p50 {:9.2}   p99    {:9.2} ms ({} renewals)",
            at(50),
            at(99),
            sorted.len()
        );
    }
}

/// Microseconds for one of `count`.
pub(crate) fn each(total: Duration, count: usize) -> f64 {
    total.as_secs_f64() * 1e6 / f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}
