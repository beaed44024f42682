//! What this library is held to, and whether this run shows it.

use crate::contention;
use crate::device_bound;
use crate::figures::Figures;
use crate::flood;
use crate::in_process::beyond_bare;
use crate::page::{Page, head, number, row};
use crate::servers::{per_request, two_clients};
use crate::subjects::{OURS, PEERS, SERVERS, STORES, Subject};

struct Bar {
    what: &'static str,
    measured: Option<f64>,
    limit: Limit,
}

#[derive(Clone, Copy)]
enum Limit {
    AtMost(f64),
    AtLeast(f64),
}

impl Bar {
    fn row(&self) -> Vec<String> {
        let (limit, is_met) = match self.limit {
            Limit::AtMost(limit) => (format!("≤ {}", number(Some(limit))), self.measured.map(|value| value <= limit)),
            Limit::AtLeast(limit) => (format!("≥ {}", number(Some(limit))), self.measured.map(|value| value >= limit)),
        };
        let verdict = match is_met {
            Some(true) => "yes",
            Some(false) => "**no**",
            None => "not measured",
        };
        row(self.what, [number(self.measured), limit, verdict.to_owned()])
    }
}

pub fn write(page: &mut Page, figures: &Figures) {
    page.text("## What this library is held to");
    let bars = [
        in_process(figures),
        devices(figures),
        http(figures),
        stores(figures),
        servers(figures),
        contention(figures),
        rest(figures),
    ];
    let rows: Vec<Vec<String>> = bars.iter().flatten().map(Bar::row).collect();
    page.table(&head(["", "measured", "aim", "met"]), &rows);
}

fn at_most(what: &'static str, measured: Option<f64>, limit: f64) -> Bar {
    Bar { what, measured, limit: Limit::AtMost(limit) }
}

fn at_least(what: &'static str, measured: Option<f64>, limit: f64) -> Bar {
    Bar { what, measured, limit: Limit::AtLeast(limit) }
}

fn peer(name: &str) -> &'static Subject {
    PEERS.iter().find(|peer| peer.name == name).expect("a known peer")
}

fn in_process(figures: &Figures) -> Vec<Bar> {
    let beyond = |subject, work, measure| beyond_bare(figures, subject, work, measure);
    let ours = |work, measure| beyond(&OURS, work, measure);
    let against_layer =
        |work| figures.paired(["in-process", work, "ns"], ["ours", "axum-layer"], |with, without| with / without);
    let layer_allocations =
        figures.paired(["in-process", "plain", "allocations"], ["ours", "axum-layer"], |with, without| with - without);
    let against = |name, work, measure| Some(ours(work, measure)? / beyond(peer(name), work, measure)?);
    // The largest ratio is that to the better of its stores.
    let counting =
        |measure| most([against("tower-sessions", "count", measure), against("tower-sessions-moka", "count", measure)]);
    let fewest = |work| {
        let peers = least(PEERS.iter().map(|peer| beyond(peer, work, "allocations")))?;
        Some(peers - ours(work, "allocations")?)
    };
    vec![
        at_most("read-only: allocations beyond axum alone", ours("read", "allocations"), 4.0),
        at_most("set_attr: allocations beyond axum alone", ours("set", "allocations"), 13.0),
        at_most("update_attr: allocations beyond axum alone", ours("count", "allocations"), 12.0),
        at_most("no extractor: allocations beyond a layer that does nothing", layer_allocations, 4.0),
        at_most("read-only: time, a layer that does nothing being 1", against_layer("read"), 2.2),
        at_most("set_attr: time, a layer that does nothing being 1", against_layer("set"), 2.6),
        at_most("update_attr: time, a layer that does nothing being 1", against_layer("count"), 2.6),
        at_most("counting: extra time, tower-sessions' better store being 1", counting("ns"), 0.3),
        at_most("counting: extra instructions, the same", counting("instructions"), 0.3),
        at_most("read-only: extra time, tower-sessions being 1", against("tower-sessions", "read", "ns"), 0.55),
        at_most("read-only: extra instructions, the same", against("tower-sessions", "read", "instructions"), 0.55),
        at_most(
            "read-only: extra time, tower-sessions always saving being 1",
            against("tower-sessions-always", "read", "ns"),
            0.33,
        ),
        at_most(
            "read-only: extra instructions, the same",
            against("tower-sessions-always", "read", "instructions"),
            0.33,
        ),
        at_most("read-only: extra time, axum_session being 1", against("axum-session", "read", "ns"), 1.0 / 6.0),
        at_most("read-only: extra instructions, the same", against("axum-session", "read", "instructions"), 1.0 / 6.0),
        at_most("counting: extra time, axum_session being 1", against("axum-session", "count", "ns"), 1.0 / 6.0),
        at_most("counting: extra instructions, the same", against("axum-session", "count", "instructions"), 1.0 / 6.0),
        at_least("read-only: extra allocations fewer than the best peer's, by", fewest("read"), 0.0),
        at_least("set_attr: the same", fewest("set"), 0.0),
        at_least("counting: the same", fewest("count"), 0.0),
        at_least("login: the same", fewest("login"), 0.0),
        at_least("logout: the same", fewest("logout"), 0.0),
    ]
}

