//! # squall: a chat and search server on one hand-rolled event loop
//!
//! One thread runs one loop over epoll, by mio. Whatever a browser, `ab` or another server does to it is a readiness
//! event on that loop; whatever would block goes to a thread of a small pool and comes back as an event.
//!
//! # The house
//!
//! ```text
//! main → cli → reactor → client → conn → event → store, http, ws      an arrow: imports all that is right of it
//!         └──→ site ────────────────────→ event → store, http, ws
//! conn → net, feed          client → net, workers          reactor → net, feed, workers          cli (bench) → http, ws, net
//! imported by any of them: id, address, blocks, clock, config, password, zlib     config imports http and ws for their own limits
//! ```
//!
//! | part | does | never |
//! |---|---|---|
//! | `reactor` | the turn, the output of a batch, rooms, every deadline | knows a page |
//! | `conn` | one connection: HTTP, WebSocket, upstream, closing; the table of all | touches another connection |
//! | `client` | outbound requests: queue, kept connections, redirects, dialling | looks at what a response says |
//! | `http`, `ws` | bytes ⇄ values | knows a socket, a clock, a global |
//! | `net` | sockets, TLS, listeners | knows a protocol |
//! | `feed` | what is said in a room until every member has it, and cursors in it | knows WebSocket or HTTP |
//! | `store` | the history of the rooms, in memory or in a file on a thread of its own | decides who may read or write |
//! | `workers` | threads for what blocks: names, files, the access log | – |
//! | `cli` | one module for each command: serve, fetch, bench, verify, cookie, operator, history; three server models | – |
//! | `site` | login, chat and its HTTP interface, search, pages, files: values in, effects out | names a socket, waits, reads a clock |
//!
//! `src/doc/reading.md` ([`doc::reading`]) says in which order to read the code, and what to notice at each stop.
//!
//! # The turn
//!
//! ```text
//! wait ─▶ note readiness ─▶ accept ─▶ collect ─▶ serve ─▶ deadlines ─▶ settle ─▶ free ─▶ flush rooms ─▶ settle ─▶ wait …
//!                                       │          └─ batch by batch: gather, parse, send, settle
//!                                       └─ the results of threads, the outcomes of the store
//! ```
//!
//! # Where it is decided
//!
//! ```text
//! config/limits.rs    `Limits`           every limit, with its unit and reason
//! conn.rs             `wants_input`      when a connection is not read: it is owed a response, or lags
//! reactor/serve.rs    `parse`            when a slice ends: the budgets of bytes, steps and work
//! reactor/output.rs   `write`            where output goes: reply buffer, outbox, or behind the room position
//! reactor/settle.rs   `on_deadline`      every deadline: 408, 503 for a late response, pings, silence, idle
//! reactor/settle.rs   `book`             all buffers are full: the connection whose memory has just grown is closed
//! reactor/rooms.rs    `is_late`          whether a member is too far behind its room; `cut` in settle.rs closes it
//! reactor/codecs.rs   `encode_text`      how a room's message looks in each encoding, plain or compressed
//! reactor.rs          `drain`            SIGTERM: what is still served, and 1001 for WebSockets
//! reactor/stall.rs    `begin`            the process was stopped: `on_deadline` judges no peer for a while
//! reactor/apply.rs    `refuse`           a request that is refused: its response, and the end of the connection
//! conn/closing.rs     `advance`          how a connection ends without losing its last response
//! net/listeners.rs    `next`             whether to accept: the gate at `connections_max`, the retry after EMFILE
//! client.rs           `follow`           a redirect goes on; `redirected` in event/fetch.rs has its rules
//! conn/upstream.rs    `begin_connecting` where a fetch may connect to: after a redirect perhaps to public addresses only
//! site/login.rs       `user`             who a request is from: the signed cookie, checked by `verify` in site/cookie.rs
//! site/login.rs       `log_in`           under which name a browser may come in: password, invitation, claim to the name
//! site/origins.rs     `check`            whether a page of another origin may do that
//! address.rs          `client`           which address a request is from: the peer's, or what a trusted proxy says
//! site/chat/speech.rs `take`             whether a message comes too soon, for its name or its address
//! site/chat/addresses.rs `take_entrance` whether an address enters too often; `take_login` whether it logs in too often
//! site/upgrade.rs     `admit`            whether a WebSocket may enter a room: origin, login, name, room
//! site/chat.rs        `on_message`       whether a member may say that now; in `squall.v1` `read` in site/chat/speech.rs
//! site/chat/moderation.rs `take_turn`    whether a name may write: muted, or the room is locked or slow
//! site/chat/moderation.rs `ban`          whether a name or an address may enter
//! site/chat.rs        `enforce`          what an act of an operator does to those that are here
//! site/chat/join.rs   `take`             what a newcomer is sent of the past, and whether what it has is ours
//! site/chat/room.rs   `plan_leave`       when a leave is announced
//! reactor/history.rs  `busy`             members are not read: too much waits for the store
//! store/sqlite/keeper.rs `objection`     whether a message is refused: the disk, the file
//! store/sqlite/search.rs `run`           which messages a search looks at, and where its step ends
//! store/sqlite/history.rs `known`        whether a message was stored before, by its nonce
//! store/sqlite/forget.rs `apply`         what is forgotten with a name; `OTHER_TABLES` lists tables that have names
//! store/import.rs     `take`             whether an entry of another history may be imported
//! cli/history/owner.rs `find`            who changes a history: the server that runs, or a store of the command's own
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
//! conn/http.rs        `step`            a usual head is parsed in one go; of any other the end is found first
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
//! Through a history in a file. One in memory has its outcome at once: `submit` in store/memory.rs, then `take`.
//!
//! ```text
//! reactor/run.rs      `once`        the kernel's poll returns; its events become a list of (Source, Ready)
//! reactor.rs          `note`        readiness is stored in the connection, which goes on the ready queue
//! reactor/serve.rs    `gather`      one read from each connection of a batch, into one buffer
//! conn.rs             `fill`        socket → read buffer, one read
//! reactor/serve.rs    `parse`       steps over what was read, within budgets; the rest is kept
//! conn.rs             `step`        the front of the buffer goes to the protocol: here to `Ws::step` in conn/ws.rs
//! ws/session.rs       `receive`     a frame is unmasked in place: `WsEvent::Message`, borrowed
//! reactor/serve.rs    `step`        `Step::Message` goes up to the application: `App::message`
//! site/chat.rs        `on_message`  the member may say that now
//! site/chat.rs        `append`      `Effect::Store`: the message is to be stored before it is shown
//! reactor/apply.rs    `apply`       the effect comes down; applying it never calls the application
//! reactor/history.rs  `submit`      it counts as unstored for its connection, and goes to the store
//! store/sqlite/queue.rs `hand_over` end of the turn: the commands of all connections go to the thread, under one lock
//! store/sqlite/keeper.rs `batch`    on the thread: all that waits is one transaction
//! store/sqlite/history.rs `append`  the entry gets its id and tag; a nonce that is stored already gets the old id
//! store/sqlite/keeper.rs `commit`   with `--history-sync full` it returns when the log is on the disk
//! store/sqlite/queue.rs `tell`      only then the outcomes go back, and the loop is woken
//! reactor/history.rs  `take`        in the turn of that wake-up, from `tell` in reactor/serve.rs: `App::stored`
//! site/chat.rs        `on_stored`   first for its author: in `squall.v1` the `ack`; then for the room
//! site/chat.rs        `show`        the entry in each protocol that a member speaks: `Effect::Publish`
//! reactor/rooms.rs    `publish`     the frame is appended to the room's log, once for each encoding; no member is touched
//! reactor/rooms.rs    `flush`       end of the turn: members are visited, 256 of them in one turn if the message is short
//! reactor/rooms.rs    `flush_lane`  one write for a member, of the bytes from its cursor to the end of the feed
//! ```
//!
//! # The route of one fetch
//!
//! ```text
//! site/search.rs      `request`          the words become `Effect::Fetch`; its owner is the browser's connection
//! client.rs           `start`            a place for it, or the queue
//! client.rs           `launch`           a kept connection of that origin goes on at `send_request`; else dial
//! reactor/engine.rs   `advance_dialling` an upstream has slices before it has a socket: the next step of dialling
//! client/dial.rs      `advance`          the step that its `State` asks for
//! client/dial.rs      `look_up`          the addresses of the host, from the cache …
//! workers/names.rs    `look_up`          … or from a thread, whose result comes by `collect` in reactor.rs
//! client/dial.rs      `race`             the first address is connected; if that is slow, the next one beside it
//! client/dial.rs      `winner`           a socket is writable: the first that is connected wins
//! client/dial.rs      `secure`           https only: the handshake goes as far as the socket allows
//! client.rs           `send_request`     the request goes into the outbox
//! reactor/settle.rs   `settle`           end of the turn: one write, of a slice at most
//! conn/upstream.rs    `step`             the response, read like any other input, goes to the exchange
//! http/exchange.rs    `receive`          a head, a piece of the body, the end: `ExchangeEvent`, borrowed
//! site/search.rs      `on_fetched`       `Effect::Respond` (of HTML, once a base element is in), then `Effect::Piece`
//! reactor/apply.rs    `stream_piece`     the piece goes to the browser; while that is slow, the upstream is not read
//! reactor/serve.rs    `end_fetch`        the response is whole: the application is told `Fetched::Done`, between …
//! client.rs           `finish`           … the connection is marked as kept, or as dead, and …
//! client.rs           `release`          … a kept one may be used by others, and its place is free
//! reactor/apply.rs    `stream_end`       the last chunk goes to the browser
//! ```
//!
//! # The route of one search that is cancelled
//!
//! ```text
//! reactor.rs          `note`    the browser has gone: its connection has a FIN to read
//! reactor/settle.rs   `settle`  it has its slice, in which nothing is read: a response is owed
//! reactor/settle.rs   `is_done` a FIN while a fetch is under way: the response is not wanted any more
//! conn/table.rs       `bury`    the connection is marked dead
//! reactor.rs          `free`    its socket is closed
//! client.rs           `cancel`  the upstream is marked dead as well; then `Event::Left` goes into the inbox
//! reactor/serve.rs    `tell`    the turn tells what waits in the inbox
//! site/search.rs      `on_left` the application forgets the search
//! client.rs           `gone`    the place of the fetch is free: the next one in the queue starts
//! ```
//!
//! There is no callback anywhere: an event goes up as a borrowed value, effects come down as owned ones, and a connection
//! that is named in them is looked up again by its id.
#![forbid(unsafe_code)]

pub mod address;
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
pub mod password;
pub mod reactor;
pub mod site;
pub mod store;
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
