//! Names that an operator has freed: cookies with such a name that were signed before are worthless.

use crate::clock::UnixMillis;
use crate::site::cookie::LIFE_SECONDS;
use std::collections::HashMap;
use std::sync::Arc;

/// Names remembered, at most. Beyond it the one that was freed first is forgotten.
const NAMES_MAX: usize = 10_000;

/// The freed names, with the second in which each was.
#[derive(Default)]
pub struct Freed {
    seconds: HashMap<Arc<str>, u64>,
}

impl Freed {
    /// A name is freed at this time.
    pub fn add(&mut self, name: Arc<str>, at: UnixMillis) {
        // All cookies from before have expired.
        let oldest = at.seconds().saturating_sub(LIFE_SECONDS);
        self.seconds.retain(|_, seconds| *seconds >= oldest);
        if self.seconds.len() >= NAMES_MAX {
            let first = self.seconds.iter().min_by_key(|(_, seconds)| **seconds).map(|(name, _)| name.clone());
            first.map(|name| self.seconds.remove(&name));
        }
        self.seconds.insert(name, at.seconds());
    }

    /// Whether a cookie with this name that was signed in this second is worthless.
    pub fn voids(&self, name: &str, signed_at: u64) -> bool {
        !self.seconds.is_empty() && self.seconds.get(name).is_some_and(|&freed| signed_at < freed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(seconds: u64) -> UnixMillis {
        UnixMillis::from_millis(seconds * 1000)
    }

    #[test]
    fn cookies_from_before_are_worthless() {
        let mut freed = Freed::default();
        freed.add("ann".into(), seconds(100));
        let voids = [99, 100, 101].map(|second| freed.voids("ann", second));
        assert_eq!((voids, freed.voids("bob", 0)), ([true, false, false], false));
    }

    #[test]
    fn what_no_cookie_can_have_is_forgotten() {
        let mut freed = Freed::default();
        freed.add("ann".into(), seconds(100));
        freed.add("bob".into(), seconds(100 + LIFE_SECONDS));
        assert!(freed.voids("ann", 99));
        freed.add("eve".into(), seconds(101 + LIFE_SECONDS));
        assert!(!freed.voids("ann", 99) && freed.voids("bob", 99));
        (0..=NAMES_MAX).for_each(|n| freed.add(format!("name {n}").into(), seconds(200 + LIFE_SECONDS)));
        assert!(freed.seconds.len() == NAMES_MAX && !freed.voids("bob", 99));
    }
}
