//! What is printed, and in which columns.

use std::{
    borrow::Cow,
    io::{self, IsTerminal, Write},
};

use toji_protocol::time::Time;

/// Writes a text and a line's end, if it has none, to standard output.
///
/// # Errors
/// When nobody reads it any more: the program then ends as if by SIGPIPE.
pub(crate) fn say(text: &str) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    let text = if out.is_terminal() { harmless(text) } else { text.into() };
    out.write_all(text.as_bytes())?;
    if !text.is_empty() && !text.ends_with('\n') {
        out.write_all(b"\n")?;
    }
    Ok(out.flush()?)
}

/// Tells on standard error what does not stop the program.
pub(crate) fn warn(text: &str) {
    // There is nowhere else to tell it.
    let _ = writeln!(io::stderr(), "toji: {}", harmless(text));
}

/// A text without what a terminal would obey: `^[` instead of an escape, as `cat -v` writes it. Logs and names are other people's, and
/// could hide lines, rename the window or worse.
pub(crate) fn harmless(text: &str) -> Cow<'_, str> {
    let obeyed = |char: char| char.is_control() && !matches!(char, '\n' | '\t');
    if !text.contains(obeyed) {
        return Cow::Borrowed(text);
    }
    // A carriage return before a line's end does nothing.
    let text = text.replace("\r\n", "\n");
    let mut shown = String::with_capacity(text.len() + 16);
    for char in text.chars() {
        match u32::from(char) {
            code @ (0..0x20 | 0x7f) if obeyed(char) => {
                shown.push('^');
                shown.extend(char::from_u32(code ^ 0x40));
            }
            code if obeyed(char) => shown.push_str(&format!("<{code:02X}>")),
            _ => shown.push(char),
        }
    }
    Cow::Owned(shown)
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
    fn terminals_are_not_told_what_to_do() {
        assert!(matches!(harmless("a\tb\n酒\n"), Cow::Borrowed(_)));
        assert_eq!(harmless("\u{1b}]0;root\u{7}\u{1b}[2J\rb\r\n"), "^[]0;root^G^[[2J^Mb\n");
        assert_eq!(harmless("a\u{9b}31m\u{7f}"), "a<9B>31m^?");
    }

    #[test]
    fn times() {
        assert_eq!(long_ts(1_795_219_213.9), "Sat, 21 Nov 2026 00:00:13 UTC");
        assert_eq!(duration(63), "1:03");
        assert_eq!(duration(3_723), "1:02:03");
    }
}
