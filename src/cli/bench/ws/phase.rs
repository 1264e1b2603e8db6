//! The phases of a run. The times say until when a phase lasts.

use std::time::Instant;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    LoggingIn,
    Opening,
    /// Nothing happens; then the server's memory is measured.
    Resting(Instant),
    /// At most until then, members wait for their welcome.
    Greeting(Instant),
    Warming(Instant),
    Measuring(Instant),
    /// At most until then; so are the next two.
    Storming(Instant),
    Settling(Instant),
    /// Slow members read, too.
    LastLook(Instant),
    Over,
}

impl Phase {
    /// Until when it lasts, if a time ends it.
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
