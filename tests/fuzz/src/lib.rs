//! What the fuzz targets and the property tests (tests/it/properties.rs) share.
//!
//! ```text
//! bytes ── Cuts ──▶ pieces ── a machine, step by step ──▶ transcript: what it said, as owned values
//! ```
//!
//! A transcript must not depend on the cuts. On the way every step is checked: bytes used, memory held, order.

pub mod cuts;
pub mod http;
pub mod ws;
