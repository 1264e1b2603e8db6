//! What a run with `--ws` does, from its flags. Everything that can be wrong with them is found here.

use super::connection::Role;
use super::echo::EchoMessage;
use super::fanout::Speech;
use super::stamp::{SENDERS_MAX, STAMP_BYTES};
use crate::cli::bench;
use crate::cli::bench::processes::Processes;
use crate::cli::bench::sockets::route::{self, Route};
use crate::cli::bench::tls::Tls;
use crate::config::BenchArgs;
use crate::config::bench_args::{WsArgs, WsMode};
use crate::http::exchange::{Asking, encode_request};
use crate::http::url::{Scheme, Url, encode_component, with_parameter};
use crate::ws::handshake::client::{self, Key, Offer};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use memchr::memmem;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// The measured time if none is given.
const DURATION: Duration = Duration::from_secs(10);
/// Bytes of a message without `--message` and `--message-bytes`.
const MESSAGE_BYTES: usize = 64;
/// Bytes of a message that is said, at most.
const MESSAGE_BYTES_MAX: usize = 64 << 20;
/// Bytes that a message may be longer when it comes back: a room may put the name of its sender before it.
const AROUND_BYTES: usize = 64 << 10;
/// Bytes of a message that the server says unasked, at most, where nothing is said to it.
const UNASKED_BYTES_MAX: usize = 1 << 20;
/// The subprotocol whose members can resume (src/doc/chat.md).
const RESUMING: &str = "squall.v1";
/// Bytes of a `welcome` of that protocol, at most: 1 MiB of history, 200 names, and room for more fields.
const WELCOME_BYTES_MAX: usize = 2 << 20;
/// Bytes of all messages under way at once, at most: a server that does not read leaves them here.
const UNDER_WAY_BYTES_MAX: usize = 1 << 30;
/// Bytes of a message under way besides itself: the head of its frame, and when it was sent.
const FRAME_BYTES: usize = 24;
/// Pairs of a member and a sender, 16 bytes each, at most.
const PAIRS_MAX: usize = 1 << 24;
/// What stands for the stamp in the file of a message.
const STAMP_MARK: &[u8] = b"{stamp}";
/// Fields that belong to the handshake itself.
const OURS: [&str; 2] = ["upgrade", "connection"];

/// What is to be done.
#[derive(Debug, Clone)]
pub struct Plan {
    pub mode: WsMode,
    /// As it was given.
    pub url: String,
    pub server: Server,
    /// How connections speak TLS, if any do.
    pub tls: Option<Arc<Tls>>,
    /// Those that take part, slow ones included.
    pub connections: usize,
    /// Of those, how many do not read.
    pub slow: usize,
    /// Connections beside them, which are opened first and do nothing.
    pub others: usize,
    others_target: String,
    pub senders: usize,
    pub in_flight: usize,
    pub message: Message,
    pub login: Option<Login>,
    pub subprotocol: Option<String>,
    /// Cookies that were given.
    cookies: Vec<String>,
    /// The Host field of the handshake.
    authority: String,
    /// Its further fields, each with its line end.
    fields: Vec<u8>,
    pub processes: Processes,
    pub timing: Timing,
    /// Time that a connection may take to open.
    pub open_within: Duration,
}

/// The times and the rate of a run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Timing {
    /// Before the time that is measured.
    pub warmup: Duration,
    /// The time that is measured; of a storm, the most it may take.
    pub duration: Duration,
    /// Messages a second in all, of a room with a schedule.
    pub rate: Option<f64>,
    /// Connections that begin to open a second, at most.
    pub connect_rate: Option<f64>,
}

impl Timing {
    fn of(args: &BenchArgs) -> Timing {
        let load = &args.load;
        let duration = load.duration.or(args.time_limit).unwrap_or(DURATION);
        Timing { warmup: load.warmup, duration, rate: load.rate, connect_rate: args.ws.connect_rate }
    }
}

/// Where connections go.
#[derive(Debug, Clone)]
pub struct Server {
    pub url: Url,
    pub route: Route,
    /// The host that TLS is for, if there is TLS.
    pub tls_host: Option<String>,
}

