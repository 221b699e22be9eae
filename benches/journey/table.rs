//! The table: what was measured, what it came to, what is aimed at.

use countersign::sim::gitlab::ApiCall;
use std::io::{self, Write as _};
use std::time::Duration;

/// Rows of three columns.
#[derive(Default)]
pub(crate) struct Table {
    rows: Vec<[String; 3]>,
    /// Calls that are told one by one behind the table.
    calls: Vec<(String, Vec<ApiCall>)>,
}

impl Table {
    /// Adds a row; an empty goal is none.
    pub(crate) fn row(&mut self, what: &str, value: String, goal: &str) {
        self.rows.push([what.to_owned(), value, goal.to_owned()]);
    }

    /// Adds the middle and the slowest hundredth.
    pub(crate) fn times(&mut self, what: &str, times: &[Duration]) {
        let value = format!("{} / {} ms", ms(quantile(times, 0.5)), ms(quantile(times, 0.99)));
        self.row(&format!("{what}, p50 / p99"), value, "");
    }

    /// Adds what a figure came to at one size after the other, and how the last stands to the first.
    pub(crate) fn growth(&mut self, what: &str, figures: &[f64], unit: &str, goal: &str) {
        let told: Vec<String> = figures.iter().map(|figure| few_digits(*figure)).collect();
        let ratio = figures.last().zip(figures.first()).map_or(0.0, |(last, first)| last / first);
        self.row(what, format!("{} {unit}  ×{ratio:.2}", told.join(" / ")), goal);
    }

    /// Adds how one figure stands to another.
    pub(crate) fn ratio(&mut self, what: &str, one: f64, other: f64) {
        let ratio = if other > 0.0 { one / other } else { 0.0 };
        self.row(what, format!("{ratio:.2}"), "");
    }

    /// Adds what an approval asks of GitLab and what it writes there.
    pub(crate) fn calls(&mut self, what: &str, calls: Vec<ApiCall>, goal: &str) {
        let reads = calls.iter().filter(|call| call.method == "GET").count();
        let value = format!("{reads} reads, {} writes", calls.len() - reads);
        self.row(what, value, goal);
        self.calls.push((what.to_owned(), calls));
    }

    /// Prints all of it, aligned.
    pub(crate) fn print(&self) -> io::Result<()> {
        let width = |column: usize| {
            self.rows.iter().filter_map(|row| row.get(column)).map(|c| c.chars().count()).max()
        };
        let (first, second) = (width(0).unwrap_or(0), width(1).unwrap_or(0));
        for [what, value, goal] in &self.rows {
            let line = format!("{what:first$}  {value:>second$}  {goal}");
            writeln!(io::stdout(), "{}", line.trim_end())?;
        }
        self.calls.iter().try_for_each(|(what, calls)| print_calls(what, calls))
    }
}

fn print_calls(what: &str, calls: &[ApiCall]) -> io::Result<()> {
    writeln!(io::stdout(), "\n{what}:")?;
    for ApiCall { method, path, query, status, .. } in calls {
        let query = if query.is_empty() { String::new() } else { format!("?{query}") };
        writeln!(io::stdout(), "  {method:4} {path}{query} -> {status}")?;
    }
    Ok(())
}

/// Milliseconds with as many digits as tell something.
pub(crate) fn ms(time: Duration) -> String {
    few_digits(time.as_secs_f64() * 1e3)
}

fn few_digits(figure: f64) -> String {
    if figure < 10.0 { format!("{figure:.2}") } else { format!("{figure:.0}") }
}

/// The time below which this part of all lies; zero when there is none.
pub(crate) fn quantile(times: &[Duration], part: f64) -> Duration {
    let mut sorted = times.to_vec();
    sorted.sort_unstable();
    let wanted = Duration::from_secs(sorted.len() as u64).mul_f64(part).as_secs();
    let last = sorted.len().saturating_sub(1);
    let index = usize::try_from(wanted).unwrap_or(last).min(last);
    sorted.get(index).copied().unwrap_or_default()
}

/// The middle one; zero when there is none.
pub(crate) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or_default()
}
