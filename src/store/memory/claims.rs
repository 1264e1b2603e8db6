//! The claims to names in memory.

use crate::store::Claim;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

/// The claimed names, of a limited number.
pub struct Claims {
    by_look: HashMap<Box<str>, Arc<str>>,
    /// In the order of their claims, each with its looks.
    names: VecDeque<(Arc<str>, [Box<str>; 2])>,
    names_max: usize,
    /// The secret under which names were claimed.
    signer: u64,
}

impl Claims {
    /// No claims.
    pub fn new(names_max: usize) -> Claims {
        Claims { by_look: HashMap::new(), names: VecDeque::new(), names_max, signer: 0 }
    }

    /// Claims a name, unless one of its looks is claimed. When there are too many, the oldest claim goes.
    pub fn claim(&mut self, name: &Arc<str>, looks: [Box<str>; 2], signer: u64) -> Claim {
        if signer != self.signer {
            self.signer = signer;
            self.by_look.clear();
            self.names.clear();
        }
        if looks.iter().any(|look| self.by_look.contains_key(look)) {
            return Claim::Taken;
        }
        if self.names_max == 0 {
            return Claim::New;
        }
        if self.names.len() >= self.names_max
            && let Some((_, looks)) = self.names.pop_front()
        {
            self.drop_looks(&looks);
        }
        for look in looks.clone() {
            self.by_look.insert(look, name.clone());
        }
        self.names.push_back((name.clone(), looks));
        Claim::New
    }

    /// Removes the claim to exactly this name.
    pub fn free(&mut self, name: &str) {
        let Some(index) = self.names.iter().position(|(claimed, _)| **claimed == *name) else { return };
        if let Some((_, looks)) = self.names.remove(index) {
            self.drop_looks(&looks);
        }
    }

    fn drop_looks(&mut self, looks: &[Box<str>; 2]) {
        looks.iter().for_each(|look| _ = self.by_look.remove(look));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_claim_goes_when_there_are_too_many() {
        let mut claims = Claims::new(2);
        let mut claim = |name: &str| claims.claim(&name.into(), [name.into(), name.into()], 7);
        assert_eq!(["ann", "bob", "eve"].map(&mut claim), [Claim::New; 3]);
        assert_eq!(["bob", "eve"].map(&mut claim), [Claim::Taken; 2]);
        assert_eq!(claim("ann"), Claim::New);
        assert_eq!((claims.by_look.len(), claims.names.len()), (2, 2));
        let mut none = Claims::new(0);
        assert_eq!([(); 2].map(|()| none.claim(&"ann".into(), ["ann".into(), "ann".into()], 7)), [Claim::New; 2]);
    }
}
