//! Connections by slot, each with the number of its tenancy.
//!
//! Insert gives a [`ConnId`]; every look-up with it returns `None` once that tenant is gone, also when the slot has a
//! new one. So an event of a batch, a timer, a job's result or a room's member list may keep the id of a connection that is gone.

use crate::id::ConnId;

/// A slab whose keys are not valid for a later tenant of the same slot, until 2³² tenants later.
pub struct Slab<T> {
    entries: slab::Slab<Tenant<T>>,
    tenancies: u32,
}

struct Tenant<T> {
    generation: u32,
    value: T,
}

impl<T> Default for Slab<T> {
    fn default() -> Slab<T> {
        Slab { entries: slab::Slab::new(), tenancies: 0 }
    }
}

impl<T> Slab<T> {
    /// Moves `value` in. Generation 0 is skipped: it marks names outside the slab.
    pub fn insert(&mut self, value: T) -> ConnId {
        self.tenancies = self.tenancies.checked_add(1).unwrap_or(1);
        let slot = self.entries.insert(Tenant { generation: self.tenancies, value });
        ConnId::new(slot, self.tenancies)
    }

    /// The tenant that `id` names, if it is still there.
    #[inline]
    pub fn get(&self, id: ConnId) -> Option<&T> {
        let tenant = self.entries.get(id.slot as usize)?;
        (tenant.generation == id.generation).then_some(&tenant.value)
    }

    /// The same, to change it.
    #[inline]
    pub fn get_mut(&mut self, id: ConnId) -> Option<&mut T> {
        let tenant = self.entries.get_mut(id.slot as usize)?;
        (tenant.generation == id.generation).then_some(&mut tenant.value)
    }

    /// Moves the tenant out and frees its slot.
    pub fn remove(&mut self, id: ConnId) -> Option<T> {
        self.get(id)?;
        Some(self.entries.remove(id.slot as usize).value)
    }

    /// How many tenants there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// All of them, by slot.
    pub fn iter(&self) -> impl Iterator<Item = (ConnId, &T)> {
        self.entries.iter().map(|(slot, tenant)| (ConnId::new(slot, tenant.generation), &tenant.value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_names_nobody_once_its_tenant_is_gone() {
        let mut slab = Slab::default();
        let first = slab.insert("first");
        assert_eq!(slab.remove(first), Some("first"));
        let second = slab.insert("second");
        assert_eq!(second.slot(), first.slot());
        assert_eq!((slab.get(first), slab.get(second)), (None, Some(&"second")));
        assert_eq!((slab.remove(first), slab.len()), (None, 1));
    }
}
