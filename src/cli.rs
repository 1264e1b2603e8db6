//! The commands, one module each.

pub mod bench;
pub mod fetch;
pub mod serve;
