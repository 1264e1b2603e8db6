//! Responses of other servers, up to the end of their connection.
#![no_main]

use libfuzzer_sys::fuzz_target;
use squall_fuzz::cuts::{WHOLE, at_any_cut, take_plan};
use squall_fuzz::http::{response, small, usual};

fuzz_target!(|data: &[u8]| {
    let Some((options, cuts, wire)) = take_plan(data) else { return };
    let limits = if options & 1 == 0 { usual() } else { small() };
    let (head, decode) = (options & 2 != 0, options & 4 != 0);
    let heard = at_any_cut(wire, cuts, |wire, cuts| response(wire, cuts, head, decode, &limits));
    let Ok(heard) = heard else { return };
    if head || matches!(heard.status, 204 | 304) {
        assert!(heard.body.is_empty());
    }
    // What follows a response that leaves its connection usable is no part of it.
    if heard.kept {
        assert_eq!(response(&wire[..heard.used], WHOLE, head, decode, &limits), Ok(heard.clone()));
    }
    if let (Some(length), false, true) = (heard.length, decode || head, heard.status != 204 && heard.status != 304) {
        assert_eq!(heard.body.len() as u64, length);
    }
});
