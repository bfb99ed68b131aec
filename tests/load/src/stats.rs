//! Medians, percentiles and the table.
use std::time::Duration;

/// Returns the median; for an even number of values, the mean of the middle two.
pub(crate) fn median(values: &[f64]) -> f64 {
    percentile(values, 50.0)
}

/// Returns a percentile by linear interpolation; NaN if there are no values.
pub(crate) fn percentile(values: &[f64], p: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let Some(last) = sorted.len().checked_sub(1) else {
        return f64::NAN;
    };
    let at = p / 100.0 * last as f64;
    let (low, high) = (at.floor() as usize, at.ceil() as usize);
    sorted[low] + (sorted[high] - sorted[low]) * at.fract()
}

/// Returns durations in milliseconds.
pub(crate) fn millis(durations: &[Duration]) -> Vec<f64> {
    durations.iter().map(|d| d.as_secs_f64() * 1000.0).collect()
}

/// Returns `min / median / max`.
pub(crate) fn spread(values: &[f64]) -> String {
    format!(
        "{:.0} / {:.0} / {:.0}",
        percentile(values, 0.0),
        median(values),
        percentile(values, 100.0)
    )
}

/// The rows that were measured.
#[derive(Default)]
pub(crate) struct Table(Vec<[String; 4]>);

impl Table {
    /// Adds a row: its number, what was measured, the figures, and the ratio or figure with its gate.
    pub(crate) fn row(&mut self, row: &str, what: &str, figures: String, against: String) {
        say(&format!("row {row}: {what}: {figures}; {against}"));
        self.0
            .push([row.to_owned(), what.to_owned(), figures, against]);
    }

    /// Prints the rows.
    pub(crate) fn print(&self) {
        say("\n| row | path | figures | result |\n|---|---|---|---|");
        for [row, what, figures, against] in &self.0 {
            say(&format!("| {row} | {what} | {figures} | {against} |"));
        }
    }
}

/// Prints a line on standard output.
#[expect(clippy::print_stdout, reason = "this program's purpose")]
pub(crate) fn say(text: &str) {
    println!("{text}");
}
