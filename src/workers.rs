//! Threads for blocking calls: files (`jobs`), host names (`names`), the access log (`line_log`). Each has a bounded
//! queue, and results come back to the loop after a wake.

pub mod jobs;
pub mod line_log;
pub mod names;
