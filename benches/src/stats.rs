use std::time::Instant;

use stats_alloc::Region;

/// What one request, or one operation, took.
#[derive(Clone, Copy)]
pub struct Sample {
    pub ns: f64,
    pub allocations: f64,
    pub bytes: f64,
}

/// Runs something that does `count` operations.
pub fn measure(count: usize, work: impl FnOnce()) -> Sample {
    let region = Region::new(crate::ALLOCATOR);
    let start = Instant::now();
    work();
    let ns = start.elapsed().as_nanos() as f64;
    let change = region.change();
    let per = |total: f64| total / count as f64;
    let allocations = change.allocations + change.reallocations;
    Sample { ns: per(ns), allocations: per(allocations as f64), bytes: per(change.bytes_allocated as f64) }
}

pub fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// The value below which this part of the sorted values lies.
pub fn quantile(sorted: &[u64], part: f64) -> u64 {
    sorted[((sorted.len() as f64 * part) as usize).min(sorted.len() - 1)]
}

/// Resident memory of this process.
pub fn resident_bytes() -> f64 {
    let pages = std::fs::read_to_string("/proc/self/statm").expect("Linux tells a process its memory");
    let resident = pages.split(' ').nth(1).and_then(|pages| pages.parse::<f64>().ok());
    resident.expect("statm has numbers") * 4096.0
}

/// Random numbers that are the same in each run.
pub struct Random(pub u64);

impl Random {
    pub fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound as u64) as usize
    }
}
