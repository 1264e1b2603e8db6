//! A server on a thread of its own, whose calls to the allocator are counted between two turns.

use crate::it::support::Dir;
use crate::meter::{self, Calls};
use clap::Parser;
use squall::cli::serve::bind;
use squall::config::{Cli, Limits};
use std::net::SocketAddr;
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::thread::JoinHandle;
use std::time::Duration;

/// How often the thread looks whether it is told something, at least.
const LOOKS_EVERY: Duration = Duration::from_millis(5);

/// What a stretch has cost the server.
pub struct Costs {
    pub calls: Calls,
    /// Where the first calls came from.
    pub places: String,
}

/// What the thread is to do between two turns.
enum Order {
    /// Report the costs since the last report.
    Report,
    /// Say that the loop stands still, and go on when the other channel is closed.
    StandStill(Sender<()>, Receiver<()>),
}

pub struct Site {
    pub address: SocketAddr,
    /// Its drop ends the thread.
    orders: Option<Sender<Order>>,
    reports: Receiver<Costs>,
    thread: Option<JoinHandle<()>>,
    _data: Dir,
}

impl Site {
    /// With default limits and these flags.
    pub fn start(flags: &[&str]) -> Site {
        let data = Dir::new();
        let line = ["squall", "--listen", "127.0.0.1:0", "--data-dir", data.arg()];
        let cli = Cli::try_parse_from(line.iter().chain(flags)).unwrap_or_else(|e| panic!("{e}"));
        let (tell, told) = channel();
        let ((orders, ordered), (report, reports)) = (channel(), channel());
        let thread = std::thread::spawn(move || {
            let mut running = bind(&cli.serve, Limits::default()).unwrap_or_else(|e| panic!("{e}"));
            tell.send(running.listeners()[0].address).expect("the test waits for the address");
            loop {
                running.once(Some(LOOKS_EVERY)).expect("the poll works");
                match ordered.try_recv() {
                    Ok(Order::Report) => {
                        let (calls, traces) = meter::end();
                        let places: Vec<String> = traces.iter().map(|trace| ours(&trace.to_string())).collect();
                        let costs = Costs { calls, places: places.join("\n") };
                        report.send(costs).expect("the test waits for the costs");
                        meter::begin();
                    }
                    Ok(Order::StandStill(stands, over)) => {
                        stands.send(()).expect("the test waits for it");
                        // An error is the end of the stillness: nothing is sent.
                        let _ = over.recv();
                    }
                    Err(TryRecvError::Empty) => {}
                    Err(TryRecvError::Disconnected) => return,
                }
            }
        });
        let address = told.recv().expect("the server has started");
        Site { address, orders: Some(orders), reports, thread: Some(thread), _data: data }
    }

    /// Does `work` while the loop stands still: all that it sends is there when the next turn begins.
    pub fn standing_still(&self, work: impl FnOnce()) {
        let ((stands, still), (_go_on, over)) = (channel(), channel());
        self.order(Order::StandStill(stands, over));
        still.recv().expect("the server lives");
        work();
    }

    /// What `work` costs the server, to the end of the turn in which the last response went out.
    pub fn costs_of(&self, work: impl FnOnce()) -> Costs {
        self.costs();
        work();
        self.costs()
    }

    fn costs(&self) -> Costs {
        self.order(Order::Report);
        self.reports.recv().expect("the server lives")
    }

    fn order(&self, order: Order) {
        self.orders.as_ref().expect("the thread runs").send(order).expect("the server lives");
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.orders = None;
        let ended = self.thread.take().map(JoinHandle::join);
        assert!(std::thread::panicking() || matches!(ended, Some(Ok(()))), "the server panicked");
    }
}

/// The frames of a backtrace that are in this project's sources, innermost first, in one line.
fn ours(trace: &str) -> String {
    let places = trace.lines().filter_map(|line| line.trim().strip_prefix("at "));
    let places = places.filter_map(|place| place.split_once("/src/").filter(|(before, _)| is_ours(before)));
    let places: Vec<String> = places.take(6).map(|(_, place)| format!("src/{place}")).collect();
    places.join(" < ")
}

fn is_ours(before: &str) -> bool {
    before == "." || before == env!("CARGO_MANIFEST_DIR")
}
