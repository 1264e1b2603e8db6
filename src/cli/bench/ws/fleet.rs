//! The connections of a run: which of them are opened when, with what request, and how that ends.

use super::connection::{Connection, Role, Stage};
use super::masks::Masks;
use super::opener::Opener;
use super::opening::{Asks, LOGIN, Means, Opened, Opening, TIMEOUT, Trouble};
use super::plan::{Login, Plan};
use super::reading::Tools;
use super::traffic::Traffic;
use crate::id::ConnId;
use crate::net::{Network, Ready};
use crate::ws::handshake::client::Key;
use std::io::ErrorKind;
use std::time::{Duration, Instant};

/// All connections.
pub struct Fleet<N: Network> {
    network: N,
    connections: Vec<Connection<N::Stream>>,
    opener: Opener,
    /// Of each name that has logged in; `None` of one that was refused.
    cookies: Vec<Option<String>>,
    /// The names are logging in; each does so in the slot of its number.
    is_logging_in: bool,
}

/// How the opening of a slot has begun.
enum Begun {
    UnderWay,
    BacklogFull,
}

/// Pause before a connect to a full backlog is tried again.
const RETRY_AFTER: Duration = Duration::from_millis(2);

/// How the opening of a slot has ended.
pub type Ended = Result<Opened, Trouble>;

impl<N: Network> Fleet<N> {
    /// Connections that are not there yet.
    pub fn new(plan: &Plan, network: N) -> Fleet<N> {
        let message_bytes_max = plan.heard_bytes_max();
        let connections = (0..plan.all()).map(|slot| Connection::new(plan.role(slot), message_bytes_max));
        Fleet {
            network,
            connections: connections.collect(),
            opener: Opener::new(plan.open_within, plan.timing.connect_rate),
            cookies: vec![None; plan.login.as_ref().map_or(0, |login| login.names)],
            is_logging_in: false,
        }
    }

    /// The names begin to log in.
    pub fn log_in(&mut self, now: Instant) {
        self.is_logging_in = true;
        (0..self.cookies.len()).for_each(|slot| self.opener.queue(slot, now));
    }

    /// The logins are done: the slots may be opened.
    pub fn end_logins(&mut self) {
        self.is_logging_in = false;
    }

    /// What opens connections, to queue slots.
    pub fn opener(&mut self) -> &mut Opener {
        &mut self.opener
    }

    /// Whether all that were to be opened have opened or failed.
    pub fn is_done(&self) -> bool {
        self.opener.is_done()
    }

    /// When one is to be opened, or too late.
    pub fn due(&self) -> Option<Instant> {
        self.opener.due()
    }

    /// How many slots there are.
    pub fn len(&self) -> usize {
        self.connections.len()
    }

    /// The connection in a slot.
    pub fn connection(&mut self, slot: usize) -> &mut Connection<N::Stream> {
        &mut self.connections[slot]
    }

    /// The slots with an open connection of this role.
    pub fn open_slots(&self, role: Role) -> impl Iterator<Item = usize> {
        let all = self.connections.iter().enumerate();
        all.filter(move |(_, connection)| connection.role == role && connection.is_open()).map(|(slot, _)| slot)
    }

    /// Whether the connection in a slot is open, and nothing waits there to be sent.
    pub fn is_idle(&self, slot: usize) -> bool {
        self.connections[slot].is_idle()
    }

    /// Notes what the kernel says of a connection; `None`: it is not there any more.
    pub fn note(&mut self, id: ConnId, ready: Ready) -> Option<&mut Connection<N::Stream>> {
        let connection = self.connections.get_mut(id.slot()).filter(|connection| connection.is(id))?;
        connection.note(ready);
        Some(connection)
    }

    /// Begins to open the slot whose turn it is; a member that was cut asks for what it has missed. Its connect may fail at
    /// once. `None`: it is no slot's turn yet.
    pub fn begin_next(
        &mut self,
        plan: &Plan,
        traffic: &Traffic,
        masks: &mut Masks,
        now: Instant,
    ) -> Option<(usize, Result<(), Trouble>)> {
        let slot = self.opener.next(now)?;
        match self.begin(slot, plan, traffic.position(slot), masks, now) {
            Ok(Begun::UnderWay) => Some((slot, Ok(()))),
            Ok(Begun::BacklogFull) => {
                self.opener.put_back(slot, now + RETRY_AFTER);
                None
            }
            Err(trouble) => {
                self.close(slot);
                Some((slot, Err(trouble)))
            }
        }
    }

