//! Dialling: from a fetch that has its place to a connection that a request can be sent on.
//!
//! ```text
//! Placed ── look up ──▶ Resolving (unless known) ── addresses ──▶ Connecting ── the first wins ──▶ Securing (https)
//! ```
//!
//! Names are looked up by [`Names`], addresses are tried by [`Race`](crate::conn::race::Race) (RFC 8305), TLS is driven by
//! the stream. Each of the three may take `connect_within`, and the deadline of the whole fetch stands above them.
//! A step is taken in the connection's own slice, when its name is known, or at its deadline.

use super::Cx;
use crate::conn::table::Connections;
use crate::conn::upstream::{State, Upstream};
use crate::conn::{Connection, Input, Protocol};
use crate::event::FetchError;
use crate::http::url::Scheme;
use crate::id::ConnId;
use crate::net::{Network, Stream};
use crate::workers::names::{Answer, Found, Names};
use std::net::{IpAddr, SocketAddr};

/// What a step of dialling led to.
#[derive(Debug)]
pub enum Dialled {
    /// Waits for the name, the socket or the deadline; or there was nothing to do.
    Waiting,
    /// The request can be sent.
    Connected,
    /// No address could be connected to, or what answered is not the host.
    Failed(FetchError),
}

/// Looks up names, connects, and secures connections.
pub struct Dialler {
    pub names: Names,
}

impl Dialler {
    /// The next step of a connection that is not there yet.
    pub fn advance<N: Network>(
        &mut self,
        conns: &mut Connections<N::Stream>,
        network: &mut N,
        id: ConnId,
        cx: Cx,
    ) -> Dialled {
        let Some(upstream) = conns.get_mut(id).and_then(Connection::upstream) else { return Dialled::Waiting };
        match upstream.state() {
            State::TurnedAway => Dialled::Failed(FetchError::Busy),
            State::Placed if upstream.fetch.url.scheme == Scheme::Https && !cfg!(feature = "tls") => {
                Dialled::Failed(FetchError::NoTls)
            }
            State::Placed => self.look_up(conns, network, id, cx),
            State::Connecting => race(conns, network, id, cx),
            State::Securing => secure(conns, id, cx),
            _ => Dialled::Waiting,
        }
    }

    /// Asks for the addresses of the host. A literal and a name in the cache are known at once.
    fn look_up<N: Network>(
        &mut self,
        conns: &mut Connections<N::Stream>,
        network: &mut N,
        id: ConnId,
        cx: Cx,
    ) -> Dialled {
        let Some(upstream) = conns.get_mut(id).and_then(Connection::upstream) else { return Dialled::Waiting };
        let host = &upstream.fetch.url.host;
        match self.names.look_up(host, id, cx.now) {
            Answer::Known(addresses) => connect(conns, network, id, &addresses, cx),
            Answer::Failed(why) => Dialled::Failed(FetchError::Resolve { host: host.clone(), why }),
            Answer::Full => {
                let why = "too many names are being looked up".to_owned();
                Dialled::Failed(FetchError::Resolve { host: host.clone(), why })
            }
            Answer::Asked => {
                upstream.begin_resolving(cx.now);
                let until = upstream.phase_deadline(cx.now, cx.limits);
                conns.set_deadline(id, until);
                Dialled::Waiting
            }
        }
    }

    /// A name has been looked up, for one of those that asked.
    pub fn resolved<N: Network>(
        &mut self,
        conns: &mut Connections<N::Stream>,
        network: &mut N,
        id: ConnId,
        found: &Found,
        cx: Cx,
    ) -> Dialled {
        let upstream = conns.get_mut(id).and_then(Connection::upstream);
        let Some(upstream) = upstream.filter(|upstream| upstream.state() == State::Resolving) else {
            return Dialled::Waiting;
        };
        match found {
            Ok(addresses) => connect(conns, network, id, addresses, cx),
            Err(why) => {
                Dialled::Failed(FetchError::Resolve { host: upstream.fetch.url.host.clone(), why: why.clone() })
            }
        }
    }

    /// A phase has taken too long, or the next connect of a race is due.
    pub fn on_deadline<N: Network>(
        &mut self,
        conns: &mut Connections<N::Stream>,
        network: &mut N,
        id: ConnId,
        cx: Cx,
    ) -> Dialled {
        let Some(upstream) = conns.get_mut(id).and_then(Connection::upstream) else { return Dialled::Waiting };
        let (host, after) = (upstream.fetch.url.host.clone(), cx.limits.connect_within);
        match upstream.state() {
            State::Resolving => Dialled::Failed(FetchError::ResolveTimeout { host, after }),
            State::Connecting if upstream.race.as_ref().is_some_and(|race| !race.is_late(cx.now)) => {
                race(conns, network, id, cx)
            }
            State::Connecting => Dialled::Failed(FetchError::ConnectTimeout { after }),
            State::Securing => Dialled::Failed(FetchError::TlsTimeout { host, after }),
            _ => Dialled::Waiting,
        }
    }
}