/// Where names log in, and which.
#[derive(Debug, Clone)]
pub struct Login {
    pub server: Server,
    pub names: usize,
    /// In every name, so that two runs do not share one.
    pub run: u64,
}

/// What is said.
#[derive(Debug, Clone, PartialEq)]
pub enum Message {
    /// Nothing: idle, storm.
    None,
    Echo(EchoMessage),
    Speech(Speech),
}

impl Server {
    /// Looks the host up.
    fn of(url: Url, args: &BenchArgs) -> Result<Server, String> {
        let tls_host = (url.scheme == Scheme::Https).then(|| url.host.clone());
        Ok(Server { route: route::find(&args.sockets, &url.host, url.port)?, tls_host, url })
    }
}

impl Plan {
    /// What these flags ask for. `run` is a random number.
    ///
    /// # Errors
    /// A line that says what is wrong and what to do.
    pub fn new(args: &BenchArgs, run: u64) -> Result<Plan, String> {
        let (ws, connections, timing) = (&args.ws, args.concurrency, Timing::of(args));
        let text = args.url.as_deref().ok_or("there is no URL: give one, such as ws://127.0.0.1:8888/echo")?;
        let url = parse_url(text)?;
        let mode = ws.mode.ok_or("a WebSocket needs --ws echo, --ws fanout, --ws idle or --ws storm")?;
        check_mode(ws, mode, timing)?;
        let slow = (connections as f64 * ws.slow.unwrap_or(0.0) / 100.0).round() as usize;
        let (senders, in_flight) = (ws.senders.unwrap_or(1), ws.in_flight.unwrap_or(1));
        if slow >= connections {
            return Err(format!("--slow leaves none of the {connections} members to read: give a larger -c"));
        }
        let readers = connections - slow;
        if senders > readers {
            return Err(format!("--senders {senders} is more than the {readers} members that read"));
        }
        if readers.saturating_mul(senders) > PAIRS_MAX || senders > SENDERS_MAX {
            return Err(format!(
                "{readers} members times {senders} senders is more than {PAIRS_MAX} pairs: give fewer"
            ));
        }
        let message = message(ws, mode, timing.rate)?;
        let messages = if mode == WsMode::Echo { in_flight.saturating_mul(connections) } else { senders };
        let bytes = messages.saturating_mul(message.bytes() + FRAME_BYTES);
        if bytes > UNDER_WAY_BYTES_MAX {
            return Err(format!("{bytes} bytes would be under way, of at most {UNDER_WAY_BYTES_MAX}: give fewer"));
        }
        let names = ws.logins.unwrap_or(connections);
        if names > connections {
            return Err(format!("--logins {names} is more than the {connections} connections of -c"));
        }
        let login = match &ws.login {
            Some(text) => {
                let url = Url::parse(text).map_err(|e| format!("--login {text}: {e}"))?;
                Some(Login { server: Server::of(url, args)?, names, run: run & 0xff_ffff })
            }
            None => None,
        };
        let others_target = ws.others_path.clone().unwrap_or_else(|| url.target.clone());
        let others_url = url.resolve(&others_target).map_err(|e| format!("--others-path {others_target}: {e}"))?;
        if others_url.authority() != url.authority() {
            return Err(format!("--others-path {others_target} is not a path"));
        }
        let (host, fields) = fields(args)?;
        let authority = host.unwrap_or_else(|| url.authority());
        let is_secure = |login: &Login| login.server.url.scheme == Scheme::Https;
        let is_secure = url.scheme == Scheme::Https || login.as_ref().is_some_and(is_secure);
        let tls = bench::plan::tls(args, is_secure, &url.host)?;
        let mut server = Server::of(url, args)?;
        if let (Some(host), Some(tls)) = (&mut server.tls_host, &tls) {
            tls.host().clone_into(host);
        }
        Ok(Plan {
            mode,
            url: text.to_owned(),
            server,
            tls,
            connections,
            slow,
            others: ws.others.unwrap_or(0),
            others_target: others_url.target,
            senders,
            in_flight,
            message,
            login,
            subprotocol: ws.subprotocol.clone(),
            cookies: args.cookies.clone(),
            authority,
            fields,
            processes: Processes::new(&args.load.pids)?,
            timing,
            open_within: args.response_within,
        })
    }

