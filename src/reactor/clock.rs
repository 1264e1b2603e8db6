//! The clocks as one turn has read them.

use super::stall::{Stall, StallWatch};
use crate::clock::{Now, UnixMillis};
use crate::config::Limits;
use std::io::Write;
use std::time::{Duration, Instant};

/// The time of this turn, and the Date field made of it.
pub struct Clock {
    pub now: Instant,
    wall: UnixMillis,
    date: [u8; 29],
    stalls: StallWatch,
}

impl Clock {
    /// A clock that starts at `now`.
    pub fn new(now: Instant) -> Clock {
        Clock { now, wall: UnixMillis::default(), date: [b' '; 29], stalls: StallWatch::default() }
    }

    /// A turn begins. Returns the stall of the process before it, if there was one.
    pub fn begin(&mut self, now: Now, limits: &Limits) -> Option<Stall> {
        let whole = now.wall.whole();
        if self.wall.whole() != whole || self.date[0] == b' ' {
            // Once a second, and into its place: `to_string` would allocate.
            let _ = write!(&mut self.date[..], "{whole}");
        }
        (self.now, self.wall) = (now.instant, now.wall);
        self.stalls.begin(self.now, limits)
    }

    /// The turn is over, and asks for the next one after `wait` at the latest.
    pub fn end(&mut self, wait: Option<Duration>) {
        self.stalls.end(self.now, wait);
    }

    /// Both clocks.
    pub fn both(&self) -> Now {
        Now { instant: self.now, wall: self.wall }
    }

    /// The value of the Date field (RFC 9110 section 5.6.7).
    pub fn date(&self) -> &[u8; 29] {
        &self.date
    }

    /// After a stall: until when no peer is judged late.
    pub fn patient_until(&self) -> Option<Instant> {
        self.stalls.patient_until(self.now)
    }
}
