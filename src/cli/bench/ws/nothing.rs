//! Why nothing has succeeded in a run with `--ws`, and what to look at.

use super::plan::Plan;
use super::results::Results;
use crate::config::bench_args::WsMode;

/// One line about a run in which nothing has succeeded.
pub fn why(plan: &Plan, results: &Results) -> String {
    if results.opened == 0 || plan.mode == WsMode::Idle {
        return format!("no connection opened{}", cause(plan, results));
    }
    let closed = match results.ends.total() {
        0 => String::new(),
        count => format!(", and {count} of {} connections were closed", results.opened),
    };
    match plan.mode {
        WsMode::Echo => format!("no message came back{closed}: does the path send each message back?"),
        WsMode::Fanout => format!("no message was delivered{closed}: does the path send each message to all?"),
        WsMode::Idle | WsMode::Storm => format!("no connection came back{}", cause(plan, results)),
    }
}

/// The first failure, as the end of a sentence.
fn cause(plan: &Plan, results: &Results) -> String {
    let Some(first) = &results.first_failure else { return " before the run ended".into() };
    let said = first.to_string();
    // The number is in the report.
    let said = said.split(" (os error ").next().unwrap_or_default();
    let question = first.question(plan.login.is_some()).map(|question| format!(": {question}"));
    format!(": {said}{}", question.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::bench::ws::opening::{HANDSHAKE, Trouble};
    use crate::cli::bench::ws::results::End;
    use crate::cli::bench::ws::testing::planned;
    use std::io;

    fn said(flags: &str, opened: usize, trouble: Option<Trouble>) -> String {
        let plan = planned(&format!("{flags} ws://127.0.0.1:9/")).expect("a plan");
        let mut results = Results::new();
        results.opened = opened;
        trouble.into_iter().for_each(|trouble| results.not_opened(trouble));
        why(&plan, &results)
    }

    #[test]
    fn the_first_cause_is_said_and_what_to_look_at() {
        let refused = Trouble::connecting(&io::Error::from_raw_os_error(libc::ECONNREFUSED));
        let login = "--ws idle --login http://127.0.0.1:9/login";
        for (flags, trouble, says) in [
            ("--ws echo", refused, "Connection refused: is the server there?"),
            ("--ws idle", Trouble::Refused(401), "the server refuses with status 401: does it need --login?"),
            (login, Trouble::Refused(401), "the server refuses with status 401"),
            ("--ws echo", Trouble::Refused(200), "the server refuses with status 200: is the path a WebSocket?"),
            ("--ws echo", Trouble::Refused(503), "the server refuses with status 503"),
            ("--ws echo", Trouble::Failed(HANDSHAKE, "it is odd".into()), "it is odd"),
        ] {
            assert_eq!(said(flags, 0, Some(trouble)), format!("no connection opened: {says}"));
        }
        assert_eq!(said("--ws idle", 0, None), "no connection opened before the run ended");
    }

    #[test]
    fn connections_that_opened_have_achieved_nothing() {
        for (mode, says) in [
            ("echo", "no message came back: does the path send each message back?"),
            ("fanout", "no message was delivered: does the path send each message to all?"),
            ("storm", "no connection came back: the server refuses with status 503"),
        ] {
            assert_eq!(said(&format!("--ws {mode}"), 3, Some(Trouble::Refused(503))), says);
        }
        let (plan, mut results) = (planned("--ws echo ws://127.0.0.1:9/").expect("a plan"), Results::new());
        results.opened = 3;
        results.ends.note(End::Reset);
        assert!(why(&plan, &results).starts_with("no message came back, and 1 of 3 connections were closed: "));
    }
}
