//! Whether members of a room hear the same: what a member has heard of each sender, and in which order it has heard all.

use super::masks::mix;
use std::collections::HashMap;

/// Messages of one sender that are told apart behind the newest one.
const WINDOW: u32 = 64;

/// What one member has heard of one sender. 16 bytes, since there is one for each pair.
#[derive(Debug, Clone, Copy, Default)]
pub struct HeardOfSender {
    /// The number behind the highest that was heard.
    next: u32,
    /// Messages that were heard, each counted once.
    count: u32,
    /// Of the numbers below `next`, which were heard; bit 0 is the highest.
    window: u64,
}

/// How a message fits behind those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fit {
    /// It is newer than all before it.
    Newer,
    /// A newer one was heard before it.
    OutOfOrder,
    /// It was heard before. So is one that is too old to tell: a loss must not be hidden.
    Doubled,
}

impl HeardOfSender {
    /// Takes the message with this number.
    pub fn take(&mut self, number: u32) -> Fit {
        if number >= self.next {
            // Shifted in two steps: a shift by 64 has no result.
            let skipped = (number - self.next).min(WINDOW - 1);
            self.window = (self.window << skipped) << 1 | 1;
            (self.next, self.count) = (number.saturating_add(1), self.count + 1);
            return Fit::Newer;
        }
        let behind = self.next - 1 - number;
        let bit = 1_u64.checked_shl(behind).unwrap_or(0);
        if behind >= WINDOW || self.window & bit != 0 {
            return Fit::Doubled;
        }
        self.window |= bit;
        self.count += 1;
        Fit::OutOfOrder
    }

    /// How many messages were heard, each counted once.
    pub fn count(&self) -> u32 {
        self.count
    }
}

/// Two running hashes of what a member has heard.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Order {
    /// Of the messages, in any order.
    set: u64,
    /// Of the messages in their order.
    sequence: u64,
}

impl Order {
    /// The member has heard this message.
    pub fn note(&mut self, sender: u32, number: u32) {
        let message = mix(u64::from(sender) << 32 | u64::from(number));
        self.set = self.set.wrapping_add(message);
        self.sequence = (self.sequence.rotate_left(5) ^ message).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }
}

/// Of the members that have heard the same messages as others: how many have heard them in another order than most.
pub fn disagreeing(members: impl Iterator<Item = Order>) -> usize {
    let mut sets: HashMap<u64, HashMap<u64, usize>> = HashMap::new();
    for Order { set, sequence } in members {
        *sets.entry(set).or_default().entry(sequence).or_default() += 1;
    }
    let apart = |sequences: &HashMap<u64, usize>| {
        sequences.values().sum::<usize>() - sequences.values().max().copied().unwrap_or_default()
    };
    sets.values().map(apart).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fits(numbers: &[u32]) -> (Vec<Fit>, u32) {
        let mut heard = HeardOfSender::default();
        (numbers.iter().map(|&number| heard.take(number)).collect(), heard.count())
    }

    #[test]
    fn doubled_and_late_messages_are_told_apart() {
        use Fit::{Doubled, Newer, OutOfOrder};
        assert_eq!(fits(&[0, 1, 2]), (vec![Newer, Newer, Newer], 3));
        assert_eq!(fits(&[0, 2, 1, 1, 2, 3]), (vec![Newer, Newer, OutOfOrder, Doubled, Doubled, Newer], 4));
        assert_eq!(fits(&[5, 0]), (vec![Newer, OutOfOrder], 2));
        assert_eq!(fits(&[63, 0, 0]), (vec![Newer, OutOfOrder, Doubled], 2));
        assert_eq!(fits(&[64, 0]), (vec![Newer, Doubled], 1), "too old to tell");
        assert_eq!(fits(&[0, 63, 0, 1]), (vec![Newer, Newer, Doubled, OutOfOrder], 3));
        assert_eq!(fits(&[7, 1000, 999, 7, u32::MAX]), (vec![Newer, Newer, OutOfOrder, Doubled, Newer], 4));
    }

    #[test]
    fn a_pair_is_small() {
        assert_eq!(size_of::<HeardOfSender>(), 16);
    }

    fn order(messages: &[(u32, u32)]) -> Order {
        let mut order = Order::default();
        messages.iter().for_each(|&(sender, number)| order.note(sender, number));
        order
    }

    #[test]
    fn members_with_another_order_than_most_disagree() {
        let (usual, other) = (order(&[(0, 0), (1, 0), (0, 1)]), order(&[(1, 0), (0, 0), (0, 1)]));
        let fewer = order(&[(0, 0), (0, 1)]);
        assert_eq!(disagreeing([usual, usual, other].into_iter()), 1);
        assert_eq!(disagreeing([usual, other, fewer, usual].into_iter()), 1);
        assert_eq!(disagreeing([usual, fewer].into_iter()), 0, "one has lost a message, which is another fault");
        assert_eq!(disagreeing(std::iter::empty()), 0);
    }
}
