//! What is printed, and in which columns.

use std::io::{self, Write};

use toji_protocol::time::Time;

/// Writes a text and a line's end, if it has none, to standard output.
///
/// # Errors
/// When nobody reads it any more: the program then ends as if by SIGPIPE.
pub(crate) fn say(text: &str) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    if !text.is_empty() && !text.ends_with('\n') {
        out.write_all(b"\n")?;
    }
    Ok(out.flush()?)
}

/// Tells on standard error what does not stop the program.
pub(crate) fn warn(text: &str) {
    // There is nowhere else to tell it.
    let _ = writeln!(io::stderr(), "toji: {text}");
}

/// A listing in Koji's layout: left-aligned columns of at least the given width, two blanks between them.
pub(crate) struct Table<const N: usize> {
    columns: [(&'static str, usize); N],
    rows: Vec<[String; N]>,
}

impl<const N: usize> Table<N> {
    /// Without rows yet; each column has a title and a least width.
    pub(crate) fn new(columns: [(&'static str, usize); N]) -> Self {
        Self { columns, rows: Vec::new() }
    }

    /// Adds a row.
    pub(crate) fn row(&mut self, row: [String; N]) {
        self.rows.push(row);
    }

    /// The lines; `bare` leaves the titles out.
    pub(crate) fn text(&self, bare: bool) -> String {
        let width = |column: usize| {
            let widest = self.rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
            self.columns[column].1.max(self.columns[column].0.len()).max(widest)
        };
        let widths: [usize; N] = std::array::from_fn(width);
        let line = |cells: [&str; N]| {
            let cells: Vec<_> = cells.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
            format!("{}\n", cells.join("  ").trim_end())
        };
        let mut text = String::new();
        if !bare {
            text.push_str(&line(self.columns.map(|(title, _)| title)));
            text.push_str(&format!("{}\n", widths.map(|width| "-".repeat(width)).join("  ")));
        }
        for row in &self.rows {
            text.push_str(&line(std::array::from_fn(|column| row[column].as_str())));
        }
        text
    }
}

/// `Sat, 21 Nov 2026 00:00:13 UTC`.
pub(crate) fn long_time(time: Time) -> String {
    time.0.format("%a, %d %b %Y %H:%M:%S UTC").to_string()
}

/// The same of seconds since the epoch.
pub(crate) fn long_ts(ts: f64) -> String {
    Time::from_ts(ts).map(long_time).unwrap_or_default()
}

/// `1:02:03`, or `2:03`.
pub(crate) fn duration(seconds: u64) -> String {
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 { format!("{hours}:{minutes:02}:{seconds:02}") } else { format!("{minutes}:{seconds:02}") }
}

/// `yes` or `no`.
pub(crate) fn yes_no(yes: bool) -> &'static str {
    if yes { "yes" } else { "no" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_they_must_be() {
        let mut table = Table::new([("Build", 8), ("By", 0)]);
        table.row(["a-1-1".to_owned(), "me".to_owned()]);
        table.row(["longer-than-that-1-1".to_owned(), "you".to_owned()]);
        insta::assert_snapshot!(table.text(false), @r"
        Build                 By
        --------------------  ---
        a-1-1                 me
        longer-than-that-1-1  you
        ");
        assert!(table.text(true).starts_with("a-1-1"));
    }

    #[test]
    fn times() {
        assert_eq!(long_ts(1_795_219_213.9), "Sat, 21 Nov 2026 00:00:13 UTC");
        assert_eq!(duration(63), "1:03");
        assert_eq!(duration(3_723), "1:02:03");
    }
}
