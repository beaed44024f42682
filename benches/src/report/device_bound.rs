//! What it costs to bind a session to its device.

use crate::figures::Figures;
use crate::page::{Page, head, row, tenths, whole};

const PART: &str = "device-bound";
const OF_THE_MAC: &str = "of SHA-256 by ring, in software";

/// Each by the name that the part prints.
const SUBJECTS: [(&str, &str); 4] = [
    ("ours-without", "without the feature"),
    ("ours", "the feature compiled in, and not used"),
    ("ours-unbound", "a layer that binds, a session that is not bound"),
    ("ours-bound", "a layer that binds, a session that is bound"),
];

const WORKS: [(&str, &str); 3] = [("read", "read"), ("set", "set"), ("count", "count")];

pub fn write(page: &mut Page, figures: &Figures) {
    let measures: [(&str, &str, fn(Option<f64>) -> String); 4] = [
        ("per request", "instructions", whole),
        (OF_THE_MAC, "of them of the MAC", whole),
        ("allocations", "allocations", tenths),
        ("ns", "ns", whole),
    ];
    let rows: Vec<Vec<String>> = SUBJECTS
        .iter()
        .flat_map(|(subject, label)| WORKS.map(|(work, work_label)| (*subject, *label, work, work_label)))
        .filter(|(subject, _, work, _)| figures.median(PART, subject, work, "per request").is_some())
        .map(|(subject, label, work, work_label)| {
            let of = |(measure, _, in_text): (&str, &str, fn(Option<f64>) -> String)| {
                in_text(figures.median(PART, subject, work, measure))
            };
            row(format!("{label}: {work_label}"), measures.map(of))
        })
        .collect();
    if rows.is_empty() {
        return;
    }
    page.text("## Sessions that are bound to devices");
    page.text(
        "One request in process, with all that axum does for it, on session-axum with a store in memory. A session that is \
         bound comes with a second cookie, whose value is a MAC. callgrind knows no instructions for SHA-256, so the MAC is \
         made in software there, and costs more than it does on a processor that has them.",
    );
    page.table(&head(["", "instructions", "of them of the MAC", "allocations", "ns"]), &rows);
}

/// Instructions of a request that the feature adds where it is compiled in and not used, in percent.
pub fn unused(figures: &Figures, work: &str) -> Option<f64> {
    let of = |subject| figures.median(PART, subject, work, "per request");
    Some(100.0 * (of("ours")? / of("ours-without")? - 1.0))
}

/// What a request takes of a measure more because its session is bound.
pub fn of_being_bound(figures: &Figures, work: &str, measure: &str) -> Option<f64> {
    let of = |subject| figures.median(PART, subject, work, measure);
    Some(of("ours-bound")? - of("ours-unbound")?)
}

/// Instructions for the MAC of a request whose session is bound.
pub fn of_the_mac(figures: &Figures, work: &str) -> Option<f64> {
    figures.median(PART, "ours-bound", work, OF_THE_MAC)
}
