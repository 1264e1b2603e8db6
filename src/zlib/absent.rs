//! Stands in for `stream` in a program without the feature `deflate`: streams that cannot exist.

use super::{Inflated, Wrapper};
use std::convert::Infallible;

#[derive(Debug)]
pub struct InflateStream(Infallible);

impl InflateStream {
    /// # Panics
    /// Always; see [`IS_BUILT_IN`](super::IS_BUILT_IN).
    pub fn new(_wrapper: Wrapper) -> InflateStream {
        unreachable!("inflating is not built in")
    }

    pub fn inflate(&mut self, _input: &[u8], _out: &mut [u8]) -> Inflated {
        match self.0 {}
    }

    pub fn reset_raw(&mut self) {
        match self.0 {}
    }
}

#[derive(Debug)]
pub struct DeflateStream(Infallible);

impl DeflateStream {
    /// # Panics
    /// Always; see [`IS_BUILT_IN`](super::IS_BUILT_IN).
    pub fn new(_window_bits: u8) -> DeflateStream {
        unreachable!("deflating is not built in")
    }

    pub fn deflate(&mut self, _input: &[u8], _out: &mut Vec<u8>) {
        match self.0 {}
    }

    pub fn reset(&mut self) {
        match self.0 {}
    }
}
