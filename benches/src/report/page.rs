use std::fs;
use std::path::{Path, PathBuf};

/// RESULTS.md, and the charts beside it.
pub struct Page {
    directory: PathBuf,
    text: String,
}

impl Page {
    pub fn new(directory: &Path) -> Self {
        Page { directory: directory.to_owned(), text: String::new() }
    }

    pub fn text(&mut self, text: &str) {
        self.text.push_str(text);
        self.text.push_str("\n\n");
    }

    /// A table whose first column is text and whose others are numbers. Nothing for no rows.
    pub fn table(&mut self, head: &[String], rows: &[Vec<String>]) {
        if rows.is_empty() {
            return;
        }
        let rule: Vec<String> = (0..head.len()).map(|n| if n == 0 { "---" } else { "---:" }.to_owned()).collect();
        for row in [head, &rule].into_iter().chain(rows.iter().map(Vec::as_slice)) {
            self.text.push_str(&format!("| {} |\n", row.join(" | ")));
        }
        self.text.push('\n');
    }

    pub fn chart(&mut self, name: &str, title: &str, svg: Option<String>) {
        let Some(svg) = svg else { return };
        let charts = self.directory.join("charts");
        fs::create_dir_all(&charts).expect("charts can be made");
        fs::write(charts.join(format!("{name}.svg")), svg).expect("a chart can be written");
        self.text(&format!("![{title}](charts/{name}.svg)"));
    }

    pub fn save(self) {
        fs::write(self.directory.join("RESULTS.md"), self.text.trim_end().to_owned() + "\n")
            .expect("it can be written");
    }
}

pub fn row(first: impl Into<String>, others: impl IntoIterator<Item = String>) -> Vec<String> {
    [first.into()].into_iter().chain(others).collect()
}

pub fn head<const N: usize>(names: [&str; N]) -> Vec<String> {
    names.map(str::to_owned).into()
}

/// A number of about three digits, with commas; a dash for what was not measured.
pub fn number(value: Option<f64>) -> String {
    let Some(value) = value else { return "–".to_owned() };
    match value.abs() {
        size if size >= 99.95 => grouped(value),
        size if size >= 9.995 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

pub fn whole(value: Option<f64>) -> String {
    value.map_or_else(|| "–".to_owned(), grouped)
}

/// With a digit after the point where that says something.
pub fn tenths(value: Option<f64>) -> String {
    match value {
        Some(value) if (value - value.round()).abs() >= 0.05 => format!("{value:.1}"),
        _ => whole(value),
    }
}

fn grouped(value: f64) -> String {
    let digits = format!("{:.0}", value.abs());
    let mut text = if value.round() < 0.0 { "-" } else { "" }.to_owned();
    for (n, digit) in digits.chars().enumerate() {
        if n > 0 && (digits.len() - n) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Nanoseconds in the unit that suits them.
pub fn duration(ns: Option<f64>) -> String {
    match ns {
        Some(ns) if ns >= 1e6 => format!("{} ms", number(Some(ns / 1e6))),
        Some(ns) if ns >= 1e4 => format!("{} µs", number(Some(ns / 1e3))),
        Some(ns) => format!("{} ns", grouped(ns)),
        None => "–".to_owned(),
    }
}
