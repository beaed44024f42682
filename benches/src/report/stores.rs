use std::collections::BTreeSet;

use crate::bar_chart::{BarChart, Row};
use crate::figures::Figures;
use crate::line_chart::{Line, LineChart};
use crate::page::{Page, duration, head, number, row, whole};
use crate::subjects::STORES;

const QUANTILES: [&str; 5] = ["mean ns", "p50 ns", "p99 ns", "p99.9 ns", "max ns"];

pub fn write(page: &mut Page, figures: &Figures) {
    let sizes = sizes(figures);
    page.text("## The store alone");
    page.text(
        "Sessions with two small attributes and random ids, each store in a process of its own, through its library's \
         own trait. Every session takes its turn in random order. What is measured is the call alone: ids and \
         records are prepared outside, and a `save` in ours is of a record that was loaded before. Means and quantiles \
         come from passes of their own, as timing each call takes some 30 ns.",
    );
    page.text(
        "The maps are floors: they know no deadlines, no bounds and no versions, and look at no clock. axum_session's \
         sessions are reached through requests only; `get` and `save` there are of one attribute, of 20,000 of the \
         sessions.",
    );
    page.text(
        "session-core's store has a bound, of twice as many sessions here; tower-sessions' in memory has none. Nearly \
         full, where the bound is an eighth more than there are (and with few sessions is passed by those that are \
         created), moka keeps order of which session was used longest ago, which costs memory. `create` and `delete` \
         come one after the other without a pause, faster than the thread that tells moka can follow, so the caller \
         helps it: most of their time is moka's then.",
    );
    page.chart("store-get", "get, mean", draw_lines(figures, &sizes, "get", "mean ns", "get: mean"));
    page.chart("store-get-p99", "get, p99", draw_lines(figures, &sizes, "get", "p99 ns", "get: 99th percentile"));
    for work in ["get", "save", "create", "delete"] {
        page.text(&format!("### {work}"));
        write_times(page, figures, &sizes, work);
    }
    page.text("### Two threads, million calls per second of both together");
    write_threads(page, figures, &sizes);
    page.text("### Resident memory per session, bytes");
    let largest = sizes.last().copied().unwrap_or_default();
    page.chart("store-memory", "Resident memory per session", draw_memory(figures, largest));
    write_memory(page, figures, &sizes);
}

fn sizes(figures: &Figures) -> Vec<u64> {
    let measures = figures.of("store", "ours").filter(|(work, ..)| *work == "memory");
    let sizes: BTreeSet<u64> =
        measures.filter_map(|(_, measure, _)| measure.rsplit(' ').next()?.parse().ok()).collect();
    sizes.into_iter().collect()
}

fn of(figures: &Figures, store: &str, work: &str, measure: &str, size: u64) -> Option<f64> {
    figures.median("store", store, work, &format!("{measure} {size}"))
}

fn write_times(page: &mut Page, figures: &Figures, sizes: &[u64], work: &str) {
    let mut rows = Vec::new();
    for size in sizes {
        for store in &STORES {
            let times = QUANTILES.map(|measure| of(figures, store.name, work, measure, *size));
            if times[0].is_some() {
                rows.push(row(format!("{}, {}", in_words(*size as f64), store.label), times.map(duration)));
            }
        }
    }
    page.table(&head(["sessions", "mean", "p50", "p99", "p99.9", "max"]), &rows);
}

fn write_threads(page: &mut Page, figures: &Figures, sizes: &[u64]) {
    let works = [
        "get, 2 threads, different",
        "get, 2 threads, one hot",
        "load and save, 2 threads, different",
        "load and save, 2 threads, one hot",
    ];
    let mut rows = Vec::new();
    for size in sizes {
        for store in &STORES {
            let rates = works.map(|work| of(figures, store.name, work, "million/s", *size));
            if rates[0].is_some() {
                rows.push(row(format!("{}, {}", in_words(*size as f64), store.label), rates.map(number)));
            }
        }
    }
    let names = ["sessions", "get, different", "get, one hot", "load and save, different", "load and save, one hot"];
    page.table(&head(names), &rows);
    page.text(
        "Loading and saving one hot session from two threads is a conflict time and again in ours, which then loads \
         again until it has saved; in the others one of the two saves is lost.",
    );
    page.text(
        "Where a peer is ahead of session-core: `get` hands out the whole session, whose values it shares by counting \
         references, and looks at the clock; two threads meet at the count of one hot session, which is what sharing \
         costs, and copying the values on each read would cost more. axum_session's copies one attribute. With a \
         thousand sessions all is in the processor's caches, and `create` and `delete` show that ours locks a shard \
         and counts, where tower-sessions' store has one lock for all; its rows of two threads show what that costs. \
         From a thousand sessions to millions `get` takes more times as long than in a map, as it has the record's \
         deadlines and version to wait for as well, in two lines of memory of their own. The 99th percentile of \
         `create` is memory that the system gives page by page, as the maps have it too.",
    );
}

fn write_memory(page: &mut Page, figures: &Figures, sizes: &[u64]) {
    let rows: Vec<Vec<String>> = STORES
        .iter()
        .map(|store| {
            row(store.label, sizes.iter().map(|size| whole(of(figures, store.name, "memory", "bytes", *size))))
        })
        .collect();
    page.table(&row("sessions", sizes.iter().map(|size| in_words(*size as f64))), &rows);
}

fn draw_memory(figures: &Figures, size: u64) -> Option<String> {
    let rows = STORES.iter().filter_map(|store| {
        let bytes = of(figures, store.name, "memory", "bytes", size)?;
        Some(Row { label: store.label.to_owned(), is_ours: store.name.starts_with("ours"), values: vec![bytes] })
    });
    let title = format!("Resident bytes per session, at {} sessions", in_words(size as f64));
    let rows = rows.collect();
    BarChart { title: &title, series: &[""], logarithmic_from: None, format: |value| whole(Some(value)), rows }.draw()
}

fn draw_lines(figures: &Figures, sizes: &[u64], work: &str, measure: &str, title: &str) -> Option<String> {
    let lines = STORES.iter().map(|store| {
        let points =
            sizes.iter().filter_map(|size| Some([*size as f64, of(figures, store.name, work, measure, *size)?]));
        Line { label: store.label.to_owned(), is_ours: store.name.starts_with("ours"), points: points.collect() }
    });
    let title = format!("{title}, by the number of sessions");
    LineChart { title: &title, format_x: in_words, format_y: |ns| duration(Some(ns)), lines: lines.collect() }.draw()
}

fn in_words(size: f64) -> String {
    if size >= 1e6 { format!("{} million", size / 1e6) } else { whole(Some(size)) }
}
