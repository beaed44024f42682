use crate::figures::Figures;
use crate::page::{Page, head, number, row, whole};

/// The name of each flood, and what comes.
const FLOODS: [(&str, &str); 5] = [
    ("strangers", "anonymous sessions, at a bound of 100,000"),
    ("one-account", "logins of one account, at a bound of 10,000"),
    ("large-values", "anonymous sessions of 1 MB each, at a bound of 1,000"),
    ("endings", "endings of sessions, as the fast tier of two hears of them"),
    ("accounts", "logins of as many accounts, at a bound of 1,000,000"),
];

pub fn write(page: &mut Page, figures: &Figures) {
    let of = |flood: &str, measure: &str| figures.median("flood", "ours", flood, measure);
    let rows: Vec<Vec<String>> = FLOODS
        .iter()
        .filter(|(flood, _)| of(flood, "came").is_some())
        .map(|(flood, label)| {
            let measure = |measure: &str| of(flood, measure);
            let counts = ["came", "MiB more", "signed in", "still signed in"].map(|name| whole(measure(name)));
            let waits = ["bystander: p99.9 ms", "bystander: longest ms", "comer: longest ms"];
            row(*label, counts.into_iter().chain(waits.map(|name| number(measure(name)))))
        })
        .collect();
    if rows.is_empty() {
        return;
    }
    page.text("## A store in memory is flooded");
    page.text(
        "session-core's MemoryStore. Users are signed in before, and do nothing meanwhile. A bystander signs in and out \
         and looks at their sessions, on a processor that it shares with others.",
    );
    page.table(
        &head([
            "",
            "number",
            "MiB more",
            "signed in before",
            "and after",
            "bystander: p99.9, ms",
            "longest, ms",
            "who comes: longest, ms",
        ]),
        &rows,
    );
}

/// How many of those who were signed in before any flood are not there afterwards.
pub fn signed_out(figures: &Figures) -> Option<f64> {
    let of = |flood: &str, measure: &str| figures.median("flood", "ours", flood, measure);
    FLOODS.iter().map(|(flood, _)| Some(of(flood, "signed in")? - of(flood, "still signed in")?)).sum()
}

/// The longest wait of a bystander of any flood, in milliseconds.
pub fn longest_wait(figures: &Figures) -> Option<f64> {
    let waits = FLOODS.iter().map(|(flood, _)| figures.median("flood", "ours", flood, "bystander: longest ms"));
    waits.reduce(|a, b| Some(a?.max(b?)))?
}
