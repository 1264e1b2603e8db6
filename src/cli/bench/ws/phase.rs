//! The phases of a run.

use std::time::Instant;

/// What a run does now. A time is the end of the phase; some phases end earlier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    LoggingIn,
    Opening,
    /// Nothing happens; then the server's memory is measured.
    Resting(Instant),
    /// Members wait for their welcome. It ends earlier when each has one.
    Greeting(Instant),
    Warming(Instant),
    Measuring(Instant),
    /// It ends earlier when all are back.
    Storming(Instant),
    /// It ends earlier when nothing is under way.
    Settling(Instant),
    /// Slow members read, too. It ends earlier when there is none.
    LastLook(Instant),
    Over,
}

impl Phase {
    /// The time that ends it, if any does.
    pub fn until(self) -> Option<Instant> {
        match self {
            Phase::LoggingIn | Phase::Opening | Phase::Over => None,
            Phase::Resting(until)
            | Phase::Greeting(until)
            | Phase::Warming(until)
            | Phase::Measuring(until)
            | Phase::Storming(until)
            | Phase::Settling(until)
            | Phase::LastLook(until) => Some(until),
        }
    }
}
