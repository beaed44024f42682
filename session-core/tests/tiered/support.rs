use session_core::{FastStore, Store, TieredStore, WriteBehind};

pub fn behind<F: FastStore, D: Store>(fast: F, durable: D) -> TieredStore<F, D> {
    TieredStore::builder(fast, durable).write_behind(WriteBehind::default()).build().unwrap()
}
