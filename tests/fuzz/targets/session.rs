//! WebSocket sessions of both roles, with our own Close at any moment.
#![no_main]

use libfuzzer_sys::fuzz_target;
use squall::ws::session::Session;
use squall_fuzz::cuts::{Cuts, at_any_cut, take_plan};
use squall_fuzz::ws::conversation;

fuzz_target!(|data: &[u8]| {
    let Some((options, cuts, wire)) = take_plan(data) else { return };
    let message_bytes_max = [20, 125, 300, 70_000][usize::from(options >> 1 & 3)];
    let close_behind = if options & 8 == 0 { usize::MAX } else { usize::from(options >> 4) };
    let session = if options & 1 == 0 { Session::server } else { Session::client };
    let hear =
        |wire: &[u8], cuts: Cuts| conversation(wire, cuts, session(message_bytes_max), message_bytes_max, close_behind);
    at_any_cut(wire, cuts, hear);
});
