use crate::bar_chart::{BarChart, Row};
use crate::figures::Figures;
use crate::page::{Page, duration, head, number, row, tenths, whole};
use crate::subjects::{SERVERS, Subject, WORKS};

const PART: &str = "servers";

pub fn write(page: &mut Page, figures: &Figures) {
    if figures.median(PART, "ours-redis", "read", "wall ns").is_none() {
        return;
    }
    page.text("## Stores on servers");
    page.text(
        "The same six routes, called without HTTP, with sessions on a server of this machine; one request after the \
         other, with a thousand sessions and more in the store. Redis keeps nothing on disk, and PostgreSQL does not \
         wait for the disk, so that times are those of asking and answering; a server that is elsewhere adds its \
         distance to each round trip. SQLite's file is on this machine's disk.",
    );
    write_counts(page, figures);
    write_times(page, figures);
    page.text("What differs, with each library's defaults:");
    let notes = SERVERS.iter().filter(|subject| !subject.note.is_empty());
    let notes: Vec<String> = notes.map(|subject| format!("- {}: {}", subject.label, subject.note)).collect();
    page.text(&notes.join("\n"));
    write_lost_updates(page, figures);
}

fn write_counts(page: &mut Page, figures: &Figures) {
    page.text(
        "Round trips are counted by a proxy before the server: each time a client sends after the server has \
         answered, or for the first time. Commands and writes are what the server itself has counted: Redis' \
         `commandstats`, those of scripts included, the writing ones being those it lists as such (`ACL CAT write`); \
         statements of PostgreSQL's `pg_stat_statements`, `BEGIN` and `COMMIT` included; memcached's `stats`. SQLite \
         has no server that would count; its statements are those that sqlx logs, `BEGIN` and `COMMIT` left out. \
         What a library does in the background, as keeping a connection alive, is \
         in the counts; it is less than a hundredth of a request.",
    );
    page.text("### Round trips of a request");
    page.chart("server-round-trips", "Round trips of a request", draw(figures));
    write_table(page, figures, "round trips", tenths);
    page.text("### Commands or statements of a request");
    write_table(page, figures, "commands", tenths);
    page.text("### Commands or statements that write, of a request");
    write_table(page, figures, "writes", tenths);
}

fn write_times(page: &mut Page, figures: &Figures) {
    page.text("### How long a request takes");
    write_table(page, figures, "wall ns", duration);
    page.text(
        "### Processor time of a request\n\nOf the process that answers, which for SQLite includes the database; that \
         of the servers is not in it.",
    );
    write_table(page, figures, "cpu ns", duration);
    page.text("### Allocations of a request\n\nOf the thread that answers, so without those of SQLite's threads.");
    write_table(page, figures, "allocations", tenths);
}

fn write_table(page: &mut Page, figures: &Figures, measure: &str, format: fn(Option<f64>) -> String) {
    let rows: Vec<Vec<String>> = SERVERS
        .iter()
        .filter_map(|subject| {
            let values = WORKS.map(|(work, _)| figures.median(PART, subject.name, work, measure));
            values[0]?;
            Some(row(subject.label, values.map(format)))
        })
        .collect();
    page.table(&row("", WORKS.map(|(_, label)| label.to_owned())), &rows);
}

fn draw(figures: &Figures) -> Option<String> {
    let rows = SERVERS.iter().filter_map(|subject| {
        let values = ["read", "count"].map(|work| figures.median(PART, subject.name, work, "round trips"));
        let values = values.into_iter().collect::<Option<Vec<f64>>>()?;
        Some(Row { label: subject.label.to_owned(), is_ours: subject.name.starts_with("ours"), values })
    });
    BarChart {
        title: "Round trips to the server, per request",
        series: &["read-only", "count += 1"],
        logarithmic_from: None,
        format: |value| tenths(Some(value)),
        rows: rows.collect(),
    }
    .draw()
}

fn write_lost_updates(page: &mut Page, figures: &Figures) {
    page.text("### Two clients count on one session on a server");
    page.text(
        "At once, each by an instance of the application of its own, with connections of its own, as two processes \
         have; as each library's documentation shows how to count.",
    );
    let rows: Vec<Vec<String>> = SERVERS
        .iter()
        .filter_map(|subject| {
            let (expected, stored) = two_clients(figures, subject)?;
            let lost = format!("{} %", number(Some(100.0 * (expected - stored) / expected)));
            Some(row(subject.label, [whole(Some(expected)), whole(Some(stored)), lost]))
        })
        .collect();
    page.table(&head(["", "expected", "stored", "lost"]), &rows);
}

/// How many counts were answered, and how many are stored.
pub fn two_clients(figures: &Figures, subject: &Subject) -> Option<(f64, f64)> {
    let of = |measure| figures.median(PART, subject.name, "two clients", measure);
    Some((of("expected")?, of("stored")?))
}

/// What one request asks of the server, but for what happens less than once in a hundred.
pub fn per_request(figures: &Figures, subject: &str, work: &str, measure: &str) -> Option<f64> {
    figures.median(PART, subject, work, measure).map(|value| (value * 100.0).round() / 100.0)
}
