//! # squall: a chat and search server on one hand-rolled event loop
//!
//! One thread runs one loop over epoll, by mio. Whatever a browser, `ab` or another server does to it is a readiness
//! event on that loop; whatever would block goes to a thread of a small pool and comes back as an event.
//!
//! # The house
//!
//! ```text
//! main → server → app  → event → proto       proto: bytes ⇄ values. No socket, no clock, no globals
//!   │        └──→ conn → event, proto, rt     rt: net, tls, slab, feed, lane, timers, names … Knows no protocol
//!   └→ fetch_list → server                    conn: the one place where bytes and sockets meet
//!                                             app: values in, effects out. Names no socket
//! leaves, imported by anyone: id, blocks, clock, config
//! ```
//!
//! # Where to start reading
//!
//! 1. [`event`]: the border between protocols and application, on one page; then [`fetch_list`], a small application
//!    of its own.
//! 2. `server/run.rs`, `once`: the wait. [`server`]: the turn; then `server/batch.rs`, those who are served together,
//!    and `server/input.rs` and `server/output.rs`, a slice of one connection.
//! 3. [`conn`]: what a connection is; `conn/http.rs` for its states. `conn/upstream.rs` for those of a connection that
//!    we open; then `server/fetches.rs` and `server/connects.rs`, along the route of a fetch below.
//! 4. [`proto::http`] and [`proto::ws_session`]: the two machines that find requests and messages.
//! 5. [`rt::feed`] and [`rt::lane`]: a room is a log, a member is a position in it. [`blocks`]: a long message is handed
//!    on, not copied.
//! 6. [`rt::timers`], [`rt::accept`], [`rt::jobs`], [`rt::names`]: time, newcomers, and what blocks. [`rt::wire`]: TLS
//!    as a layer of the stream.
//! 7. [`app`]: the site itself; [`config`] has the limits with their reasons.
//!
//! # The turn
//!
//! ```text
//! wait ─▶ note readiness ─▶ accept ─▶ jobs ─▶ serve ─▶ timers ─▶ settle ─▶ reap ─▶ flush rooms ─▶ settle ─▶ wait …
//! ```
//!
//! # The route of one chat message
//!
//! ```text
//! server/run.rs           `once`        the kernel's poll returns; its events become a list of (Source, Ready)
//! server.rs               `note`        readiness is stored in the connection, which goes on the ready queue
//! server/batch.rs         `read_batch`  one read from each of those in front; then they are served, then answered
//! conn.rs                 `fill`        socket → the loop's read buffer, one read
//! server/batch.rs         `serve`       one slice of one connection
//! server/input.rs         `read_slice`  what was read, and more if it may; while there is use for it, and budget
//! server/input.rs         `take_apart`  steps until the buffer is used up; the rest is kept
//! server/input.rs         `step_ws`     the front of the buffer goes to the session
//! proto/ws_session.rs     `receive`     a frame is unmasked in place: `WsEvent::Message`, borrowed
//! app.rs                  `on_event`    `Event::Message`
//! app/chat.rs             `on_message`  may this member say that now? `Effect::Publish`
//! server/apply.rs         `apply`       effects become bytes
//! server/rooms.rs         `publish`     one frame is appended to the room's feed; nobody is touched
//! server/rooms.rs         `flush_rooms` end of the turn: every member that can take it is written to
//! server/rooms.rs         `flush_lane`  one write, as a rule: from the member's cursor to the end of the feed
//! ```
//!
//! # The route of one fetch
//!
//! ```text
//! app/search.rs           `search`           a question becomes `Effect::Fetch`; its owner is the browser's connection
//! server/fetches.rs       `fetch`            a place for it, or the queue
//! server/fetches.rs       `launch`           a kept connection to that origin: on to `send_request`; or a new one
//! server/connects.rs      `continue_connect` one slice of a connection that is not there yet, by its `State`
//! server/connects.rs      `resolve`          the host's addresses, from the cache …
//! rt/names.rs             `look_up`          … or from a thread, which wakes the loop when it has them
//! server/connects.rs      `race`             connects begin; the next one runs beside one that is slow
//! conn/race.rs            `winner`           writable means decided: who is connected?
//! server/connects.rs      `secure`           https only: the handshake goes as far as the socket allows
//! server/connects.rs      `send_request`     the request goes into the outbox
//! server/output.rs        `settle`           end of the turn: one write, of a slice at most
//! server/input.rs         `step_upstream`    the answer, read like any other input, goes to the exchange
//! proto/exchange.rs       `receive`          a head, a piece of the body, the end: `ExchangeEvent`, borrowed
//! app/search.rs           `on_fetched`       `Effect::Respond`, `Effect::Piece`; a redirect asks for the next fetch
//! server/output.rs        `stream_piece`     to the browser; while it is slow, `wants_input` leaves the site unread
//! server/fetches.rs       `fetch_over`       the owner hears the end, once; the connection is kept or freed
//! ```
//!
//! There is no callback anywhere: an event goes up as a borrowed value, effects come down as owned ones, and whoever is
//! named in them is looked up again by id.
#![forbid(unsafe_code)]

pub mod app;
pub mod blocks;
pub mod clock;
pub mod config;
pub mod conn;
pub mod event;
pub mod fetch_list;
pub mod id;
pub mod proto;
pub mod rt;
pub mod server;
