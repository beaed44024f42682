use crate::figures::Figures;
use crate::page::{Page, head, number, row, whole};

pub const STORES: [(&str, &str); 2] = [("redis", "Redis"), ("postgres", "PostgreSQL")];

/// What the clients do, as it is measured.
const WORKS: [&str; 6] = [
    "256 with a session each",
    "256 over 1,000 sessions",
    "64 with a session each",
    "64 bystanders of those",
    "64 in one session",
    "64 bystanders of that",
];

pub fn write(page: &mut Page, figures: &Figures) {
    let of = |store: &str, work: &str, measure| figures.median("contention", store, work, measure);
    let rows: Vec<Vec<String>> = STORES
        .iter()
        .flat_map(|(store, label)| WORKS.map(|work| (*store, *label, work)))
        .filter(|(store, _, work)| of(store, work, "median ms").is_some())
        .map(|(store, label, work)| {
            let measure = |measure| of(store, work, measure);
            let latencies = [number(measure("median ms")), number(measure("p99 ms")), whole(measure("a second"))];
            row(format!("{label}, {work}"), latencies)
        })
        .collect();
    if rows.is_empty() {
        return;
    }
    page.text("## Many clients count at once");
    page.text(
        "All in one process, as fast as they can: clients that share sessions at random, and clients that hammer one \
         session beside bystanders with sessions of their own.",
    );
    page.table(&head(["", "median ms", "p99 ms", "counts a second"]), &rows);
}

/// How many times as much of a measure clients have at one work as at another.
pub fn ratio(figures: &Figures, store: &str, measure: &str, [work, other]: [&str; 2]) -> Option<f64> {
    let of = |work| figures.median("contention", store, work, measure);
    Some(of(work)? / of(other)?)
}
