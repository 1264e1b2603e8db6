//! Stands in for `inflater` in a program without the feature `deflate`: an [`Inflater`] that cannot exist.

use super::InflateError;

/// What Accept-Encoding may say: nothing.
pub const CODINGS: Option<&str> = None;

/// There is none.
#[derive(Debug)]
pub enum Inflater {}

impl Inflater {
    /// `None`: nothing can be taken off.
    pub fn for_coding(_coding: &[u8], _bytes_max: u64) -> Option<Inflater> {
        None
    }

    /// Is never called.
    pub fn inflate(&mut self, _input: &[u8]) -> Result<usize, InflateError> {
        match *self {}
    }

    /// Is never called.
    pub fn piece(&self) -> &[u8] {
        match *self {}
    }

    /// Is never called.
    pub fn finish(&self) -> Result<(), InflateError> {
        match *self {}
    }
}
