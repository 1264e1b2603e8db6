//! # squall: a chat and search server on one hand-rolled event loop
//!
//! One thread runs one loop over epoll, by mio. Whatever a browser, `ab` or another server does to it is a readiness
//! event on that loop; whatever would block goes to a thread of a small pool and comes back as an event.
//!
//! # The house
//!
//! ```text
//! main → cli → reactor → conn, client → event → http, ws       an arrow: imports
//!         └──→ site ───────────────────→ event
//! conn, client, reactor → net, feed; client, reactor → workers
//! imported by anyone: id, blocks, clock, config, zlib          config imports http and ws for their own limits
//! ```
//!
//! | part | does | never |
//! |---|---|---|
//! | `reactor` | the turn, the output of a batch, rooms, every deadline | knows a header field or a page |
//! | `conn` | one connection: HTTP, WebSocket, upstream, closing; the table of all | touches another connection |
//! | `client` | outbound requests: queue, kept connections, redirects, dialling | knows who asked, beyond an id |
//! | `http`, `ws` | bytes ⇄ values | a socket, a clock, a global |
//! | `net` | sockets, TLS, listeners | knows a protocol |
//! | `feed` | the log of a room, and cursors in it | knows WebSocket or HTTP |
//! | `workers` | threads for what blocks: names, files, the access log | – |
//! | `site` | login, chat, search, pages, files: values in, effects out | names a socket, waits, reads a clock |
//!
//! `src/doc/reading.md` ([`doc::reading`]) says in which order to read the code, and what to notice at each stop.
//!
//! # The turn
//!
//! ```text
//! wait ─▶ note readiness ─▶ accept ─▶ collect ─▶ serve ─▶ deadlines ─▶ settle ─▶ free ─▶ flush rooms ─▶ settle ─▶ wait …
//!                                       │          └─ batch by batch: gather, parse, send, settle
//!                                       └─ the results of threads
//! ```
//!
//! # Where it is decided
//!
//! ```text
//! config/limits.rs    `Limits`           every limit, with its unit and reason
//! conn.rs             `wants_input`      whether a connection is read: a response is owed, or output is above high water
//! reactor/serve.rs    `parse`            when a slice ends: the budgets of bytes, steps and work
//! reactor/output.rs   `write`            where output goes: reply buffer, outbox, or behind the room position
//! reactor/settle.rs   `on_deadline`      every deadline: 408, 503 for a late response, pings, silence, idle
//! reactor/settle.rs   `shed`             which connection is closed when all buffers are full
//! reactor/rooms.rs    `laggards`         which member is too far behind its room; `cut` in settle.rs closes it
//! reactor/apply.rs    `refuse`           a request that is refused: its response, and the end of the connection
//! conn/closing.rs     `advance`          how a connection ends without losing its last response
//! net/listeners.rs    `may_accept`       whether to accept: the gate at `connections_max`
//! client.rs           `follow`           a redirect goes on; `redirected` in event/fetch.rs has its rules
//! conn/upstream.rs    `begin_connecting` which addresses a fetch may connect to: a redirect may be bound to public ones
//! site/login.rs       `user`             who a request is from: the signed cookie, checked by site/cookie.rs
//! site/origins.rs     `check`            whether a page of another origin may do that
//! site/chat.rs        `on_message`       whether a member may say that now
//! ```
//!
//! # The route of one GET
//!
//! ```text
//! reactor/run.rs      `once`            the kernel's poll returns; its events become a list of (Source, Ready)
//! reactor.rs          `note`            readiness is stored in the connection, which goes on the ready queue
//! reactor/serve.rs    `gather`          one read from each connection of a batch, into one buffer
//! conn.rs             `fill`            socket → read buffer, one read
//! reactor/serve.rs    `parse`           steps over what was read, within budgets; the rest is kept
//! conn/http.rs        `step`            the usual head is parsed at once; for any other, its end is searched first
//! http/request/at_once.rs `parse_at_once` the request, borrowed from the buffer
//! reactor/serve.rs    `step`            `Step::Request` goes up to the application: `App::request`
//! site.rs             `route`           the part of the site that responds is chosen: `Effect::Respond`
//! reactor/apply.rs    `respond`         the effect comes down: a response
//! reactor/output.rs   `write`           where its bytes go: here, to the reply buffer of the batch
//! http/response.rs    `encode_response` head and body as bytes
//! reactor/output.rs   `send_all`        when the batch is handled: one write for each connection
//! reactor/settle.rs   `settle`          the state of the connection as a whole: closing, deadline, memory
//! ```
//!
//! # The route of one chat message
//!
//! ```text
//! reactor/run.rs      `once`       the kernel's poll returns; its events become a list of (Source, Ready)
//! reactor.rs          `note`       readiness is stored in the connection, which goes on the ready queue
//! reactor/serve.rs    `gather`     one read from each connection of a batch, into one buffer
//! conn.rs             `fill`       socket → read buffer, one read
//! reactor/serve.rs    `parse`      steps over what was read, within budgets; the rest is kept
//! conn.rs             `step`       the front of the buffer goes to the protocol: here to `Ws::step` in conn/ws.rs
//! ws/session.rs       `receive`    a frame is unmasked in place: `WsEvent::Message`, borrowed
//! reactor/serve.rs    `step`       `Step::Message` goes up to the application: `App::message`
//! site/chat.rs        `on_message` the member may say that now: `Effect::Publish`
//! reactor/apply.rs    `apply`      the effect comes down; applying it never calls the application
//! reactor/rooms.rs    `publish`    one frame is appended to the room's feed of each encoding; no member is touched
//! reactor/rooms.rs    `flush`      end of the turn: members are visited, with a short message 255 of them in one turn
//! reactor/rooms.rs    `flush_lane` one write for a member, of the bytes from its cursor to the end of the feed
//! ```
//!
//! # The route of one fetch
//!
//! ```text
//! site/search.rs      `request`      the words become `Effect::Fetch`; its owner is the browser's connection
//! client.rs           `start`        a place for it, or the queue
//! client.rs           `launch`       a kept connection of that origin goes on at `send_request`; else dial
//! client/dial.rs      `advance`      one slice of a connection that is not there yet, by its `State`
//! client/dial.rs      `look_up`      the addresses of the host, from the cache …
//! workers/names.rs    `look_up`      … or from a thread, which wakes the loop when it has them
//! client/dial.rs      `race`         the first address is connected; if that is slow, the next one beside it
//! client/dial.rs      `winner`       a socket is writable: the first that is connected wins
//! client/dial.rs      `secure`       https only: the handshake goes as far as the socket allows
//! client.rs           `send_request` the request goes into the outbox
//! reactor/settle.rs   `settle`       end of the turn: one write, of a slice at most
//! conn/upstream.rs    `step`         the response, read like any other input, goes to the exchange
//! http/exchange.rs    `receive`      a head, a piece of the body, the end: `ExchangeEvent`, borrowed
//! site/search.rs      `on_fetched`   `Effect::Respond`, then `Effect::Piece`; of a redirect it only notes the URL
//! reactor/apply.rs    `stream_piece` the piece goes to the browser; while that is slow, the upstream is not read
//! client.rs           `finish`       the response is whole: the connection is kept or freed
//! reactor/serve.rs    `end_fetch`    the application is told: `Fetched::Done`
//! client.rs           `release`      a kept connection waits for the next fetch, and its place is free
//! ```
//!
//! # The route of one search that is cancelled
//!
//! ```text
//! reactor.rs          `note`    the browser has gone: its connection has a FIN to read
//! reactor/settle.rs   `settle`  it is not read while a response is owed, but its state is looked at
//! reactor/settle.rs   `is_done` a FIN while a fetch is under way: the response is not wanted any more
//! conn/table.rs       `bury`    the connection is marked dead
//! reactor.rs          `free`    its socket is closed; behind the next hop `Event::Left` goes into the inbox
//! client.rs           `cancel`  the upstream is buried, too
//! reactor/serve.rs    `tell`    the turn tells what waits in the inbox
//! site/search.rs      `on_left` the application forgets the search
//! client.rs           `gone`    the place of the fetch is free: the next one in the queue starts
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