fn devices(figures: &Figures) -> Vec<Bar> {
    let allocations = |work| device_bound::of_being_bound(figures, work, "allocations");
    let unused = |work| device_bound::unused(figures, work);
    // One MAC takes 12,756, so a second one would show.
    let hashing = device_bound::of_the_mac(figures, "read");
    vec![
        at_most("a bound session, read-only: instructions of SHA-256 by ring, in software", hashing, 13_000.0),
        at_most("a bound session, read-only: allocations more than one that is not", allocations("read"), 1.0),
        at_most("a bound session, counting: the same", allocations("count"), 1.0),
        at_most("device-bound compiled in, not used, read-only: instructions more, in percent", unused("read"), 1.0),
        at_most("device-bound compiled in, not used, counting: the same", unused("count"), 1.0),
    ]
}

fn http(figures: &Figures) -> Vec<Bar> {
    let ratio = |subject| figures.median("http", subject, "count", "ratio");
    let against = |other: Option<f64>| Some(ratio("ours")? / other?);
    vec![
        at_least("HTTP, counting: requests per second, axum alone being 1", ratio("ours"), 0.82),
        at_least("HTTP, counting: the same, the layer written by hand being 1", against(ratio("by-hand")), 0.95),
        at_least(
            "HTTP, counting: the same, the best peer being 1",
            against(most(PEERS.iter().map(|peer| ratio(peer.name)))),
            1.0,
        ),
    ]
}

fn stores(figures: &Figures) -> Vec<Bar> {
    const MILLION: &str = "1000000";
    let of =
        |store: &str, measure: &str, size: &str| figures.median("store", store, "get", &format!("{measure} {size}"));
    let memory = |store: &str| figures.median("store", store, "memory", &format!("bytes {MILLION}"));
    let peers = || STORES.iter().filter(|store| store.is_peer);
    let best_peer = least(peers().map(|peer| of(peer.name, "mean ns", MILLION)));
    // How many times as long; a difference would favour whoever is slow with few sessions too.
    let growth = |store: &str, to: &str| Some(of(store, "mean ns", to)? / of(store, "mean ns", "1000")?);
    let against_map = |to| Some(growth("ours", to)? / growth("sharded-map", to)?);
    let ours = |measure| of("ours", measure, MILLION);
    let against_peer = || Some(ours("mean ns")? / best_peer?);
    vec![
        at_most("a million sessions: get, mean ns", ours("mean ns"), 900.0),
        at_most("a million sessions: get, p99 ns", ours("p99 ns"), 5000.0),
        at_most("a million sessions: get, mean, the best peer being 1", against_peer(), 1.0),
        at_most(
            "get: how many times as long at a million as at a thousand, a sharded map's being 1",
            against_map(MILLION),
            1.0,
        ),
        at_most("get: how many times as long at 5 million as at a thousand, the same", against_map("5000000"), 1.0),
        at_most("a million sessions: bytes per session", memory("ours"), 750.0),
        at_most(
            "a million sessions: bytes per session, tower-sessions' moka store being 1",
            memory("ours").zip(memory("tower-sessions-moka")).map(|(ours, moka)| ours / moka),
            1.0,
        ),
    ]
}

