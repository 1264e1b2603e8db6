use super::*;
use crate::event::Finished;
use crate::site::testing::{ALICE, Bench, conn, response, text, words};

/// The time that is slept for this value of `seconds`, or the refusal.
fn sleep(seconds: &str) -> Result<Duration, String> {
    let mut bench = Bench::new();
    let out = bench.ask(conn(0), &format!("GET /sleep{seconds}"), &[]);
    match &out.list[..] {
        [Effect::Sleep(id, until)] if *id == conn(0) => Ok(*until - bench.now.instant),
        _ => {
            assert_eq!((response(&out).status, bench.pending()), (400, 0));
            Err(text(response(&out)).to_owned())
        }
    }
}

#[test]
fn a_sleep_takes_0_to_60_seconds_10_by_default() {
    assert_eq!(sleep(""), Ok(Duration::from_secs(10)));
    assert_eq!(sleep("?seconds=0"), Ok(Duration::ZERO));
    assert_eq!(sleep("?seconds=-0"), Ok(Duration::ZERO));
    assert_eq!(sleep("?seconds=0.25"), Ok(Duration::from_millis(250)));
    assert_eq!(sleep("?seconds=60"), Ok(Duration::from_secs(60)));
    for bad in ["", "x", "-1", "60.1", "NaN", "inf", "1e300", "1,5", "0x1"] {
        let refusal = Err("seconds must be a number from 0 to 60.\n".to_owned());
        assert_eq!(sleep(&format!("?seconds={bad}")), refusal, "{bad:?}");
    }
}

#[test]
fn a_delay_is_shown_as_it_was_slept() {
    for (asked, said) in
        [("-0", "0"), ("-0.0", "0"), ("0", "0"), ("1e-300", "0"), ("0.1", "0.1"), ("1e1", "10"), ("+2", "2")]
    {
        let mut bench = Bench::new();
        bench.ask(conn(0), &format!("GET /sleep?seconds={}", asked.replace('+', "%2B")), &[]);
        let out = bench.woke(conn(0));
        assert!(
            text(response(&out)).contains(&format!("Slept {said} s on a timer")),
            "{asked}: {}",
            text(response(&out))
        );
    }
}

#[test]
fn after_a_sleep_the_page_has_the_users_name_and_language() {
    let mut bench = Bench::new();
    bench.ask(conn(0), "GET /sleep?seconds=1.5", &["Accept-Language: zh", ALICE]);
    bench.ask(conn(1), "GET /sleep?seconds=3", &[]);
    bench.later(Duration::from_millis(1500));
    let out = bench.woke(conn(0));
    assert_eq!(response(&out).status, 200);
    assert!(text(response(&out)).contains("睡了 1.5 秒") && text(response(&out)).contains("alice"));
    assert!(bench.woke(conn(0)).list.is_empty(), "once");
    bench.left(conn(1));
    assert!(bench.woke(conn(1)).list.is_empty(), "the connection has ended");
    assert!(bench.pending() == 0);
}

#[test]
fn a_block_takes_0_to_10_seconds_of_the_loop() {
    let mut bench = Bench::with(|settings| settings.lab = true);
    for (seconds, time) in [("", 3.0), ("?seconds=0.5", 0.5), ("?seconds=10", 10.0)] {
        let out = bench.ask(conn(0), &format!("GET /block{seconds}"), &[]);
        assert_eq!(out.list, [Effect::RunBlocking(conn(0), Blocking::Sleep(Duration::from_secs_f64(time)))]);
        let out = bench.finished(conn(0), Finished::Blocked);
        assert!(text(response(&out)).contains(&format!("Blocked the loop for {time} s. Everybody waited.")));
        assert!(!text(response(&out)).contains("Nobody else noticed"));
    }
    let out = bench.ask(conn(0), "GET /block?seconds=10.1", &[]);
    assert_eq!(out.list, [Effect::Respond(conn(0), words(400, "seconds must be a number from 0 to 10.\n"))]);
    assert!(bench.pending() == 0);
}
