//! Tables for people.

use serde_json::{Value, json};

/// A table of texts, as wide as they are.
pub(crate) struct Table {
    rows: Vec<Line>,
}

enum Line {
    Cells(Vec<String>),
    Note(String),
}

impl Table {
    pub(crate) fn new(head: &[&str]) -> Self {
        Self { rows: vec![Line::Cells(head.iter().map(|&text| text.to_owned()).collect())] }
    }

    pub(crate) fn row(&mut self, cells: &[String]) {
        self.rows.push(Line::Cells(cells.to_vec()));
    }

    /// A line of its own.
    pub(crate) fn note(&mut self, text: &str) {
        self.rows.push(Line::Note(text.to_owned()));
    }

    pub(crate) fn print(&self) {
        let mut widths: Vec<usize> = Vec::new();
        for row in &self.rows {
            let Line::Cells(cells) = row else { continue };
            widths.resize(widths.len().max(cells.len()), 0);
            for (width, cell) in widths.iter_mut().zip(cells) {
                *width = (*width).max(cell.chars().count());
            }
        }
        for row in &self.rows {
            match row {
                Line::Note(text) => println!("{text}"),
                Line::Cells(cells) => {
                    let mut line = String::new();
                    for (place, (cell, width)) in cells.iter().zip(&widths).enumerate() {
                        line += &if place == 0 { format!("{cell:<width$}") } else { format!("  {cell:>width$}") };
                    }
                    println!("  {}", line.trim_end());
                }
            }
        }
    }
}

/// Seconds as milliseconds.
pub(crate) fn ms(seconds: f64) -> String {
    let ms = seconds * 1e3;
    if ms < 10.0 { format!("{ms:.2} ms") } else { format!("{ms:.0} ms") }
}

/// What it was measured on.
pub(crate) fn machine() -> Value {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": ")).map(|(_, name)| name);
    json!({"cores": cores, "cpu": model, "arch": std::env::consts::ARCH})
}
