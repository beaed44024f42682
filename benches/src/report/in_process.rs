use crate::bar_chart::{BarChart, Row};
use crate::figures::Figures;
use crate::page::{Page, head, number, row, tenths, whole};
use crate::subjects::{self, Subject, WORKS};

const OVERHEAD: [&str; 2] = ["read-only", "count += 1"];

/// What a subject takes of a measure beyond its framework alone, in the same rounds.
pub fn beyond_bare(figures: &Figures, subject: &Subject, work: &str, measure: &str) -> Option<f64> {
    if measure == "instructions" {
        return instructions(figures, subject.name, work)
            .zip(instructions(figures, subject.bare, work))
            .map(|(with, without)| with - without);
    }
    figures.paired(["in-process", work, measure], [subject.name, subject.bare], |with, without| with - without)
}

/// As callgrind counts them, but with the processor's SHA-256 in place of that in software, the only one
/// that callgrind knows.
fn instructions(figures: &Figures, subject: &str, work: &str) -> Option<f64> {
    let counted = |subject, work, measure| figures.median("instructions", subject, work, measure);
    let all = counted(subject, work, "per request")?;
    let Some((software, processor)) = sha256(figures) else { return Some(all) };
    let hashing = counted(subject, work, "of SHA-256 in software").unwrap_or(0.0);
    Some(all - hashing + hashing / software * processor)
}

/// The instructions of hashing one id, in software and by the processor.
fn sha256(figures: &Figures) -> Option<(f64, f64)> {
    let one = |by| figures.median("instructions", "ours", "read", by);
    one("of SHA-256 in software").zip(one("of SHA-256 by the processor"))
}

pub fn write(page: &mut Page, figures: &Figures) {
    page.text("## One request in process");
    page.text(
        "The same six routes on each library, called without a network, on routers as `axum::serve` serves them; three \
         cookies in the request, the session's last; one visitor, but for logins and logouts. \"Without session\" is a \
         route without an extractor. All beyond the same route on the same framework alone, round by round.",
    );
    let measures = [
        ("ns", "Time in nanoseconds", "request-time"),
        ("allocations", "Allocations", "request-allocations"),
        ("instructions", "Instructions, counted by callgrind", "request-instructions"),
        ("bytes", "Bytes allocated", ""),
    ];
    for (measure, title, chart) in measures {
        page.text(&format!("### {title} beyond the framework alone"));
        if !chart.is_empty() {
            page.chart(chart, title, draw(figures, measure, title));
        }
        write_table(page, figures, measure);
        if measure == "instructions"
            && let Some((software, processor)) = sha256(figures)
        {
            page.text(&format!(
                "callgrind knows no instructions for SHA-256, so the libraries hash in software there: {} instructions \
                 for an id. In their place the table has those of the processor's own, {}, which a debugger counted step \
                 by step.",
                whole(Some(software)),
                whole(Some(processor))
            ));
        }
    }
    let notes = subjects::all().filter(|subject| !subject.note.is_empty());
    let notes: Vec<String> = notes.map(|subject| format!("- {}: {}", subject.label, subject.note)).collect();
    page.text("What differs, with each library's defaults:");
    page.text(&notes.join("\n"));
    page.text("### The frameworks alone, and ours against a layer that does nothing");
    write_floors(page, figures);
}

fn in_tenths_or_whole(measure: &str) -> fn(Option<f64>) -> String {
    if measure == "allocations" { tenths } else { whole }
}

fn write_table(page: &mut Page, figures: &Figures, measure: &str) {
    let head = row("", WORKS.map(|(_, label)| label.to_owned()));
    let rows: Vec<Vec<String>> = subjects::all()
        .filter(|subject| subject.name != subject.bare)
        .map(|subject| {
            let values =
                WORKS.map(|(work, _)| in_tenths_or_whole(measure)(beyond_bare(figures, subject, work, measure)));
            row(subject.label, values)
        })
        .collect();
    page.table(&head, &rows);
}

fn draw(figures: &Figures, measure: &str, title: &str) -> Option<String> {
    let rows = subjects::with_sessions().filter_map(|subject| {
        let values = ["read", "count"].map(|work| beyond_bare(figures, subject, work, measure));
        let values = values.into_iter().collect::<Option<Vec<f64>>>()?;
        Some(Row { label: subject.label.to_owned(), is_ours: subject.name == "ours", values })
    });
    let title = format!("{title}, per request beyond the framework alone");
    let rows = rows.collect();
    BarChart { title: &title, series: &OVERHEAD, logarithmic_from: None, format: |value| whole(Some(value)), rows }
        .draw()
}

fn write_floors(page: &mut Page, figures: &Figures) {
    let rows: Vec<Vec<String>> = WORKS
        .iter()
        .map(|(work, label)| {
            let median = |subject, measure| figures.median("in-process", subject, work, measure);
            let against_layer =
                figures.paired(["in-process", work, "ns"], ["ours", "axum-layer"], |with, without| with / without);
            row(
                *label,
                [
                    whole(median("axum-bare", "ns")),
                    tenths(median("axum-bare", "allocations")),
                    whole(median("actix-bare", "ns")),
                    tenths(median("actix-bare", "allocations")),
                    whole(median("axum-layer", "ns")),
                    tenths(median("axum-layer", "allocations")),
                    whole(median("ours", "ns")),
                    tenths(median("ours", "allocations")),
                    number(against_layer),
                ],
            )
        })
        .collect();
    let head = head([
        "",
        "axum ns",
        "allocations",
        "actix-web ns",
        "allocations",
        "layer ns",
        "allocations",
        "ours ns",
        "allocations",
        "ours / layer",
    ]);
    page.table(&head, &rows);
}
