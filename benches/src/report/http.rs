use crate::bar_chart::{BarChart, Row};
use crate::figures::Figures;
use crate::page::{Page, head, number, row};
use crate::subjects;

pub fn write(page: &mut Page, figures: &Figures) {
    page.text("## Over HTTP");
    page.text(
        "wrk with 32 connections on the second core, the server on the first, with one worker of tokio's runtime as \
         `#[tokio::main]` makes it (actix-web: one of its own); 1,000 visitors in turn, two more cookies each. Before \
         each measurement of a library its framework alone is measured; the ratio is of these two. User µs is the part \
         of the processor's time that is not the kernel's. The kernel takes the longer for a request the more often it \
         has to wake the client, which falls asleep beside a server that is slower than itself.",
    );
    page.chart("http", "Requests per second against the framework alone", draw(figures));
    for (work, label) in [("read", "read-only"), ("count", "count += 1")] {
        let rows = subjects::with_sessions().filter_map(|subject| {
            let median = |measure| figures.median("http", subject.name, work, measure);
            median("ratio")?;
            let measures = [
                "ratio",
                "requests/s",
                "p50 us",
                "p99 us",
                "cpu us",
                "user us",
                "bare requests/s",
                "bare p99 us",
                "bare cpu us",
                "bare user us",
            ];
            Some(row(subject.label, measures.map(|measure| number(median(measure)))))
        });
        let rows: Vec<Vec<String>> = rows.collect();
        page.text(&format!("### {label}"));
        let head = head([
            "",
            "ratio",
            "requests/s",
            "p50 µs",
            "p99 µs",
            "CPU µs/request",
            "user µs",
            "alone: requests/s",
            "p99 µs",
            "CPU µs/request",
            "user µs",
        ]);
        page.table(&head, &rows);
    }
}

fn draw(figures: &Figures) -> Option<String> {
    let rows = subjects::with_sessions().filter_map(|subject| {
        let values = ["read", "count"].map(|work| figures.median("http", subject.name, work, "ratio"));
        let values = values.into_iter().collect::<Option<Vec<f64>>>()?;
        Some(Row { label: subject.label.to_owned(), is_ours: subject.name == "ours", values })
    });
    BarChart {
        title: "Requests per second over HTTP, the framework alone being 1",
        series: &["read-only", "count += 1"],
        logarithmic_from: None,
        format: |value| format!("{value:.2}"),
        rows: rows.collect(),
    }
    .draw()
}
