//! Bounds on memory, time and work: each with its unit, its default and its reason.

use crate::http;
use crate::ws;
use std::time::Duration;

/// Bounds on memory, time and work. A bound that no setting and no test changes is a constant where it is used.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Heads and bodies of HTTP.
    pub http: http::Limits,
    /// Compression of WebSocket messages.
    pub ws: ws::Limits,
    /// Time from the first byte of a head to its end; then 408.
    pub head_within: Duration,
    /// Time from the end of a head to the end of its body; then 408.
    pub body_within: Duration,
    /// Time that a kept-alive connection may idle (`--keep-alive`).
    pub idle_for: Duration,
    /// Deadline for the application's response when no sleep or fetch sets its own; then 503.
    pub response_within: Duration,
    /// Time without progress of a response after which its connection is reset.
    pub write_stall: Duration,

    /// Chat frame or assembled message, bytes; over it 1009.
    pub chat_message_bytes_max: usize,
    /// Text of a chat message, bytes of UTF-8; over it 1009.
    pub chat_text_bytes_max: usize,
    /// Message on `/echo`, bytes.
    pub echo_message_bytes_max: usize,
    /// WebSockets at once that may keep windows from one message to the next, 340 KiB each; over it the handshake asks
    /// for none.
    pub deflate_windows_max: usize,
    /// Messages a second of one name, of all its connections and requests (`--message-rate`), 0 = no limit; over it
    /// 1008, `too_fast` or 429.
    pub message_rate: f64,
    /// Messages of a name at once before the rate counts.
    pub message_burst: f64,
    /// Messages that all names at one address may send together, as a multiple of the rate and the burst of one name;
    /// 0 = no limit. An address here is one of IPv4, or the first 64 bits of one of IPv6. A whole office may share it.
    /// The loopback address has no limit.
    /// `--address-rate` multiplies this and the next four.
    pub address_names: f64,
    /// Entrances into rooms a second from one address, 0 = no limit; over it 429. The loopback address has no limit.
    pub address_entrance_rate: f64,
    /// Entrances at once: an office comes back after a cut.
    pub address_entrance_burst: f64,
    /// Logins a second from one address, 0 = no limit; over it 429. The loopback address has no limit.
    pub address_login_rate: f64,
    /// Logins at once: a class begins.
    pub address_login_burst: f64,
    /// Interval of the pings to an idle WebSocket, and of the comments to a response that follows a room.
    pub ping_every: Duration,
    /// Time without a byte from a WebSocket after which it is closed.
    pub silent_for: Duration,
    /// Time from our Close frame to the peer's, and from a cut to the reset.
    pub close_within: Duration,
    /// Rooms in use at once: with members, followers or work under way (`--rooms-max`); over it 503 for another one.
    pub rooms_max: usize,
    /// Time between the end of a name's last connection to a room and its leave in `squall.v1` (`--presence-grace`).
    pub presence_grace: Duration,
    /// Bytes that a member may be behind its room before it is cut (`--lag-max`).
    pub lag_bytes_max: usize,

    /// Entries of a room that the history in memory keeps.
    pub history_memory_keep: usize,
    /// Bytes, about, of the history in memory; over it the room that was used least recently is forgotten.
    pub history_memory_bytes_max: usize,
    /// Names of users that the history in memory keeps for their cookies; over it the one that was claimed first is free.
    /// With 0 every name is free unless it is online.
    pub claims_max: usize,
    /// Messages of one connection that may wait to be stored; at it the connection is not read.
    pub unstored_max: u16,
    /// Commands that may wait for the store in all; at it no member is read.
    pub commands_waiting_max: usize,
    /// Outcomes of the store taken in one turn.
    pub outcomes_per_turn: usize,

    /// All unfinished input and unsent output together, bytes (`--buffer-max`); a connection that would exceed it is
    /// closed.
    pub buffer_bytes_max: usize,
    /// Bytes of unsent output above which the peer is not read.
    pub high_water: usize,
    /// Connections at once; over it clients wait in the backlog (`--max-connections`).
    pub connections_max: usize,
    /// Accepts a turn: a burst of newcomers must not delay the other connections.
    pub accepts_per_turn: usize,
    /// TLS handshakes continued in one turn: a step may cost a signature (0.1 ms with ECDSA, 1 ms with RSA), which
    /// delays every other connection.
    pub handshakes_per_turn: usize,
    /// Interval of accepts after EMFILE, when no edge comes.
    pub accept_retry: Duration,
    /// Bytes read from one connection in one slice, and bytes written of its unsent output. Every connection waits for
    /// the slices of all busy ones: for a hundred, some milliseconds.
    pub slice_bytes_max: usize,
    /// Connections that are read, handled and written together. A response waits for the others of its batch; larger
    /// batches gain nothing measurable.
    pub batch_max: usize,
    /// Protocol steps (a request, a frame, a piece of a body) in one slice. Bytes sent, inflated or deflated count,
    /// too: `slice_bytes_max` of them as all of the steps.
    pub slice_steps_max: usize,
    /// Bytes, about, that rooms write in one turn to all members together; a write counts as 4 KiB more. The rest
    /// follows in the next turns, so that a large room does not delay the others.
    pub flush_bytes_max: usize,
    /// Bytes, about, published in one room between two visits of the flush to its first member; above it senders are not
    /// read. Many messages a flush make a large room fast.
    pub said_bytes_max: usize,
    /// Bytes that a closing connection may still send before it is dropped.
    pub discard_bytes_max: usize,
    /// Time that it may do so.
    pub discard_for: Duration,
    /// Delay of a turn from which on it counts as a stall: the process was stopped, frozen, swapped out or blocked.
    pub stall_min: Duration,
    /// Extension of all deadlines of peers after a stall, at most, to read the waiting bytes and the response to a
    /// ping. As long as a head may take.
    pub stall_grace: Duration,
    /// Time that the drain may take (`--drain`).
    pub drain_within: Duration,

    /// Threads that read files.
    pub job_threads: usize,
    /// Files that may wait for a thread; over it 503.
    pub jobs_waiting_max: usize,
    /// Threads that look up names; apart from files, since a name may take many seconds.
    pub name_threads: usize,
    /// The same with the replacements of threads that hang in a look-up, which cannot be ended.
    pub name_threads_max: usize,
    /// Names that may wait for a thread; over it 502.
    pub names_waiting_max: usize,
    /// Names with cached addresses or failures.
    pub names_cached_max: usize,
    /// Life of cached addresses; getaddrinfo does not return their TTL.
    pub name_fresh_for: Duration,
    /// Life of a cached failure: long enough to spare the name server, too short to be noticed.
    pub name_failure_for: Duration,
    /// Addresses of one name; no fetch tries more of them before its deadline.
    pub name_addresses_max: usize,
    /// Results of threads taken in one turn.
    pub results_per_turn: usize,
    /// File of `--www`, bytes; over it 500. It is held in memory while it is sent.
    pub www_file_bytes_max: u64,

    /// Fetches at once (`--search-max`); others wait.
    pub fetches_max: usize,
    /// The same to one origin (scheme, host, port).
    pub origin_fetches_max: usize,
    /// Fetches that may wait; over it 503.
    pub fetches_waiting_max: usize,
    /// Time that a fetch may wait; then 503.
    pub fetch_queue_within: Duration,
    /// Time for each of: look-up of the name, connect, TLS handshake.
    pub connect_within: Duration,
    /// Time after which the next address of a host is tried beside the one before (RFC 8305 section 8).
    pub connect_stagger: Duration,
    /// Outbound connections kept for the next fetch (`--upstream-idle`); 0: a connection each.
    pub upstreams_kept_max: usize,
    /// Time that they are kept. Many sites close after a minute or less; a request on a connection that closes is sent
    /// twice.
    pub upstream_idle_for: Duration,
    /// Time of a search in all.
    pub search_within: Duration,
    /// Redirects that a search follows.
    pub redirects_max: u8,

    /// Lines of the access log (3 KiB each at most) that may wait for the disk; over it they are dropped and counted.
    pub log_lines_max: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            http: http::Limits::default(),
            ws: ws::Limits::default(),
            head_within: Duration::from_secs(10),
            body_within: Duration::from_secs(10),
            idle_for: Duration::from_secs(15),
            response_within: Duration::from_secs(30),
            write_stall: Duration::from_secs(30),
            chat_message_bytes_max: 64 << 10,
            chat_text_bytes_max: 4096,
            echo_message_bytes_max: 16 << 20,
            deflate_windows_max: 64,
            message_rate: 10.0,
            message_burst: 20.0,
            address_names: 20.0,
            address_entrance_rate: 20.0,
            address_entrance_burst: 200.0,
            address_login_rate: 2.0,
            address_login_burst: 50.0,
            ping_every: Duration::from_secs(30),
            silent_for: Duration::from_secs(75),
            close_within: Duration::from_secs(5),
            rooms_max: 1000,
            presence_grace: Duration::from_secs(15),
            lag_bytes_max: 4 << 20,
            history_memory_keep: 1000,
            history_memory_bytes_max: 64 << 20,
            claims_max: 100_000,
            unstored_max: 16,
            commands_waiting_max: 4096,
            outcomes_per_turn: 4096,
            buffer_bytes_max: 256 << 20,
            high_water: 256 << 10,
            connections_max: 10_000,
            accepts_per_turn: 64,
            handshakes_per_turn: 16,
            accept_retry: Duration::from_millis(100),
            slice_bytes_max: 32 << 10,
            batch_max: 16,
            slice_steps_max: 256,
            flush_bytes_max: 1 << 20,
            said_bytes_max: 64 << 10,
            discard_bytes_max: 8 << 20,
            discard_for: Duration::from_secs(2),
            stall_min: Duration::from_secs(1),
            stall_grace: Duration::from_secs(10),
            drain_within: Duration::from_secs(10),
            job_threads: 4,
            jobs_waiting_max: 1024,
            name_threads: 8,
            name_threads_max: 32,
            names_waiting_max: 4096,
            names_cached_max: 1024,
            name_fresh_for: Duration::from_secs(60),
            name_failure_for: Duration::from_secs(5),
            name_addresses_max: 16,
            results_per_turn: 64,
            www_file_bytes_max: 16 << 20,
            fetches_max: 256,
            origin_fetches_max: usize::MAX,
            fetches_waiting_max: 4096,
            fetch_queue_within: Duration::from_secs(10),
            connect_within: Duration::from_secs(5),
            connect_stagger: Duration::from_millis(250),
            upstreams_kept_max: 64,
            upstream_idle_for: Duration::from_secs(30),
            search_within: Duration::from_secs(20),
            redirects_max: 5,
            log_lines_max: 16_384,
        }
    }
}

impl Limits {
    /// Bytes that a reader of a room's feed may be behind: at most half of all buffers. The feed holds them and its
    /// copies, a seventh more, which the limit of buffers counts.
    pub fn feed_bytes_max(&self) -> usize {
        self.lag_bytes_max.min(self.buffer_bytes_max / 2)
    }
}
