//! The names that are online, and those that look like them.

use crate::site::name::looks;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// Names with a connection. Two that look alike are never online together.
#[derive(Default)]
pub struct Names {
    /// Connections of each name.
    online: HashMap<Arc<str>, u32>,
    /// Looks of the names that are online, except a name itself.
    looks: HashSet<Box<str>>,
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
    pub fn enter(&mut self, claim: Claim) -> Arc<str> {
        let name = claim.name;
        *self.online.entry(name.clone()).or_insert(0) += 1;
        let looks = claim.looks.into_iter().flatten().filter(|look| **look != *name);
        self.looks.extend(looks.map(String::into_boxed_str));
        name
    }

    /// A connection that has entered under this name is gone.
    pub fn leave(&mut self, name: &str) {
        let Some(connections) = self.online.get_mut(name) else { return };
        *connections -= 1;
        if *connections > 0 {
            return;
        }
        self.online.remove(name);
        // Computed again: to store them would cost memory for each name.
        for look in looks(name) {
            self.looks.remove(&*look);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn enter(names: &mut Names, name: &str) {
        let claim = names.claim(name).expect("no look-alike is online");
        names.enter(claim);
    }

    #[test]
    fn names_that_look_alike_are_never_present_together() {
        let mut names = Names::default();
        enter(&mut names, "Mary");
        enter(&mut names, "Mary");
        let taken = ["mary", "rnary", "Rnary", "M\u{430}ry", "MARY"];
        for alike in taken {
            assert!(names.claim(alike).is_none(), "{alike}");
        }
        assert!(names.claim("Mark").is_some_and(|claim| claim.is_first()));
        names.leave("Mary");
        assert!(names.claim("mary").is_none(), "one is still there");
        names.leave("Mary");
        for alike in taken {
            assert!(names.claim(alike).is_some_and(|claim| claim.is_first()), "{alike}");
        }
        assert!(names.online.is_empty() && names.looks.is_empty());
    }

    #[test]
    fn an_unused_claim_changes_nothing() {
        let names = Names::default();
        drop(names.claim("Mary"));
        assert!(names.online.is_empty() && names.looks.is_empty());
    }
}