/// The race between the addresses begins.
fn connect<N: Network>(
    conns: &mut Connections<N::Stream>,
    network: &mut N,
    id: ConnId,
    addresses: &[IpAddr],
    cx: Cx,
) -> Dialled {
    let Some(upstream) = conns.get_mut(id).and_then(Connection::upstream) else { return Dialled::Waiting };
    let port = upstream.fetch.url.port;
    let addresses = addresses.iter().map(|&ip| SocketAddr::new(ip, port)).collect();
    match upstream.begin_connecting(addresses, cx.now, cx.now + cx.limits.connect_within) {
        Ok(()) => race(conns, network, id, cx),
        Err(error) => Dialled::Failed(error),
    }
}

/// Looks which address is connected, and starts the connect that is due.
fn race<N: Network>(conns: &mut Connections<N::Stream>, network: &mut N, id: ConnId, cx: Cx) -> Dialled {
    let Some(conn) = conns.get_mut(id) else { return Dialled::Waiting };
    let Protocol::Upstream(upstream) = &mut conn.protocol else { return Dialled::Waiting };
    let Some(race) = &mut upstream.race else { return Dialled::Waiting };
    loop {
        if let Some(winner) = race.winner() {
            conn.writable = true;
            if !winner.alone {
                // What the kernel has said may have been about another stream: the next read has to tell.
                (conn.input, conn.broken) = (Input::Ending, false);
            }
            conn.stream = Some(winner.stream);
            upstream.connected(winner.address, cx.now);
            return connected(conns, network, id, cx);
        }
        if race.is_nobody_running() {
            // Whatever the kernel has said was about those that have failed.
            (conn.input, conn.writable, conn.broken) = (Input::Drained, false, false);
        }
        let Some(address) = race.next(cx.now) else { break };
        let started = network.connect(address).and_then(|mut stream| {
            network.watch(&mut stream, id)?;
            Ok(stream)
        });
        match started {
            Ok(stream) => race.started(address, stream, cx.now, cx.limits.connect_stagger),
            Err(error) => race.failed(address, error),
        }
    }
    if race.is_lost() {
        return Dialled::Failed(race.failure(&upstream.fetch.url.host));
    }
    let due = race.due();
    conns.set_deadline(id, due);
    Dialled::Waiting
}

/// A connect has won: http is done, https goes on with TLS.
fn connected<N: Network>(conns: &mut Connections<N::Stream>, network: &mut N, id: ConnId, cx: Cx) -> Dialled {
    let Some(conn) = conns.get_mut(id) else { return Dialled::Waiting };
    let Protocol::Upstream(upstream) = &mut conn.protocol else { return Dialled::Waiting };
    if upstream.fetch.url.scheme == Scheme::Http {
        upstream.begin_exchange(cx.now);
        return Dialled::Connected;
    }
    let Some(stream) = conn.stream.take() else { return Dialled::Waiting };
    match network.encrypt(stream, &upstream.fetch.url.host) {
        Ok(stream) => {
            conn.stream = Some(stream);
            let until = upstream.phase_deadline(cx.now, cx.limits);
            conns.set_deadline(id, until);
            secure(conns, id, cx)
        }
        Err(error) => Dialled::Failed(tls_failed(upstream, &error)),
    }
}

/// Takes the TLS handshake as far as the socket allows.
fn secure<S: Stream>(conns: &mut Connections<S>, id: ConnId, cx: Cx) -> Dialled {
    let Some(conn) = conns.get_mut(id) else { return Dialled::Waiting };
    let (Protocol::Upstream(upstream), Some(stream)) = (&mut conn.protocol, &mut conn.stream) else {
        return Dialled::Waiting;
    };
    match stream.secure() {
        Ok(true) => {
            // The server may have said more than the handshake needs, and TLS has it: no edge will tell.
            if conn.input == Input::Drained {
                conn.input = Input::Readable;
            }
            conn.writable = stream.unsent() == 0;
            upstream.begin_exchange(cx.now);
            Dialled::Connected
        }
        Ok(false) => {
            (conn.input, conn.writable) = (Input::Drained, false);
            Dialled::Waiting
        }
        Err(error) => Dialled::Failed(tls_failed(upstream, &error)),
    }
}

/// The handshake has failed, here or when its last words were to be sent.
pub fn tls_failed<S>(upstream: &Upstream<S>, error: &std::io::Error) -> FetchError {
    FetchError::Tls { host: upstream.fetch.url.host.clone(), why: error.to_string() }
}
