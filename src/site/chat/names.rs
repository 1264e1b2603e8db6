//! The names that are online, and those that look like them.

use super::allowance::{Allowance, Rate};
use super::allowances::Allowances;
use crate::site::name::looks;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Names with a connection. Two that look alike are never online together.
pub struct Names {
    online: HashMap<Arc<str>, Online>,
    /// Looks of the names that are online, except a name itself.
    looks: HashSet<Box<str>>,
    rate: Rate,
    /// Allowances of names without a connection: of scripts, and of those that have just gone.
    away: Allowances<Arc<str>>,
}

/// A name with a connection.
struct Online {
    connections: u32,
    /// Of messages, for all of its connections and requests.
    allowance: Allowance,
}

/// A name under which a connection may enter now.
pub struct Claim {
    name: Arc<str>,
    /// Its looks; `None` if the name is online already.
    looks: Option<[String; 2]>,
}

impl Claim {
    /// Whether no connection has entered under this name.
    pub fn is_first(&self) -> bool {
        self.looks.is_some()
    }
}

impl Names {
    /// No name is online. Each may send messages at this rate.
    pub fn new(rate: Rate, now: Instant) -> Names {
        Names { online: HashMap::new(), looks: HashSet::new(), rate, away: Allowances::new(rate, now) }
    }

    /// The claim to a name; `None` while another name that looks like it is online.
    pub fn claim(&self, name: &str) -> Option<Claim> {
        if let Some((known, _)) = self.online.get_key_value(name) {
            return Some(Claim { name: known.clone(), looks: None });
        }
        let looks = looks(name);
        let is_used = |look: &str| self.online.contains_key(look) || self.looks.contains(look);
        let is_taken = self.looks.contains(name) || looks.iter().any(|look| is_used(look));
        (!is_taken).then(|| Claim { name: name.into(), looks: Some(looks) })
    }

    /// A connection enters under a name.
    pub fn enter(&mut self, claim: Claim, now: Instant) -> Arc<str> {
        let name = claim.name;
        let away = &mut self.away;
        let first = || Online { connections: 0, allowance: away.remove(&name, now) };
        self.online.entry(name.clone()).or_insert_with(first).connections += 1;
        let looks = claim.looks.into_iter().flatten().filter(|look| **look != *name);
        self.looks.extend(looks.map(String::into_boxed_str));
        name
    }

    /// A connection that has entered under this name is gone.
    pub fn leave(&mut self, name: &str, now: Instant) {
        let Some(online) = self.online.get_mut(name) else { return };
        online.connections -= 1;
        if online.connections > 0 {
            return;
        }
        if let Some((name, online)) = self.online.remove_entry(name) {
            // A name that comes back at once has no new burst.
            self.away.put(name, online.allowance, now);
        }
        // Computed again: to store them would cost memory for each name.
        for look in looks(name) {
            self.looks.remove(&*look);
        }
    }

    /// Takes one message of the name's allowance, online or not.
    ///
    /// # Errors
    /// There is none: the time until there is one.
    pub fn take_message(&mut self, name: &Arc<str>, now: Instant) -> Result<(), Duration> {
        match self.online.get_mut(name) {
            Some(online) => online.allowance.take(&self.rate, now),
            None => self.away.take(name.clone(), now),
        }
    }

    /// The process stood still: the messages that were sent meanwhile, at the rate, come all at once.
    pub fn add_stall(&mut self, stall: Duration) {
        for online in self.online.values_mut() {
            online.allowance.add_stall(&self.rate, stall);
        }
        self.away.add_stall(stall);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(now: Instant) -> Names {
        Names::new(Rate::new(1.0, 3.0, now), now)
    }

    fn enter(names: &mut Names, name: &str, now: Instant) {
        let claim = names.claim(name).expect("no look-alike is online");
        names.enter(claim, now);
    }

    #[test]
    fn names_that_look_alike_are_never_present_together() {
        let now = Instant::now();
        let mut names = names(now);
        enter(&mut names, "Mary", now);
        enter(&mut names, "Mary", now);
        let taken = ["mary", "rnary", "Rnary", "M\u{430}ry", "MARY"];
        for alike in taken {
            assert!(names.claim(alike).is_none(), "{alike}");
        }
        assert!(names.claim("Mark").is_some_and(|claim| claim.is_first()));
        names.leave("Mary", now);
        assert!(names.claim("mary").is_none(), "one is still there");
        names.leave("Mary", now);
        for alike in taken {
            assert!(names.claim(alike).is_some_and(|claim| claim.is_first()), "{alike}");
        }
        assert!(names.online.is_empty() && names.looks.is_empty());
    }

    #[test]
    fn a_name_has_one_allowance_online_and_away() {
        let now = Instant::now();
        let (mut names, mary): (_, Arc<str>) = (names(now), "Mary".into());
        assert_eq!(names.take_message(&mary, now), Ok(()));
        enter(&mut names, "Mary", now);
        assert_eq!(names.take_message(&mary, now), Ok(()));
        enter(&mut names, "Mary", now);
        names.leave("Mary", now);
        assert_eq!(names.take_message(&mary, now), Ok(()));
        assert_eq!(names.take_message(&mary, now), Err(Duration::from_secs(1)));
        names.leave("Mary", now);
        assert_eq!(names.take_message(&mary, now), Err(Duration::from_secs(1)));
        enter(&mut names, "Mary", now);
        assert_eq!(names.take_message(&mary, now), Err(Duration::from_secs(1)), "no new burst for one that comes back");
        names.add_stall(Duration::from_secs(2));
        assert_eq!([(); 2].map(|()| names.take_message(&mary, now)), [Ok(()); 2]);
        names.leave("Mary", now);
        names.add_stall(Duration::from_secs(1));
        assert_eq!(names.take_message(&mary, now), Ok(()));
        assert!(names.take_message(&mary, now).is_err());
    }

    #[test]
    fn an_unused_claim_changes_nothing() {
        let names = names(Instant::now());
        drop(names.claim("Mary"));
        assert!(names.online.is_empty() && names.looks.is_empty());
    }
}