    /// All connections, the others included.
    pub fn all(&self) -> usize {
        self.connections + self.others
    }

    /// Whether members are to resume where they were when a storm cuts them.
    pub fn resumes(&self) -> bool {
        self.mode == WsMode::Storm && self.subprotocol.as_deref() == Some(RESUMING)
    }

    /// Bytes of a message of the server, at most.
    pub fn heard_bytes_max(&self) -> usize {
        match &self.message {
            Message::None if self.resumes() => WELCOME_BYTES_MAX,
            Message::None => UNASKED_BYTES_MAX,
            message => message.bytes() + AROUND_BYTES,
        }
    }

    /// What the connection in a slot is for: the others come first, and slow ones are spread evenly over the rest.
    pub fn role(&self, slot: usize) -> Role {
        let Some(n) = slot.checked_sub(self.others) else { return Role::Other };
        let slow_before = |n: usize| n * self.slow / self.connections;
        if slow_before(n + 1) > slow_before(n) { Role::Slow } else { Role::Active }
    }

    /// The request of a handshake: `since` is the position of a member that has been there, `cookies` are those of a login.
    pub fn handshake(&self, role: Role, since: Option<&str>, key: &Key, cookies: Option<&str>) -> Vec<u8> {
        let cookies: Vec<&str> = self.cookies.iter().map(String::as_str).chain(cookies).collect();
        let mut fields = self.fields.clone();
        if !cookies.is_empty() {
            fields.extend_from_slice(format!("Cookie: {}\r\n", cookies.join("; ")).as_bytes());
        }
        let target = if role == Role::Other { &self.others_target } else { &self.server.url.target };
        let resuming = since.map(|since| with_parameter(target, "since", since));
        let target = resuming.as_ref().unwrap_or(target);
        let (authority, subprotocol) = (&self.authority, self.subprotocol.as_deref());
        let mut request = Vec::new();
        client::encode(&Offer { target, authority, fields: &fields, subprotocol }, key, &mut request);
        request
    }
}

impl Login {
    /// The request that logs name number `n` in.
    pub fn request(&self, n: usize) -> Vec<u8> {
        let name = format!("bench-{:06x}-{}", self.run, n + 1);
        let body = format!("username={}", encode_component(&name));
        let headers = [("Content-Type".into(), "application/x-www-form-urlencoded".to_owned())];
        let asking = Asking { method: "POST", headers: &headers, body: body.as_bytes(), decode: false, close: true };
        let mut request = Vec::new();
        encode_request(&self.server.url, &asking, &mut request);
        request
    }
}

impl Message {
    /// Its bytes; 0 of none.
    pub fn bytes(&self) -> usize {
        match self {
            Message::None => 0,
            Message::Echo(EchoMessage::File(bytes)) => bytes.len(),
            Message::Echo(EchoMessage::Length(bytes)) => *bytes,
            Message::Speech(speech) => speech.message.len(),
        }
    }
}

/// Whether a URL is that of a WebSocket.
pub fn is_websocket(url: &str) -> bool {
    as_http(url).is_some()
}

/// The same place in the words of HTTP.
fn as_http(url: &str) -> Option<String> {
    let (scheme, rest) = url.trim().split_once(':')?;
    match scheme.to_ascii_lowercase().as_str() {
        "ws" => Some(format!("http:{rest}")),
        "wss" => Some(format!("https:{rest}")),
        _ => None,
    }
}

fn parse_url(text: &str) -> Result<Url, String> {
    let http = as_http(text).ok_or_else(|| format!("{text}: --ws needs a URL that begins with ws:// or wss://"))?;
    let url = Url::parse(&http).map_err(|e| format!("{text}: {e}"))?;
    if url.scheme == Scheme::Https && !cfg!(feature = "tls") {
        return Err(format!("{text}: this squall was built without TLS"));
    }
    Ok(url)
}

