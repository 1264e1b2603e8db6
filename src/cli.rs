//! The commands, one module each.

#[cfg(feature = "bench")]
pub mod bench;
pub mod fetch;
pub mod serve;
