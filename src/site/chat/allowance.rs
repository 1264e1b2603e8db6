//! How many messages may be sent, or other things done, in a time: a token bucket.

use std::time::{Duration, Instant};

/// A longer stall earns members no more messages: the kernel's buffers could not have held them.
const ALLOWED_FOR_MAX: Duration = Duration::from_secs(600);

/// A rate and a burst: of messages, or of what else is counted like them.
#[derive(Debug, Clone, Copy)]
pub struct Rate {
    /// Messages a second; 0 is no limit.
    pub messages: f64,
    /// Messages that may be sent at once before the rate counts.
    pub burst: f64,
    /// Allowances count their time from here.
    epoch: Instant,
}

impl Rate {
    /// A rate whose time begins at `epoch`.
    pub fn new(messages: f64, burst: f64, epoch: Instant) -> Rate {
        Rate { messages, burst, epoch }
    }

    fn millis(&self, now: Instant) -> u32 {
        // Wraps after 49 days; then an allowance misses one refill.
        now.saturating_duration_since(self.epoch).as_millis() as u32
    }
}

/// One token bucket.
#[derive(Debug)]
pub struct Allowance {
    /// Messages that may be sent at once.
    messages: f32,
    /// When `messages` was computed, milliseconds.
    at: u32,
}

impl Allowance {
    /// The whole burst.
    pub fn full(rate: &Rate, now: Instant) -> Allowance {
        Allowance { messages: rate.burst as f32, at: rate.millis(now) }
    }

    /// Takes one message.
    ///
    /// # Errors
    /// There is none: the time until there is one.
    pub fn take(&mut self, rate: &Rate, now: Instant) -> Result<(), Duration> {
        if rate.messages <= 0.0 {
            return Ok(());
        }
        let at = rate.millis(now);
        let earned = f64::from(at.wrapping_sub(self.at)) / 1000.0 * rate.messages;
        // What a stall has earned stays above the burst until it is used.
        let left = f64::from(self.messages);
        let messages = (left + earned).min(rate.burst.max(left));
        self.at = at;
        if messages >= 1.0 {
            self.messages = (messages - 1.0) as f32;
            return Ok(());
        }
        self.messages = messages as f32;
        Err(Duration::try_from_secs_f64((1.0 - messages) / rate.messages).unwrap_or(Duration::MAX))
    }

    /// Whether the whole burst is there.
    pub fn is_full(&self, rate: &Rate, now: Instant) -> bool {
        let earned = f64::from(rate.millis(now).wrapping_sub(self.at)) / 1000.0 * rate.messages;
        f64::from(self.messages) + earned >= rate.burst
    }

    /// The process stood still: the messages that were sent meanwhile, at the rate, come all at once.
    pub fn add_stall(&mut self, rate: &Rate, stall: Duration) {
        self.messages += (stall.min(ALLOWED_FOR_MAX).as_secs_f64() * rate.messages) as f32;
    }
}