fn servers(figures: &Figures) -> Vec<Bar> {
    let asked = |store, work| per_request(figures, store, work, "round trips");
    let ours = || SERVERS.iter().filter(|subject| subject.name.starts_with("ours-"));
    let lost = ours().filter_map(|subject| two_clients(figures, subject)).map(|(all, stored)| Some(all - stored));
    let writes = ours().map(|subject| per_request(figures, subject.name, "read", "writes"));
    vec![
        at_most("Redis, read-only: round trips", asked("ours-redis", "read"), 1.0),
        at_most("Redis, counting: round trips", asked("ours-redis", "count"), 2.0),
        at_most("Redis, tracked, read-only: round trips", asked("ours-redis-tracked", "read"), 0.0),
        at_most("Redis, tracked, counting: round trips", asked("ours-redis-tracked", "count"), 2.0),
        at_most("PostgreSQL, read-only: round trips", asked("ours-postgres", "read"), 1.0),
        at_most("PostgreSQL, counting: round trips", asked("ours-postgres", "count"), 2.0),
        at_most("Memcached, read-only: round trips", asked("ours-memcached", "read"), 1.0),
        at_most("Memcached, counting: round trips", asked("ours-memcached", "count"), 2.0),
        at_most("any server, read-only: writes, within a minute of the last", most(writes), 0.0),
        at_most("any store on a server, two clients counting: updates lost", most(lost), 0.0),
    ]
}

fn contention(figures: &Figures) -> Vec<Bar> {
    let shared =
        |store| contention::ratio(figures, store, "p99 ms", ["256 over 1,000 sessions", "256 with a session each"]);
    let hammered =
        |store| contention::ratio(figures, store, "median ms", ["64 bystanders of that", "64 bystanders of those"]);
    vec![
        at_most("Redis, 256 clients over 1,000 sessions: p99, a session each being 1", shared("redis"), 2.0),
        at_most("Redis, bystanders of a hammered session: median, without it being 1", hammered("redis"), 1.2),
        at_most("PostgreSQL, 256 clients over 1,000 sessions: p99, the same", shared("postgres"), 2.0),
        at_most("PostgreSQL, bystanders of a hammered session: median, the same", hammered("postgres"), 1.2),
    ]
}

fn rest(figures: &Figures) -> Vec<Bar> {
    let longest = |store, measure| figures.median("expiry", store, "1000000", measure);
    let more = || Some(longest("ours", "expiring ms")? - longest("ours", "quiet ms")?);
    let against_moka = || Some(longest("ours", "expiring ms")? / longest("tower-sessions-moka", "expiring ms")?);
    let counted = |measure| figures.median("lost-updates", "ours", "count", measure);
    vec![
        at_most("a million expire: the longest read, ms more than when quiet", more(), 50.0),
        at_most("a million expire: the longest read, the best peer being 1", against_moka(), 1.0),
        at_most("floods: signed-in sessions ended", flood::signed_out(figures), 0.0),
        at_most("floods: the longest wait of a bystander, ms", flood::longest_wait(figures), 50.0),
        at_most(
            "two clients counting: updates lost",
            counted("expected").zip(counted("stored")).map(|(all, stored)| all - stored),
            0.0,
        ),
    ]
}

fn least(values: impl IntoIterator<Item = Option<f64>>) -> Option<f64> {
    values.into_iter().flatten().reduce(f64::min)
}

fn most(values: impl IntoIterator<Item = Option<f64>>) -> Option<f64> {
    values.into_iter().flatten().reduce(f64::max)
}
