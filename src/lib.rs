//! # squall: a chat and search server on one hand-rolled event loop
//!
//! One thread runs one loop over epoll, by mio. Whatever a browser, `ab` or another server does to it is a readiness
//! event on that loop; whatever would block goes to a thread of a small pool and comes back as an event.
//!
//! # The house
//!
//! ```text
//! main → cli → reactor ─┐                      http, ws: bytes ⇄ values. No socket, no clock, no globals
//!         │      ↓       │                      net: sockets, TLS, listeners. Knows no protocol
//!         │    conn → event → http, ws          workers: threads for what blocks
//!         │      └──→ net, feed                 conn: the one place where bytes and sockets meet
//!         └──→ site → event                     site: values in, effects out. Names no socket
//! leaves, imported by anyone: id, blocks, clock, config
//! ```
//!
//! # Where to start reading
//!
//! 1. [`event`]: the border between protocols and application, on one page; then [`cli::fetch`], a small application
//!    of its own.
//! 2. `reactor/run.rs`, `once`: the wait. [`reactor`]: the turn; then `reactor/batch.rs`, those who are served together,
//!    and `reactor/input.rs` and `reactor/output.rs`, a slice of one connection.
//! 3. [`conn`]: what a connection is; `conn/http.rs` for its states. `conn/upstream.rs` for those of a connection that
//!    we open; then `reactor/fetches.rs` and `reactor/connects.rs`, along the route of a fetch below.
//! 4. [`http::request`] and [`ws::session`]: the two machines that find requests and messages.
//! 5. [`feed`] and [`feed::lane`]: a room is a log, a member is a position in it. [`blocks`]: a long message is handed
//!    on, not copied.
//! 6. [`conn::timers`], [`net::listeners`], [`workers`]: time, newcomers, and what blocks. [`net::wire`]: TLS as a layer
//!    of the stream.
//! 7. [`site`]: the site itself; [`config`] has the limits with their reasons.
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
//! reactor/run.rs          `once`             the kernel's poll returns; its events become a list of (Source, Ready)
//! reactor.rs              `note`             readiness is stored in the connection, which goes on the ready queue
//! reactor/batch.rs        `read_batch`       one read from each of those in front; then they are served, then answered
//! conn.rs                 `fill`             socket → the loop's read buffer, one read
//! reactor/batch.rs        `serve`            one slice of one connection
//! reactor/input.rs        `read_slice`       what was read, and more if it may; while there is use for it, and budget
//! reactor/input.rs        `take_apart`       steps until the buffer is used up; the rest is kept
//! reactor/input.rs        `step_ws`          the front of the buffer goes to the session
//! ws/session.rs           `receive`          a frame is unmasked in place: `WsEvent::Message`, borrowed
//! site.rs                 `on_event`         `Event::Message`
//! site/chat.rs            `on_message`       may this member say that now? `Effect::Publish`
//! reactor/apply.rs        `apply`            effects become bytes
//! reactor/rooms.rs        `publish`          one frame is appended to the room's feed; nobody is touched
//! reactor/rooms.rs        `flush_rooms`      end of the turn: every member that can take it is written to
//! reactor/rooms.rs        `flush_lane`       one write, as a rule: from the member's cursor to the end of the feed
//! ```
//!
//! # The route of one fetch
//!
//! ```text
//! site/search.rs          `search`           a question becomes `Effect::Fetch`; its owner is the browser's connection
//! reactor/fetches.rs      `fetch`            a place for it, or the queue
//! reactor/fetches.rs      `launch`           a kept connection to that origin: on to `send_request`; or a new one
//! reactor/connects.rs     `continue_connect` one slice of a connection that is not there yet, by its `State`
//! reactor/connects.rs     `resolve`          the host's addresses, from the cache …
//! workers/names.rs        `look_up`          … or from a thread, which wakes the loop when it has them
//! reactor/connects.rs     `race`             connects begin; the next one runs beside one that is slow
//! conn/race.rs            `winner`           writable means decided: who is connected?
//! reactor/connects.rs     `secure`           https only: the handshake goes as far as the socket allows
//! reactor/connects.rs     `send_request`     the request goes into the outbox
//! reactor/output.rs       `settle`           end of the turn: one write, of a slice at most
//! reactor/input.rs        `step_upstream`    the answer, read like any other input, goes to the exchange
//! http/exchange.rs        `receive`          a head, a piece of the body, the end: `ExchangeEvent`, borrowed
//! site/search.rs          `on_fetched`       `Effect::Respond`, `Effect::Piece`; a redirect asks for the next fetch
//! reactor/output.rs       `stream_piece`     to the browser; while it is slow, `wants_input` leaves the site unread
//! reactor/fetches.rs      `fetch_over`       the owner hears the end, once; the connection is kept or freed
//! ```
//!
//! There is no callback anywhere: an event goes up as a borrowed value, effects come down as owned ones, and whoever is
//! named in them is looked up again by id.
#![forbid(unsafe_code)]

pub mod blocks;
pub mod cli;
pub mod clock;
pub mod config;
pub mod conn;
pub mod event;
pub mod feed;
pub mod http;
pub mod id;
pub mod net;
pub mod reactor;
pub mod site;
pub mod workers;
pub mod ws;