    fn begin(
        &mut self,
        slot: usize,
        plan: &Plan,
        since: Option<&str>,
        masks: &mut Masks,
        now: Instant,
    ) -> Result<Begun, Trouble> {
        let connection = &mut self.connections[slot];
        let id = connection.renew(slot);
        let (opening, server) = match login_of(plan, self.is_logging_in) {
            Some(login) => (Opening::new(Asks::Login, login.request(slot), now), &login.server),
            None => {
                let cookies = slot.checked_rem(self.cookies.len()).map(|n| self.cookies[n].as_deref());
                if cookies == Some(None) {
                    return Err(Trouble::Failed(LOGIN, "the login has failed".into()));
                }
                let key = Key::new(masks.bytes());
                let request = plan.handshake(connection.role, since, &key, cookies.flatten());
                (Opening::new(Asks::Handshake(key), request, now), &plan.server)
            }
        };
        let stream = self.network.connect(server.route.address).and_then(|mut stream| {
            self.network.watch(&mut stream, id)?;
            Ok(stream)
        });
        match stream {
            Ok(stream) => connection.open(stream, opening),
            // A Unix socket says so at once, and no event tells when there is room (unix(7)).
            Err(e) if e.kind() == ErrorKind::WouldBlock => return Ok(Begun::BacklogFull),
            Err(e) => return Err(Trouble::connecting(&e)),
        }
        self.opener.began(id, now);
        Ok(Begun::UnderWay)
    }

    /// Takes the opening of a slot as far as its socket allows; `None`: it goes on, or was over before. With a WebSocket
    /// its connection is open, else gone.
    pub fn advance(&mut self, slot: usize, plan: &Plan, tools: &mut Tools) -> Option<Ended> {
        let server = login_of(plan, self.is_logging_in).map_or(&plan.server, |login| &login.server);
        let mut means = Means {
            network: &mut self.network,
            tls_host: server.tls_host.as_deref(),
            subprotocol: plan.subprotocol.as_deref(),
            buffer: &mut tools.buffer,
            limits: &tools.limits,
        };
        let ended = Opening::advance(&mut self.connections[slot], &mut means)?;
        match &ended {
            Ok(Opened::WebSocket { .. }) => {
                self.connections[slot].stage = Stage::Open;
                self.opener.ended();
            }
            Ok(Opened::LoggedIn(cookies)) => {
                self.cookies[slot] = Some(cookies.clone());
                self.close(slot);
            }
            Err(_) => self.close(slot),
        }
        Some(ended)
    }

    /// The next slot whose opening has taken too long; its connection is gone.
    pub fn next_late(&mut self, now: Instant) -> Option<(usize, Trouble)> {
        loop {
            let id = self.opener.late(now)?;
            let connection = &self.connections[id.slot()];
            if connection.is(id) && matches!(connection.stage, Stage::Opening(_)) {
                self.close(id.slot());
                return Some((id.slot(), Trouble::Failed(TIMEOUT, "there was no response in time".into())));
            }
        }
    }

    /// Cuts all connections. The open ones get these bytes before, unless others wait there to be sent.
    pub fn cut_all(&mut self, last: &[u8]) {
        for connection in &mut self.connections {
            if connection.is_idle() {
                // It fails only if the server is gone, which does not matter any more.
                let _ = connection.send(last);
            }
            connection.cut();
        }
    }

    /// The opening of a slot is over without a WebSocket. Nothing is owed to the server, so it is reset, and no port of
    /// ours stays in TIME_WAIT.
    fn close(&mut self, slot: usize) {
        self.connections[slot].cut();
        self.opener.ended();
    }
}

/// Where a name logs in, while that is done.
fn login_of(plan: &Plan, is_logging_in: bool) -> Option<&Login> {
    plan.login.as_ref().filter(|_| is_logging_in)
}
