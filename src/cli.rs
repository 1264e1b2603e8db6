//! The commands, one module each.

#[cfg(feature = "bench")]
pub mod bench;
pub mod cookie;
pub mod fetch;
#[cfg(feature = "history")]
pub mod history;
#[cfg(feature = "bench")]
pub mod model;
#[cfg(feature = "bench")]
pub mod models;
pub mod operator;
pub mod serve;
pub mod verify;