/// Flags that mean something in other modes only.
fn check_mode(ws: &WsArgs, mode: WsMode, timing: Timing) -> Result<(), String> {
    use WsMode::{Echo, Fanout};
    let both = "--ws echo or fanout";
    for (flag, is_given, fits, modes) in [
        ("--in-flight", ws.in_flight.is_some(), mode == Echo, "--ws echo"),
        ("--message-bytes", ws.message_bytes.is_some(), matches!(mode, Echo | Fanout), both),
        ("--message", ws.message.is_some(), matches!(mode, Echo | Fanout), both),
        ("--senders", ws.senders.is_some(), mode == Fanout, "--ws fanout"),
        ("--slow", ws.slow.is_some(), mode == Fanout, "--ws fanout"),
        ("--rate", timing.rate.is_some(), mode == Fanout, "--ws fanout"),
    ] {
        if is_given && !fits {
            return Err(format!("{flag} goes with {modes}, not with --ws {}", mode.name()));
        }
    }
    Ok(())
}

/// The value of a Host field among those of `-H`, and the other fields that `-H` and `-A` add to a handshake.
fn fields(args: &BenchArgs) -> Result<(Option<String>, Vec<u8>), String> {
    let (mut host, mut fields) = (None, String::new());
    if let Some(auth) = &args.auth {
        fields += &format!("Authorization: Basic {}\r\n", STANDARD.encode(auth));
    }
    for line in &args.headers {
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        let name = name.to_ascii_lowercase();
        if OURS.contains(&name.as_str()) || name.starts_with("sec-websocket-") {
            return Err(format!("-H {name}: the handshake has this field itself"));
        }
        match name == "host" {
            true => host = Some(value.trim().to_owned()),
            false => fields += &format!("{line}\r\n"),
        }
    }
    Ok((host, fields.into_bytes()))
}

fn message(ws: &WsArgs, mode: WsMode, rate: Option<f64>) -> Result<Message, String> {
    let file = ws.message.as_deref().map(read_message).transpose()?;
    let length = ws.message_bytes.unwrap_or(MESSAGE_BYTES);
    if length > MESSAGE_BYTES_MAX {
        return Err(format!("--message-bytes {length} is more than {MESSAGE_BYTES_MAX}"));
    }
    match mode {
        WsMode::Echo => Ok(Message::Echo(file.map_or(EchoMessage::Length(length), EchoMessage::File))),
        WsMode::Fanout if file.is_none() && length < STAMP_BYTES => {
            Err(format!("--message-bytes {length} is less than a stamp of {STAMP_BYTES}"))
        }
        WsMode::Fanout => {
            let file = file.unwrap_or_else(|| [STAMP_MARK, &vec![b'-'; length - STAMP_BYTES]].concat());
            if str::from_utf8(&file).is_err() {
                return Err("--message: a room speaks text, and the file is not UTF-8".into());
            }
            let (stamp_at, behind) = match memmem::find(&file, STAMP_MARK) {
                Some(at) => (at, at + STAMP_MARK.len()),
                None => (0, 0),
            };
            let message = [&file[..stamp_at], &[b'@'; STAMP_BYTES], &file[behind..]].concat();
            Ok(Message::Speech(Speech { message, stamp_at, rate }))
        }
        WsMode::Idle | WsMode::Storm => Ok(Message::None),
    }
}

fn read_message(path: &Path) -> Result<Vec<u8>, String> {
    let bytes = std::fs::read(path).map_err(|e| format!("--message {}: {e}", path.display()))?;
    match bytes.len() {
        0 => Err(format!("--message {} is empty", path.display())),
        length if length > MESSAGE_BYTES_MAX => {
            Err(format!("--message {} is longer than {MESSAGE_BYTES_MAX} bytes", path.display()))
        }
        _ => Ok(bytes),
    }
}

#[cfg(test)]
mod tests;
