//! Places for running fetches: how many there are in all, and at each origin.

use crate::config::Limits;
use crate::http::url::{Scheme, Url};
use std::collections::HashMap;

/// Where a connection leads (RFC 9110 section 4.3.1).
type Origin = (Scheme, String, u16);

/// Running fetches, counted.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Places {
    running: usize,
    at_origin: HashMap<Origin, usize>,
}

impl Places {
    /// Whether one more may run, and one more to this origin.
    pub fn is_free_for(&self, url: &Url, limits: &Limits) -> bool {
        let at_origin = self.at_origin.get(&origin(url)).copied().unwrap_or_default();
        !self.are_full(limits) && at_origin < limits.origin_fetches_max
    }

    /// Whether none is free, whatever the origin.
    pub fn are_full(&self, limits: &Limits) -> bool {
        self.running >= limits.fetches_max
    }

    /// Takes a place.
    pub fn take(&mut self, url: &Url) {
        self.running += 1;
        *self.at_origin.entry(origin(url)).or_default() += 1;
    }

    /// Gives a place back.
    pub fn free(&mut self, url: &Url) {
        self.running -= 1;
        let origin = origin(url);
        if let Some(count) = self.at_origin.get_mut(&origin) {
            *count -= 1;
            if *count == 0 {
                self.at_origin.remove(&origin);
            }
        }
    }

    /// Fetches that have a place.
    pub fn running(&self) -> usize {
        self.running
    }
}

fn origin(url: &Url) -> Origin {
    (url.scheme, url.host.clone(), url.port)
}
