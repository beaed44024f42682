//! The locks of the index: parking_lot's, or loom's where it explores schedules.

#[cfg(not(session_loom))]
pub(super) use parking_lot::{Mutex, MutexGuard, RwLock, RwLockWriteGuard};

#[cfg(session_loom)]
pub(super) use under_loom::{Mutex, MutexGuard, RwLock, RwLockWriteGuard};

#[cfg(session_loom)]
mod under_loom {
    pub(in crate::memory) use loom::sync::{MutexGuard, MutexGuard as RwLockWriteGuard};

    /// loom's under the interface of parking_lot's.
    #[derive(Default)]
    pub(in crate::memory) struct Mutex<T>(loom::sync::Mutex<T>);

    impl<T> Mutex<T> {
        pub(in crate::memory) fn lock(&self) -> MutexGuard<'_, T> {
            self.0.lock().expect("no thread panicked while it held the lock")
        }
    }

    /// A mutex, because loom's own lock of this kind gives up when two threads wait to write. Readers then
    /// exclude each other, which no test can tell.
    #[derive(Default)]
    pub(in crate::memory) struct RwLock<T>(Mutex<T>);

    impl<T> RwLock<T> {
        pub(in crate::memory) fn read(&self) -> MutexGuard<'_, T> {
            self.0.lock()
        }

        pub(in crate::memory) fn write(&self) -> MutexGuard<'_, T> {
            self.0.lock()
        }
    }
}
