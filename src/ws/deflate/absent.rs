//! Stands in for `machine` in a program without the feature `deflate`: a [`Compression`] that cannot exist.

use super::{Agreement, Inflated};
use crate::config::Limits;

/// Compresses nothing.
#[derive(Debug)]
pub struct Codec;

impl Codec {
    /// There is nothing to be made.
    pub fn new(_limits: &Limits) -> Codec {
        Codec
    }

    /// `None`: the message is to be sent as it is.
    pub fn deflate(&mut self, _message: &[u8]) -> Option<&[u8]> {
        None
    }

    /// None is done.
    pub fn take_work(&mut self) -> usize {
        0
    }
}

/// There is none. Apart from `new`, its methods are never called.
#[derive(Debug)]
pub enum Compression {}

impl Compression {
    /// # Panics
    /// Always: without the feature no offer is accepted.
    pub fn new(_agreement: Agreement) -> Compression {
        panic!("every offer is declined")
    }

    pub fn agreement(&self) -> Agreement {
        match *self {}
    }

    pub fn is_under_way(&self) -> bool {
        match *self {}
    }

    pub fn taken(&self) -> usize {
        match *self {}
    }

    pub fn begin(&mut self) {
        match *self {}
    }

    pub fn inflate<'c>(&mut self, _input: &[u8], _codec: &'c mut Codec) -> Inflated<'c> {
        match *self {}
    }

    pub fn tail(&self) -> &'static [u8] {
        match *self {}
    }

    pub fn end(&mut self, _codec: &mut Codec) {
        match *self {}
    }

    pub fn deflate<'c>(&mut self, _message: &[u8], _codec: &'c mut Codec) -> Option<&'c [u8]> {
        match *self {}
    }

    pub fn forget(&mut self) {
        match *self {}
    }

    pub fn held(&self) -> usize {
        match *self {}
    }
}
