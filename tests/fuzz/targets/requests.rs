//! Whole requests, one behind the other, as a connection of the server reads them.
#![no_main]

use libfuzzer_sys::fuzz_target;
use squall::http::request::Framing;
use squall_fuzz::cuts::{at_any_cut, take_plan};
use squall_fuzz::http::{Heard, requests, small, usual};

fuzz_target!(|data: &[u8]| {
    let Some((options, cuts, wire)) = take_plan(data) else { return };
    let limits = if options & 1 == 0 { usual() } else { small() };
    let (heard, _) = at_any_cut(wire, cuts, |wire, cuts| requests(wire, cuts, &limits));
    let mut bodies = 0;
    for (n, heard_of) in heard.iter().enumerate() {
        match heard_of {
            Heard::Request(asked) => {
                bodies += asked.body.len();
                match asked.head.framing {
                    Framing::None => assert!(asked.body.is_empty()),
                    Framing::Length(length) => assert_eq!(asked.body.len() as u64, length),
                    Framing::Chunked => {}
                }
                assert!(asked.head.keep_alive || n + 1 == heard.len(), "nothing is heard behind the last request");
            }
            Heard::Refused(..) => assert_eq!(n + 1, heard.len(), "a refusal is the last word"),
        }
    }
    assert!(bodies <= wire.len());
});
