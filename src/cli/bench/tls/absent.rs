//! https without the Cargo feature `tls`: it is refused.

use super::report::Row;
use crate::config::bench_args::TlsArgs;

/// There is none.
#[derive(Debug)]
pub enum Tls {}

impl Tls {
    /// Never.
    ///
    /// # Errors
    /// Always.
    pub fn new(_: &TlsArgs, _: &str, _: usize) -> Result<Tls, String> {
        Err("https and its flags need a squall that was built with the Cargo feature `tls`".into())
    }

    /// See `new`.
    pub fn host(&self) -> &str {
        match *self {}
    }

    /// See `new`.
    pub fn rows(&self) -> Vec<Row> {
        match *self {}
    }
}
