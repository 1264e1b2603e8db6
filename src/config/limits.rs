//! Bounds on memory, time and work: every number with its unit, its default and its reason.

use std::time::Duration;

/// Bounds on memory, time and work. Every queue, state and loop of the program has its number here.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Request line, bytes; over it 414, before the head is complete.
    pub request_line_bytes_max: usize,
    /// Whole head, bytes; over it 431.
    pub head_bytes_max: usize,
    /// Header fields of one head; over it 431. More than 100 are never taken.
    pub head_fields_max: usize,
    /// Empty lines before a request (RFC 9112 section 2.2), bytes; over it 400.
    pub blank_bytes_max: usize,
    /// Request body, bytes, transfer coding removed; over it 413.
    pub body_bytes_max: usize,
    /// A head must be whole so long after its first byte; else 408.
    pub head_within: Duration,
    /// A body must be whole so long after its head; else 408.
    pub body_within: Duration,
    /// A kept-alive connection may idle so long (`--keep-alive`).
    pub idle_for: Duration,
    /// The application must answer so soon where nothing else (a sleep, a fetch) has a deadline; else 503.
    pub answer_within: Duration,
    /// An answer must make progress so often, or its reader is given up.
    pub write_stall: Duration,

    /// A chat frame or assembled message, bytes; over it 1009.
    pub chat_message_bytes_max: usize,
    /// The text of a chat message, bytes of UTF-8; over it 1009.
    pub chat_text_bytes_max: usize,
    /// A message on `/echo`, bytes.
    pub echo_message_bytes_max: usize,
    /// A message of so many bytes or more is compressed for who has agreed to it; shorter ones hardly shrink.
    pub deflate_bytes_min: usize,
    /// A longer one is not: this one takes about 6 ms, in which everybody waits.
    pub deflate_bytes_max: usize,
    /// WebSockets at once that may keep windows from one message to the next, 340 KiB each; over it the handshake asks
    /// for none.
    pub deflate_windows_max: usize,
    /// Messages a second and member (`--message-rate`), 0 = no limit; over it 1008.
    pub message_rate: f64,
    /// Messages a member may send at once before the rate counts.
    pub message_burst: f64,
    /// The server pings so often.
    pub ping_every: Duration,
    /// A peer that has said nothing for so long is closed.
    pub silent_for: Duration,
    /// After our Close frame the peer's has so long to come; after a cut, so long until the reset.
    pub close_within: Duration,
    /// A member so many bytes behind its room is cut (`--lag-max`).
    pub lag_bytes_max: usize,

    /// All unfinished input and unsent output together, bytes (`--buffer-max`); whoever would cross it is closed.
    pub buffer_bytes_max: usize,
    /// Unsent output at which no more is read from that peer, bytes.
    pub high_water: usize,
    /// Connections at once; over it clients wait in the backlog (`--max-connections`).
    pub connections_max: usize,
    /// Accepts a turn: a burst of newcomers must not keep the others waiting.
    pub accepts_per_turn: usize,
    /// TLS handshakes taken further in one turn; each step may cost a signature (0.1 ms with ECDSA, 1 ms with RSA), and
    /// whoever is connected already waits for all of them.
    pub handshakes_per_turn: usize,
    /// After EMFILE no edge comes, so accept is tried again so often.
    pub accept_retry: Duration,
    /// Bytes read from one connection in one slice, and bytes written of what waits for it. Everybody waits for a slice
    /// of each that is busy: of a hundred, these are some milliseconds.
    pub slice_bytes_max: usize,
    /// Connections that are read, handled and answered together. An answer waits for the others of its batch, and with
    /// more of them nothing is gained that could be measured.
    pub batch_max: usize,
    /// Steps of its protocol (a request, a frame, a piece of a body) in one slice. What is answered, inflated or deflated
    /// takes their place: `slice_bytes_max` of it is as much work as all of them.
    pub slice_steps_max: usize,
    /// Bytes that rooms write in one turn, about, to all members together; a write counts as 4 KiB more. The rest
    /// follows in the next turns, so that nobody waits for the whole of a large room.
    pub flush_bytes_max: usize,
    /// Bytes said in one room, about, until its flush has come round to its first member again: what comes in faster than
    /// it goes out waits with its sender. Many messages to a flush are what makes a large room fast.
    pub said_bytes_max: usize,
    /// What a closing connection may still send before it is dropped, bytes.
    pub discard_bytes_max: usize,
    /// How long it may do so.
    pub discard_for: Duration,
    /// A turn that begins this much later than it was due: the process was stopped, frozen, swapped out or blocked.
    pub stall_min: Duration,
    /// After a stall no peer is judged late for as long as it was, and for this time at most: to read what waits in the
    /// sockets, and for the answer to a ping. As long as a head may take.
    pub stall_grace: Duration,
    /// Draining: what is under way may take so long (`--drain`).
    pub drain_within: Duration,

    /// Threads that read files.
    pub job_threads: usize,
    /// Files that may wait for a thread; over it 503.
    pub jobs_waiting_max: usize,
    /// Threads that look up names; apart from files, for a name may take many seconds.
    pub name_threads: usize,
    /// The same, with those that stand in for threads whose look-up hangs: these cannot be ended, only replaced.
    pub name_threads_max: usize,
    /// Names that may wait for a thread; over it 502.
    pub names_waiting_max: usize,
    /// Names whose addresses or failures are remembered.
    pub names_cached_max: usize,
    /// Addresses are used so long; getaddrinfo does not tell how long they are good for.
    pub name_fresh_for: Duration,
    /// A failure is believed so long: long enough to spare the name server, too short to be noticed.
    pub name_failure_for: Duration,
    /// Addresses of one name; nobody tries more of them within a deadline.
    pub name_addresses_max: usize,
    /// Results of threads taken in one turn.
    pub results_per_turn: usize,
    /// A file of `--www`, bytes; over it 500. It is held in memory while it is sent.
    pub www_file_bytes_max: u64,

    /// Fetches at once (`--search-max`); others wait.
    pub fetches_max: usize,
    /// Of these so many to one origin (scheme, host, port).
    pub origin_fetches_max: usize,
    /// Fetches that may wait; over it 503.
    pub fetches_waiting_max: usize,
    /// A fetch waits so long for its place; then 503.
    pub fetch_queue_within: Duration,
    /// Looking up a name may take so long, then connecting as long again, and then the TLS handshake.
    pub connect_within: Duration,
    /// The next address of a host is tried after this time although the one before may still answer (RFC 8305 section
    /// 8).
    pub connect_stagger: Duration,
    /// Outbound connections kept for the next fetch (`--upstream-idle`); 0: a connection each.
    pub upstreams_kept_max: usize,
    /// They are kept so long; many sites close after a minute or less, and each time one is closed first the request is
    /// asked twice.
    pub upstream_idle_for: Duration,
    /// A search may take so long in all.
    pub search_within: Duration,
    /// Head of an upstream's answer, bytes; less than the loop's read buffer (64 KiB), in which it must lie whole.
    pub upstream_head_bytes_max: usize,
    /// Body of an upstream's answer, bytes, transfer coding removed.
    pub upstream_body_bytes_max: u64,
    /// Body of an upstream's answer after its content coding was taken off, bytes.
    pub inflated_bytes_max: u64,
    /// Redirects a search follows.
    pub redirects_max: u8,

    /// Lines of the access log (3 KiB each at most) that may wait for the disk; over it they are dropped and counted.
    pub log_lines_max: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            request_line_bytes_max: 8 << 10,
            head_bytes_max: 16 << 10,
            head_fields_max: 100,
            blank_bytes_max: 1 << 10,
            body_bytes_max: 1 << 20,
            head_within: Duration::from_secs(10),
            body_within: Duration::from_secs(10),
            idle_for: Duration::from_secs(15),
            answer_within: Duration::from_secs(30),
            write_stall: Duration::from_secs(30),
            chat_message_bytes_max: 64 << 10,
            chat_text_bytes_max: 4096,
            echo_message_bytes_max: 16 << 20,
            deflate_bytes_min: 256,
            deflate_bytes_max: 1 << 20,
            deflate_windows_max: 64,
            message_rate: 10.0,
            message_burst: 20.0,
            ping_every: Duration::from_secs(30),
            silent_for: Duration::from_secs(75),
            close_within: Duration::from_secs(5),
            lag_bytes_max: 4 << 20,
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
            upstream_head_bytes_max: 32 << 10,
            upstream_body_bytes_max: 8 << 20,
            inflated_bytes_max: 64 << 20,
            redirects_max: 5,
            log_lines_max: 16_384,
        }
    }
}

impl Limits {
    /// How far a reader of a room's feed may be behind, bytes: a lag that would fill all buffers is too much as well. The
    /// feed holds that and its copies, a seventh more, which the buffers' limit counts.
    pub fn feed_bytes_max(&self) -> usize {
        self.lag_bytes_max.min(self.buffer_bytes_max / 2)
    }
}
