//! When which room has something to tell.

use crate::event::{Effect, Effects};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Instant;

/// The times at which rooms, by their numbers, have something to tell, and the alarm for the first of them.
#[derive(Default)]
pub struct Agenda {
    times: BinaryHeap<Reverse<(Instant, usize)>>,
}

impl Agenda {
    /// A room has something to tell at this time.
    pub fn plan(&mut self, at: Instant, room: usize, out: &mut Effects) {
        if self.times.peek().is_none_or(|&Reverse((first, _))| at < first) {
            out.push(Effect::Alarm(at));
        }
        self.times.push(Reverse((at, room)));
    }

    /// The next room whose time has come. `None`: there is none; the alarm is set for the first one that is left.
    pub fn next(&mut self, now: Instant, out: &mut Effects) -> Option<usize> {
        let &Reverse((at, room)) = self.times.peek()?;
        if at > now {
            out.push(Effect::Alarm(at));
            return None;
        }
        self.times.pop();
        Some(room)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn the_alarm_is_set_for_the_first_time() {
        let (mut agenda, mut out, start) = (Agenda::default(), Effects::default(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        agenda.plan(at(5), 1, &mut out);
        agenda.plan(at(7), 2, &mut out);
        agenda.plan(at(3), 3, &mut out);
        assert_eq!(out.list, [Effect::Alarm(at(5)), Effect::Alarm(at(3))]);
        out.clear();
        assert_eq!([0; 3].map(|_| agenda.next(at(5), &mut out)), [Some(3), Some(1), None]);
        assert_eq!(out.list, [Effect::Alarm(at(7))]);
        assert_eq!([0; 2].map(|_| agenda.next(at(7), &mut out)), [Some(2), None]);
        assert_eq!(out.list.len(), 1, "nothing is left to be woken for");
    }
}
