//! Work that blocks the loop on purpose (`--lab`), to show what that does to all connections.
//!
//! ```text
//! turn ─▶ Sleep: the thread sleeps                                            ─┐
//!      └▶ Fetch: a loop of its own runs until the fetch has ended, by the same ├─▶ effects are applied ─▶ next turn
//!                client; the application is told each step, its effects wait  ─┘
//! ```
//!
//! It is done between two turns, one piece at a time, so that responses of before are sent first.

use super::{Loop, Server};
use crate::clock::Now;
use crate::config::Limits;
use crate::event::{App, Blocking, Effect, Effects, Fetch, FetchError, Fetched, Finished};
use crate::id::ConnId;
use crate::net::kernel::Kernel;

/// Does the work that waits longest, if there is any, and what the application makes of it.
pub(super) fn run_next<A: App>(server: &mut Server<Kernel, A>) {
    let Server { app, effects, engine, .. } = server;
    let Some((id, work)) = engine.next_blocking() else { return };
    match work {
        Blocking::Sleep(time) => {
            std::thread::sleep(time);
            app.finished(id, Finished::Blocked, Now::read(), effects);
        }
        Blocking::Fetch(fetch) => {
            let address = format!("{}:{}", fetch.url.host, fetch.url.port);
            let alone = Alone { app, owner: id, effects };
            if let Err(why) = fetch_alone(alone, fetch, engine.limits.clone(), &engine.network) {
                let error = FetchError::Connect { address, why };
                app.fetched(id, Fetched::Failed(error), Now::read(), effects);
            }
        }
    }
    engine.apply(effects);
    server.tell();
}

/// Runs a fetch to its end.
///
/// # Errors
/// There are no descriptors for another loop, or its poll fails.
fn fetch_alone(alone: Alone<'_>, fetch: Box<Fetch>, limits: Limits, network: &Kernel) -> Result<(), String> {
    let mut running = Loop::new(&[], alone, limits)?;
    running.server.engine.network.trust_like(network);
    running.server.start(|_, out| out.push(Effect::Fetch(ConnId::outside(0), fetch)));
    running.run().map_err(|e| format!("the kernel's poll failed: {e}"))
}

/// The application of that loop: the real one, which is told the steps of the fetch as those of its owner.
struct Alone<'a> {
    /// Not by its type: it may itself run such a loop.
    app: &'a mut dyn App,
    owner: ConnId,
    /// What the real application has said, for the real loop.
    effects: &'a mut Effects,
}

impl App for Alone<'_> {
    fn fetched(&mut self, _: ConnId, fetched: Fetched<'_>, now: Now, out: &mut Effects) {
        if matches!(fetched, Fetched::Done | Fetched::Failed(_)) {
            out.push(Effect::Quit);
        }
        self.app.fetched(self.owner, fetched, now, self.effects);
    }
}
