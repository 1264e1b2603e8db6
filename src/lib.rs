//! # squall: a chat and search server on one hand-rolled event loop
//!
//! One thread runs one loop over epoll, by mio. Whatever a browser, `ab` or another server does to it is a readiness
//! event on that loop; whatever would block goes to a thread of a small pool and comes back as an event.
//!
//! # The house
//!
//! ```text
//! main → cli → reactor ──→ conn, client → event → http, ws     http, ws: bytes ⇄ values. No socket, no clock, no globals
//!         │       └───────→ net, workers, feed                  net: sockets, TLS, listeners. Knows no protocol
//!         └────→ site ────────────→ event                       workers: threads for what blocks
//!                                                               site: values in, effects out. Names no socket
//! leaves, imported by anyone: id, blocks, clock, config
//! ```
//!
//! The order in which to read it, with what to notice at each stop, is in [`doc::reading`].
//!
//! # The turn
//!
//! ```text
//! wait ─▶ note readiness ─▶ accept ─▶ threads ─▶ serve ─▶ deadlines ─▶ settle ─▶ free ─▶ flush rooms ─▶ settle ─▶ wait …
//! ```
//!
//! # The route of one GET
//!
//! ```text
//! reactor/run.rs      `once`             the kernel's poll returns; its events become a list of (Source, Ready)
//! reactor.rs          `note`             readiness is stored in the connection, which goes on the ready queue
//! reactor/serve.rs    `gather`           one read from each connection of a batch, into one buffer
//! conn.rs             `fill`             socket → read buffer, one read
//! reactor/serve.rs    `parse`            steps over what was read, within budgets; the rest is kept
//! conn/http.rs        `step`             a head that lies there whole, or its end is looked for
//! http/request/at_once.rs `parse_at_once`  the request, borrowed from the buffer
//! reactor/serve.rs    `step`             `Step::Request` goes up to the application: `App::request`
//! site.rs             `route`            which part of the site responds? `Effect::Respond`
//! reactor/apply.rs    `respond`          the effect comes down: a response
//! reactor/output.rs   `write`            where its bytes go: here, to the reply buffer of the batch
//! http/response.rs    `encode_response`  head and body as bytes
//! reactor/output.rs   `send_all`         when the batch is handled: one write for each connection
//! reactor/settle.rs   `settle`           what follows: closing, the deadline, the memory that is booked
//! ```
//!
//! # The route of one chat message
//!
//! ```text
//! reactor/run.rs      `once`        the kernel's poll returns; its events become a list of (Source, Ready)
//! reactor.rs          `note`        readiness is stored in the connection, which goes on the ready queue
//! reactor/serve.rs    `gather`      one read from each connection of a batch, into one buffer
//! conn.rs             `fill`        socket → read buffer, one read
//! reactor/serve.rs    `parse`       steps over what was read, within budgets; the rest is kept
//! conn.rs             `step`        the front of the buffer goes to the protocol
//! ws/session.rs       `receive`     a frame is unmasked in place: `WsEvent::Message`, borrowed
//! reactor/serve.rs    `step`        `Step::Message` goes up to the application: `App::message`
//! site/chat.rs        `on_message`  may this member say that now? `Effect::Publish`
//! reactor/apply.rs    `apply`       the effect is applied; it raises no event
//! reactor/rooms.rs    `publish`     one frame is appended to the room's feed; no member is touched
//! reactor/rooms.rs    `flush`       end of the turn: every member that can take it is visited
//! reactor/rooms.rs    `flush_lane`  one write, as a rule: from the member's cursor to the end of the feed
//! ```
//!
//! # The route of one fetch
//!
//! ```text
//! site/search.rs      `request`      a question becomes `Effect::Fetch`; its owner is the browser's connection
//! client.rs           `start`        a place for it, or the queue
//! client.rs           `launch`       a kept connection to that origin: on to `send_request`; or a new one
//! client/dial.rs      `advance`      one slice of a connection that is not there yet, by its `State`
//! client/dial.rs      `look_up`      the host's addresses, from the cache …
//! workers/names.rs    `look_up`      … or from a thread, which wakes the loop when it has them
//! client/dial.rs      `race`         connects begin; the next one runs beside one that is slow
//! client/dial.rs      `winner`       writable means decided: which address is connected?
//! client/dial.rs      `secure`       https only: the handshake goes as far as the socket allows
//! client.rs           `send_request` the request goes into the outbox
//! reactor/settle.rs   `settle`       end of the turn: one write, of a slice at most
//! conn/upstream.rs    `step`         the response, read like any other input, goes to the exchange
//! http/exchange.rs    `receive`      a head, a piece of the body, the end: `ExchangeEvent`, borrowed
//! site/search.rs      `on_fetched`   `Effect::Respond`, `Effect::Piece`; a redirect only moves the base URL
//! reactor/apply.rs    `stream_piece` to the browser; while it is slow, `wants_input` leaves the site unread
//! client.rs           `finish`       the owner is told the end, once; the connection is kept or freed
//! ```
//!
//! # The route of one search that is cancelled
//!
//! ```text
//! reactor.rs          `note`             the browser has gone: its connection has a FIN to read
//! reactor/settle.rs   `settle`           it has nothing that could be read before its response; its state is looked at
//! reactor/settle.rs   `is_done`          a FIN while a search waits: nothing is wanted any more
//! conn/table.rs       `bury`             the connection is marked dead
//! reactor.rs          `free`             its socket is closed, and `Event::Left` goes into the inbox
//! client.rs           `cancel`           the connection to the site is buried, too
//! reactor/serve.rs    `tell`             the turn tells what waits in the inbox
//! site/search.rs      `on_left`          the site forgets the search
//! client.rs           `gone`             the place of the fetch is free: the next one in the queue starts
//! ```
//!
//! There is no callback anywhere: an event goes up as a borrowed value, effects come down as owned ones, and a connection
//! that is named in them is looked up again by its id.
#![forbid(unsafe_code)]

pub mod blocks;
pub mod cli;
pub mod client;
pub mod clock;
pub mod config;
pub mod conn;
pub mod doc;
pub mod event;
pub mod feed;
pub mod http;
pub mod id;
pub mod net;
pub mod reactor;
pub mod site;
pub mod workers;
pub mod ws;
pub mod zlib;

#[cfg(test)]
extern crate self as squall;
/// What the unit tests share with the tests in `tests/`.
#[cfg(test)]
#[path = "../tests/it/support"]
mod testing {
    pub mod dice;
    pub mod network;
}
