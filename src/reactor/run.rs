//! The loop around the turn: the kernel's poll, signals, and how a server comes to be, with its listeners, its files
//! and its certificate.

use super::https::TlsFiles;
use super::{Counts, Server, blocking};
use crate::clock::Now;
use crate::config::Limits;
use crate::event::App;
use crate::net::kernel::{Kernel, readiness};
use crate::net::listeners::{Listener, Service, Transport};
use crate::net::{Ready, Source};
use crate::workers::line_log::LineLog;
use mio::{Events, Interest, Poll, Waker};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1};
use signal_hook_mio::v1_0::Signals;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Events taken from the kernel at once; a large number costs nothing.
const EVENTS_MAX: usize = 1024;
/// Polls before one turn, as long as the kernel fills all of these or is interrupted: sockets may become ready for ever.
const POLLS_MAX: usize = 16;

/// A server on the kernel's network, and the poll that drives it.
pub struct Loop<A: App> {
    poll: Poll,
    events: Events,
    readiness: Vec<(Source, Ready)>,
    listeners: Vec<Listener>,
    signals: Option<Signals>,
    pub(super) tls: Option<TlsFiles>,
    pub(super) server: Server<Kernel, A>,
    wake: Arc<dyn Fn() + Send + Sync>,
    wait: Option<Duration>,
}

impl<A: App> Loop<A> {
    /// A loop with these listeners, perhaps none, that runs `app`.
    ///
    /// # Errors
    /// A sentence that says what is wrong and what to do.
    pub fn new(listeners: &[Listener], app: A, limits: Limits) -> Result<Loop<A>, String> {
        let poll = Poll::new().map_err(|e| format!("the kernel gives no poll: {e}"))?;
        let registry = poll.registry().try_clone().map_err(|e| format!("the kernel gives no poll: {e}"))?;
        let waker = Waker::new(poll.registry(), Source::Jobs.token()).map_err(|e| format!("no waker: {e}"))?;
        let wake: Arc<dyn Fn() + Send + Sync> = Arc::new(move || {
            if let Err(e) = waker.wake() {
                log::error!("the loop cannot be woken: {e}");
            }
        });
        let kernel = Kernel::new(registry, listeners).map_err(|(address, e)| why_not_bound(address, &e))?;
        let listeners = kernel.described();
        let server = Server::new(kernel, app, limits, wake.clone(), Instant::now());
        let (events, readiness) = (Events::with_capacity(EVENTS_MAX), Vec::with_capacity(EVENTS_MAX));
        // The listeners may have clients from before they were watched.
        let wait = Some(Duration::ZERO);
        Ok(Loop { poll, events, readiness, listeners, signals: None, tls: None, wake, server, wait })
    }

    /// A line for each listener: what it serves, and where.
    pub fn lines(&self) -> Vec<String> {
        let line = |&Listener { address, transport, service }: &Listener| match (service, transport) {
            (Service::Site, Transport::Tcp) => format!("squall listening on http://{address}/"),
            (Service::Site, Transport::Tls) => format!("squall listening on https://{address}/"),
            (Service::Redirect, _) => format!("squall redirecting http://{address}/ to https"),
            (Service::Control, _) => format!("squall takes its owner's requests on {address}"),
        };
        self.listeners.iter().map(line).collect()
    }

    /// The listeners, with the ports the kernel chose for 0.
    pub fn listeners(&self) -> &[Listener] {
        &self.listeners
    }

    /// From now on every response is a line of `log`.
    pub fn log_to(&mut self, log: LineLog) {
        self.server.log_to(log);
    }

    /// From now on it listens on this path of this machine, too, for what the owner of the process asks.
    ///
    /// # Errors
    /// As of [`Kernel::open_door`].
    pub fn open_door(&mut self, path: &Path, service: Service) -> io::Result<()> {
        self.server.engine.network.open_door(path, service)?;
        self.server.acceptor.add();
        Ok(())
    }

    /// What is there now.
    pub fn counts(&self) -> Counts {
        self.server.counts()
    }

    /// What a thread calls to end the wait of this loop.
    pub fn waker(&self) -> Arc<dyn Fn() + Send + Sync> {
        self.wake.clone()
    }

    /// The server, to start something or to drain it.
    pub fn server(&mut self) -> &mut Server<Kernel, A> {
        &mut self.server
    }

    /// From now on SIGTERM and SIGINT drain, SIGHUP and SIGUSR1 open the access log again, and SIGHUP reads the
    /// certificate again.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn take_signals(&mut self) -> io::Result<()> {
        let mut signals = Signals::new([SIGTERM, SIGINT, SIGHUP, SIGUSR1])?;
        self.poll.registry().register(&mut signals, Source::Signals.token(), Interest::READABLE)?;
        self.signals = Some(signals);
        Ok(())
    }

    /// Waits at most `most` for something to do, and does it. Returns whether there will be more.
    ///
    /// # Errors
    /// The poll itself fails, which nothing can mend.
    pub fn once(&mut self, most: Option<Duration>) -> io::Result<bool> {
        self.wait([self.wait, most].into_iter().flatten().min())?;
        let now = Now::read();
        self.wait = self.server.turn(&self.readiness, now);
        // After the turn: what came together with the signal is served before the idle are sent away.
        if self.readiness.iter().any(|&(source, _)| source == Source::Signals) {
            for signal in self.signals.as_mut().map(Signals::pending).into_iter().flatten() {
                match signal {
                    SIGHUP => {
                        self.server.reopen_log();
                        self.reread_certificate();
                    }
                    SIGUSR1 => self.server.reopen_log(),
                    _ => {
                        self.server.drain(now.instant);
                        self.wait = Some(Duration::ZERO);
                    }
                }
            }
        }
        if !self.server.is_over() {
            blocking::run_next(&mut self.server);
        }
        Ok(!self.server.is_over())
    }

    /// Waits, and takes what the kernel has to say: all of it as a rule, since deadlines are judged behind it.
    fn wait(&mut self, mut wait: Option<Duration>) -> io::Result<()> {
        self.readiness.clear();
        for _ in 0..POLLS_MAX {
            match self.poll.poll(&mut self.events, wait) {
                // A signal. SIGCONT is one, too (signal(7)), and much may have come while the process was stopped.
                Err(e) if e.kind() == ErrorKind::Interrupted => self.events.clear(),
                Err(e) => return Err(e),
                Ok(()) => {
                    let before = self.readiness.len();
                    self.readiness.extend(self.events.iter().map(readiness));
                    if self.readiness.len() - before < EVENTS_MAX {
                        return Ok(());
                    }
                }
            }
            wait = Some(Duration::ZERO);
        }
        Ok(())
    }

    /// Runs until the application quits or a drain is complete.
    ///
    /// # Errors
    /// As [`Loop::once`].
    pub fn run(&mut self) -> io::Result<()> {
        while self.once(None)? {}
        Ok(())
    }
}

fn why_not_bound(address: SocketAddr, e: &io::Error) -> String {
    let advice = match e.kind() {
        ErrorKind::AddrInUse => "another program listens there: stop it, or choose another port with --listen",
        ErrorKind::PermissionDenied => "this port needs more rights: choose one above 1023, or run as root",
        ErrorKind::AddrNotAvailable => "this machine has no such address: choose one of its own with --listen",
        _ => "choose another address with --listen",
    };
    format!("cannot listen on {address}: {e}; {advice}")
}
