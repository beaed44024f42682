//! Stores for sessions that outlive a process: one file and one feature per backend.
