//! What the programs share: the same small application on each library, and how it is measured.

pub mod allocations;
pub mod apps;
pub mod figure;
pub mod stats;

#[global_allocator]
static ALLOCATOR: allocations::CountingAllocator = allocations::CountingAllocator;
