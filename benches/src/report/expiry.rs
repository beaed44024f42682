use crate::bar_chart::{BarChart, Row};
use crate::figures::Figures;
use crate::page::{Page, head, number, row, whole};
use crate::subjects::{STORES, StoreSubject};

pub fn write(page: &mut Page, figures: &Figures) {
    let works: Vec<&str> =
        figures.of("expiry", "ours").filter(|figure| figure.1 == "quiet ms").map(|figure| figure.0).collect();
    let Some(sessions) = works.first() else { return };
    let amount = whole(sessions.parse().ok());
    page.text(&format!("## {amount} sessions expire in one second"));
    page.text(
        "The longest of all reads of 10,000 sessions that stay, by one thread that does nothing else, for 15 seconds: \
         while nothing happens, and from the moment the others begin to expire. session-core purges by a thread of its \
         own every 10 seconds; the maps are swept once a second by a thread; moka removes what has expired when it is \
         next used. tower-sessions' store in memory keeps what has expired. axum_session sweeps its DashMap for the \
         first time an hour after its start, which is not waited for here: see DashMap.",
    );
    let rows: Vec<(&StoreSubject, [f64; 2])> = STORES
        .iter()
        .filter_map(|store| {
            let of = |measure| figures.median("expiry", store.name, sessions, measure);
            Some((store, [of("quiet ms")?, of("expiring ms")?]))
        })
        .collect();
    let chart = BarChart {
        title: "Longest wait of one read, in milliseconds (logarithmic)",
        series: &["quiet", "while the others expire"],
        logarithmic_from: Some(0.01),
        format: |value| number(Some(value)),
        rows: rows
            .iter()
            .map(|(store, values)| Row {
                label: store.label.to_owned(),
                is_ours: store.name == "ours",
                values: values.to_vec(),
            })
            .collect(),
    };
    page.chart("expiry", "Longest wait of one read", chart.draw());
    let rows: Vec<Vec<String>> = rows
        .iter()
        .map(|(store, [quiet, expiring])| {
            row(store.label, [*quiet, *expiring, expiring - quiet].map(|ms| number(Some(ms))))
        })
        .collect();
    page.table(&head(["longest read, ms", "quiet", "expiring", "more by"]), &rows);
}
