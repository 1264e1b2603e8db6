//! The commands, one module each.

pub mod fetch;
pub mod serve;
