use crate::bar_chart::{BarChart, Row};
use crate::figures::Figures;
use crate::page::{Page, head, number, row, whole};
use crate::subjects;

pub fn write(page: &mut Page, figures: &Figures) {
    let rows: Vec<(&subjects::Subject, f64, f64)> = subjects::all()
        .filter_map(|subject| {
            let of = |measure| figures.median("lost-updates", subject.name, "count", measure);
            Some((subject, of("expected")?, of("stored")?))
        })
        .collect();
    if rows.is_empty() {
        return;
    }
    page.text("## Two clients count on one session");
    page.text(
        "Two clients at once, on two threads, each as its library's documentation shows how to count. The session of \
         actix-session's cookie store is in each client's own cookie, so there is nothing on the server to compare.",
    );
    let chart = BarChart {
        title: "Counts that are stored, of all that were answered, in percent",
        series: &[""],
        logarithmic_from: None,
        format: |value| format!("{value:.1} %"),
        rows: rows
            .iter()
            .map(|(subject, expected, stored)| Row {
                label: subject.label.to_owned(),
                is_ours: subject.name == "ours",
                values: vec![100.0 * stored / expected],
            })
            .collect(),
    };
    page.chart("lost-updates", "Counts that are stored", chart.draw());
    let rows: Vec<Vec<String>> = rows
        .iter()
        .map(|(subject, expected, stored)| {
            let lost = 100.0 * (expected - stored) / expected;
            row(subject.label, [whole(Some(*expected)), whole(Some(*stored)), format!("{} %", number(Some(lost)))])
        })
        .collect();
    page.table(&head(["", "expected", "stored", "lost"]), &rows);
}
