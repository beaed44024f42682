use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

use crate::allocations;

/// What some requests took together.
#[derive(Clone, Copy, Default)]
pub struct Sample {
    /// Of this thread on the processor, which does not count when something else runs there.
    pub time: Duration,
    /// Of all threads of this process.
    pub process_time: Duration,
    /// As a visitor sees it, waiting for a server included.
    pub wall_time: Duration,
    pub allocations: u64,
    pub bytes: u64,
}

impl std::ops::AddAssign for Sample {
    fn add_assign(&mut self, other: Sample) {
        self.time += other.time;
        self.process_time += other.process_time;
        self.wall_time += other.wall_time;
        self.allocations += other.allocations;
        self.bytes += other.bytes;
    }
}

/// Runs work and measures it. callgrind counts instructions in here only, by this name.
#[inline(never)]
pub fn measured_region(work: impl FnOnce()) -> Sample {
    let (allocations, bytes) = allocations::so_far();
    let (wall_start, process_start, start) = (Instant::now(), process_time(), thread_time());
    work();
    let time = thread_time() - start;
    let (process_time, wall_time) = (process_time() - process_start, wall_start.elapsed());
    let (allocations_after, bytes_after) = allocations::so_far();
    let (allocations, bytes) = (allocations_after - allocations, bytes_after - bytes);
    Sample { time, process_time, wall_time, allocations, bytes }
}

/// How long this thread has been on a processor.
pub fn thread_time() -> Duration {
    time_on(ClockId::ThreadCPUTime)
}

fn process_time() -> Duration {
    time_on(ClockId::ProcessCPUTime)
}

fn time_on(clock: ClockId) -> Duration {
    let time = clock_gettime(clock);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
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
pub struct Random(u64);

impl Random {
    pub fn seeded(seed: u64) -> Self {
        Random(0x9e37_79b9_7f4a_7c15 ^ seed)
    }

    pub fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound as u64) as usize
    }

    pub fn bytes<const N: usize>(&mut self) -> [u8; N] {
        std::array::from_fn(|_| self.below(256) as u8)
    }
}
