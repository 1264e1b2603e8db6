//! The load of the bench: one thread, no runtime, as little work as will do.
//!
//! ```text
//! load http ADDR:PORT    kept-alive connections, --depth requests in one write, the next when all are answered
//! load echo ADDR:PORT    WebSockets on --path, --depth messages under way on each
//! load room ADDR:PORT    WebSockets in a room; each of --senders says the next when its last one came back to it
//! load idle ADDR:PORT    as many members, who say nothing: memory of the server for each, CPU of its handshake
//! load flood ADDR:PORT   --path /echo: messages of 16 MiB, one after the other; else requests, without end
//! ```
//!
//! `--others` are connections that have been opened, answered, and are idle from then on. The output is one line of
//! JSON: times in us, `cpu` the CPU time of the processes --pids for one of what is counted, `client` our own in
//! percent of a core (near 100 the load was at its limit and not the server).
#![forbid(unsafe_code)]

mod figures;
mod fleet;
mod flood;
mod http;
mod sockets;

use clap::{Parser, ValueEnum};
use figures::Processes;
use fleet::{Client, Fleet};
use http::Http;
use serde_json::{Value, json};
use sockets::Sockets;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// Members before the base line of memory: what a server sets up once is set up then.
const FIRST_MEMBERS: usize = 64;
/// Time for what is still on its way after the end.
const ARRIVES_WITHIN: Duration = Duration::from_secs(5);

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum What {
    Http,
    Echo,
    Room,
    Idle,
    Flood,
}

#[derive(Parser, Debug)]
pub struct Flags {
    pub what: What,
    pub address: SocketAddr,
    #[arg(long, default_value = "/")]
    pub path: String,
    #[arg(long, default_value_t = 64)]
    pub connections: usize,
    #[arg(long, default_value_t = 1)]
    pub depth: usize,
    #[arg(long, default_value_t = 1)]
    pub senders: usize,
    #[arg(long, default_value_t = 0)]
    pub others: usize,
    /// What the others asked for, if it is not --path
    #[arg(long)]
    pub others_path: Option<String>,
    /// Bytes of a message
    #[arg(long, default_value_t = 64)]
    pub size: usize,
    #[arg(long, default_value_t = 3.0)]
    pub seconds: f64,
    /// Seconds before those that count
    #[arg(long, default_value_t = 0.5)]
    pub warm: f64,
    /// Seconds between what is answered and what is asked next (http)
    #[arg(long, default_value_t = 0.0)]
    pub pause: f64,
    /// Pauses are of 0 to twice as long, so that connections do not keep step (http)
    #[arg(long)]
    pub vary: bool,
    /// Seconds over which the first requests are spread (http)
    #[arg(long, default_value_t = 0.0)]
    pub spread: f64,
    /// Log in first, by POST /login, and bring the cookie along
    #[arg(long)]
    pub login: Option<String>,
    /// Processes of the server
    #[arg(long, value_delimiter = ',')]
    pub pids: Vec<u32>,
}

fn main() -> ExitCode {
    match run(&Flags::parse()) {
        Ok(figures) => {
            println!("{figures}");
            ExitCode::SUCCESS
        }
        Err(why) => {
            eprintln!("load: {why}");
            ExitCode::FAILURE
        }
    }
}

fn run(flags: &Flags) -> Result<Value, String> {
    let _ = rlimit::increase_nofile_limit(u64::MAX);
    let seconds = |n: f64| Duration::try_from_secs_f64(n).map_err(|e| e.to_string());
    if flags.senders > flags.connections || flags.senders == 0 || flags.depth == 0 {
        return Err("--senders is 1 to --connections, --depth at least 1".into());
    }
    let (warm, measured) = (seconds(flags.warm)?, seconds(flags.seconds)?);
    let mut fleet = Fleet::new(flags.address)?;
    match flags.what {
        What::Http => {
            let mut client = Http::new(flags, seconds(flags.pause)?);
            open(&mut fleet, &mut client, flags)?;
            client.start(&mut fleet, seconds(flags.spread)?)?;
            measure(&mut fleet, &mut client, flags, warm, measured)
        }
        What::Echo | What::Room => {
            let mut client = Sockets::new(flags)?;
            open(&mut fleet, &mut client, flags)?;
            // What entering brought about is over by then.
            fleet.run(&mut client, Instant::now() + warm)?;
            client.start(&mut fleet)?;
            let mut figures = measure(&mut fleet, &mut client, flags, warm, measured)?;
            client.stop();
            let until = Instant::now() + ARRIVES_WITHIN;
            while client.missing() > 0 && Instant::now() < until {
                fleet.turn(&mut client, Duration::from_millis(20))?;
            }
            figures["said"] = json!(client.said());
            figures["lost"] = json!(client.missing());
            Ok(figures)
        }
        What::Idle => {
            let mut client = Sockets::new(flags)?;
            idle(&mut fleet, &mut client, flags, measured)
        }
        What::Flood => flood::flood(flags, measured),
    }
}

fn open(fleet: &mut Fleet, client: &mut impl Client, flags: &Flags) -> Result<(), String> {
    fleet.open(client, flags.connections + flags.others)
}

fn measure(
    fleet: &mut Fleet,
    client: &mut impl Client,
    flags: &Flags,
    warm: Duration,
    measured: Duration,
) -> Result<Value, String> {
    fleet.run(client, Instant::now() + warm)?;
    let (server, own) = (Processes(&flags.pids), Processes(&[std::process::id()]));
    client.times().clear();
    let (began, server_began, own_began, done) = (Instant::now(), server.cpu(), own.cpu(), client.done());
    fleet.run(client, began + measured)?;
    let (took, server_used, own_used) = (began.elapsed(), server.cpu() - server_began, own.cpu() - own_began);
    let count = client.done() - done;
    let times = client.times();
    Ok(json!({
        "count": count,
        "rate": count as f64 / took.as_secs_f64(),
        "cpu": server_used.as_secs_f64() * 1e6 / count.max(1) as f64,
        "server": server_used.as_secs_f64() / took.as_secs_f64() * 100.0,
        "client": own_used.as_secs_f64() / took.as_secs_f64() * 100.0,
        "p50": times.quantile(0.50),
        "p99": times.quantile(0.99),
        "max": times.quantile(1.0),
    }))
}

fn idle(fleet: &mut Fleet, client: &mut Sockets, flags: &Flags, held: Duration) -> Result<Value, String> {
    let server = Processes(&flags.pids);
    let first = FIRST_MEMBERS.min(flags.connections / 2);
    fleet.open(client, first)?;
    fleet.run(client, Instant::now() + Duration::from_millis(300))?;
    let (memory, cpu, began) = (server.memory(), server.cpu(), Instant::now());
    fleet.open(client, flags.connections)?;
    let took = began.elapsed();
    // What they were told, and what the server gives back, takes a moment.
    fleet.run(client, Instant::now() + held)?;
    let more = (flags.connections - first).max(1) as f64;
    Ok(json!({
        "count": flags.connections,
        "rate": more / took.as_secs_f64(),
        "cpu": (server.cpu() - cpu).as_secs_f64() * 1e6 / more,
        "memory": server.memory().saturating_sub(memory) as f64 / more,
    }))
}
