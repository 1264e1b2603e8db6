//! Which fetch each owner waits for. An owner that is a connection has it in its own state.

use super::Cx;
use crate::conn::http::Deadline;
use crate::conn::table::Connections;
use crate::conn::{Connection, Protocol};
use crate::id::ConnId;
use crate::net::Stream;
use std::collections::HashMap;
use std::time::Instant;

/// The fetches of owners, one each.
#[derive(Default)]
pub struct Owners {
    /// Those of owners that are no connections.
    outside: HashMap<ConnId, ConnId>,
}

impl Owners {
    /// The fetch that the owner waits for, or none.
    pub fn fetch_of<S: Stream>(&self, conns: &Connections<S>, owner: ConnId) -> ConnId {
        match conns.get(owner).map(|conn| &conn.protocol) {
            Some(Protocol::Http(http)) => http.fetch,
            _ => self.outside.get(&owner).copied().unwrap_or(ConnId::NONE),
        }
    }

    /// The owner's response now waits for this fetch, which ends at `deadline`.
    pub fn adopt<S: Stream>(&mut self, cx: &mut Cx<S>, owner: ConnId, id: ConnId, deadline: Instant) {
        if owner.is_outside() {
            self.outside.insert(owner, id);
        } else if let Some(http) = cx.conns.get_mut(owner).and_then(Connection::http) {
            (http.deadline, http.fetch) = (Deadline::Owed, id);
            // Its end comes as an event; this is only for the case that no event ever came.
            cx.conns.set_deadline(owner, deadline + cx.limits.response_within);
        }
    }

    /// The owner waits for this fetch no longer.
    pub fn disown<S: Stream>(&mut self, conns: &mut Connections<S>, owner: ConnId, id: ConnId) {
        if owner.is_outside() {
            if self.outside.get(&owner) == Some(&id) {
                self.outside.remove(&owner);
            }
        } else if let Some(http) = conns.get_mut(owner).and_then(Connection::http)
            && http.fetch == id
        {
            http.fetch = ConnId::NONE;
        }
    }

    /// Owners that are no connections, and their fetches.
    pub fn outside(&self) -> impl Iterator<Item = (ConnId, ConnId)> {
        self.outside.iter().map(|(&owner, &id)| (owner, id))
    }
}
