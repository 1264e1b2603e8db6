//! What is said and heard: echoes, and rooms.

use super::*;
use crate::cli::bench::ws::stamp::STAMP_BYTES;

/// The server says to these members what the sender has said.
fn deliver(run: &mut Run, text: &str, to: &[usize]) {
    to.iter().for_each(|&n| run.say(n, text));
}

#[test]
fn an_echo_calls_for_the_next_message() {
    let mut run = Run::open("--ws echo --message-bytes 12 --in-flight 2");
    assert_eq!(run.heard(0), ["00000000----", "00000001----"]);
    run.later(2).say(0, "00000000----");
    assert_eq!(run.heard(0), ["00000002----"]);
    run.later(3);
    run.send(0, [frame(Opcode::Text, "00000001----"), frame(Opcode::Text, "00000002----")].concat());
    assert_eq!(run.heard(0), ["00000003----", "00000004----"]);
    run.later(10_000);
    deliver(&mut run, "00000003----", &[0]);
    assert!(run.heard(0).is_empty(), "the time is over");
    run.say(0, "00000004----");
    run.later(0);
    assert!(run.driver.is_over(run.now));
    let results = run.end();
    let times = &results.latency;
    assert_eq!((times.count(), times.min(), times.max()), (3, 2000, 5000), "those behind the end do not count");
    let counts = results.echo.expect("echoes");
    assert_eq!((counts.sent, counts.different, counts.lost, counts.under_way), (5, 0, 0, 0));
    assert_eq!((results.reads, results.full_reads, results.received_bytes), (2, 1, 3 * 14));
}

#[test]
fn what_was_to_be_said_on_a_connection_that_ends_is_said_on_no_other() {
    let mut run = Run::open("--ws echo -c 2 --message-bytes 8");
    assert_eq!([0, 1].map(|n| run.heard(n)), [["00000000"], ["00000000"]]);
    // The echo and the end come at once.
    run.pipe(0).borrow_mut().say(frame(Opcode::Text, "00000000"));
    run.pipe(0).borrow_mut().fin();
    run.report(0);
    run.say(1, "00000000");
    assert_eq!(run.heard(1), ["00000001"]);
    assert_eq!(run.end().ends.without_close, 1);
}

#[test]
fn what_is_not_the_echo_is_counted_and_what_does_not_come_is_lost() {
    let mut run = Run::open("--ws echo -c 2 --message-bytes 8");
    for (n, wrong) in ["hello", "00000001", "0000000000000000"].into_iter().enumerate() {
        run.say(0, wrong);
        run.send(0, frame(Opcode::Binary, "00000000"));
        assert_eq!(run.heard(0).len(), usize::from(n == 0), "only the first message was sent");
    }
    run.close(1, 1000);
    let results = run.end();
    let counts = results.echo.expect("echoes");
    assert_eq!((counts.different, counts.lost, counts.under_way), (6, 1, 1));
}

#[test]
fn what_the_server_says_unasked_is_no_wrong_echo() {
    let mut run = Run::new("--ws echo -c 2 --others 1 --message-bytes 8");
    run.accept(0);
    run.accept(1);
    run.say(1, "a greeting before the first message");
    run.accept(2);
    run.say(0, "news for one that does nothing");
    run.say(1, "00000000");
    let results = run.end();
    assert_eq!((results.echo.map(|counts| counts.different), results.latency.count()), (Some(0), 1));
}

#[test]
fn nothing_more_is_said_on_a_connection_that_ends_at_its_first_message() {
    let mut run = Run::new("--ws echo -c 2 --in-flight 2");
    run.accept(0);
    run.pipe(0).borrow_mut().reset(false);
    run.accept(1);
    let results = run.end();
    let counts = results.echo.expect("echoes");
    assert_eq!((counts.sent, counts.lost, counts.under_way, results.ends.resets), (3, 1, 2, 1));
}

#[test]
fn a_message_that_is_far_longer_than_what_was_said_breaks_the_rules() {
    for (flags, most) in [("echo --message-bytes 8", 8 + (64 << 10)), ("fanout", 64 + (64 << 10)), ("idle", 1 << 20)] {
        let mut run = Run::open(&format!("--ws {flags}"));
        run.say(0, &"-".repeat(most));
        run.heard(0);
        // The head of the frame is enough.
        run.send(0, &frame(Opcode::Text, "-".repeat(most + 1))[..10]);
        assert_eq!(run.heard(0), ["close 1009"], "{flags}");
        assert_eq!(run.end().ends.violations, 1);
    }
}

#[test]
fn an_echo_may_come_in_fragments_of_any_size() {
    let mut run = Run::open("--ws echo --message-bytes 200");
    let message = run.heard(0).remove(0);
    let wire = frame(Opcode::Text, &message);
    for byte in &wire {
        assert!(run.heard(0).is_empty());
        run.send(0, [*byte]);
    }
    assert_eq!(run.heard(0).len(), 1);
    let first = frame(Opcode::Text, "00000001")[1..].to_vec();
    let rest = frame(Opcode::Continuation, "-".repeat(192));
    run.send(0, [vec![0x01], first, frame(Opcode::Ping, "p"), rest].concat());
    assert_eq!(run.heard(0)[0], "pong p");
    assert_eq!(run.end().latency.count(), 2);
}

#[test]
fn a_warm_up_is_not_measured() {
    let mut run = Run::open("--ws echo --message-bytes 8 --warmup 1");
    run.later(500).say(0, "00000000");
    run.later(500);
    run.later(20).say(0, "00000001");
    let results = run.end();
    let times = &results.latency;
    assert_eq!((times.count(), times.max()), (1, 520_000));
    assert_eq!((results.took, results.sent), (Duration::from_secs(10), 1));
}

#[test]
fn a_message_reaches_every_member_and_its_sender_says_the_next() {
    let mut run = Run::open("--ws fanout -c 3");
    let said = run.heard(1).remove(0);
    assert!([0, 2].iter().all(|&n| run.heard(n).is_empty()), "the one in the middle speaks");
    assert!(said.len() == 64 && said.starts_with('@') && said.ends_with("---"), "{said}");
    run.say(0, "bench enter room");
    for (millis, n) in [(1, 0), (2, 1), (4, 2)] {
        run.later(millis).say(n, &format!("bench:{said}"));
    }
    let next = run.heard(1).remove(0);
    assert_eq!(next[STAMP_BYTES - 20..STAMP_BYTES - 12], *"00000001");
    deliver(&mut run, &next, &[0, 1, 2]);
    let last = run.heard(1).remove(0);
    run.later(10_000);
    deliver(&mut run, &last, &[0, 1, 2]);
    run.later(0);
    assert!(run.driver.is_over(run.now), "everything has come");
    let results = run.end();
    let room = results.room.expect("a room");
    assert_eq!((room.members, room.received, room.expected, room.foreign), (3, 9, 9, 1));
    let times = &results.latency;
    assert_eq!((times.count(), times.min(), times.max()), (6, 1000, 7000));
    assert_eq!((room.spread.count(), room.spread.max()), (2, 6000));
    assert_eq!((room.senders[0].said, room.senders[0].lost, room.disagreeing), (3, 0, 0));
    assert_eq!((results.sent, results.sent_bytes > 0), (2, true), "the first one came before the measured time");
}

#[test]
fn lost_doubled_and_late_messages_are_told_apart() {
    let mut run = Run::open("--ws fanout -c 4 --senders 2");
    let (one, other) = (run.heard(1).remove(0), run.heard(3).remove(0));
    deliver(&mut run, &one, &[1]);
    let second = run.heard(1).remove(0);
    for (n, heard) in [
        (0, [&one, &other, &second].as_slice()),
        (1, &[&other, &second]),
        (2, &[&other, &second, &one]),
        (3, &[&one, &one, &second]),
    ] {
        heard.iter().for_each(|text| run.say(n, text));
    }
    let results = run.end();
    let room = results.room.expect("a room");
    let counts = |n: usize| {
        let sender = room.senders[n];
        (sender.said, sender.lost, sender.doubled, sender.out_of_order)
    };
    // Sender 1 said a third message when its second came back, which no member has got.
    assert_eq!((counts(0), counts(1)), ((3, 4, 1, 1), (1, 1, 0, 0)));
    assert_eq!((room.received, room.expected, room.disagreeing), (11, 16, 1));
    assert_eq!(room.open.count(), 2);
}

#[test]
fn messages_of_another_run_do_not_count() {
    let mut run = Run::open("--ws fanout -c 1");
    let said = run.heard(0).remove(0);
    let other_run = said.replace(&said[1..7], if &said[1..7] == "000000" { "000001" } else { "000000" });
    let not_said = said.replacen("00000000", "00000001", 1);
    [other_run, not_said, "Ann:hello".into()].iter().for_each(|text| run.say(0, text));
    let room = run.end().room.expect("a room");
    assert_eq!((room.foreign, room.received, room.expected), (3, 0, 1));
}

#[test]
fn what_a_room_announces_is_counted_apart() {
    let mut run = Run::new("--ws fanout -c 2");
    run.accept(0);
    run.say(0, "Ann enter room");
    run.accept(1);
    run.say(0, "Bob enter room");
    assert_eq!(run.end().room.expect("a room").foreign, 2);
}

#[test]
fn what_others_hear_does_not_count_in_a_room() {
    let mut run = Run::new("--ws fanout -c 1 --others 1");
    run.accept(0);
    run.say(0, "news for one that does nothing");
    run.accept(1);
    assert_eq!(run.end().room.expect("a room").foreign, 0);
}

#[test]
fn a_message_from_a_file_has_its_stamp_where_it_says() {
    let dir = tempfile::tempdir().expect("a directory");
    for (text, begin, end) in
        [("{\"text\":\"{stamp}\"}", "{\"text\":\"@", "\"}"), ("Grüße", "@", "Grüße"), ("{stamp}", "@", "")]
    {
        let path = dir.path().join("message");
        std::fs::write(&path, text).expect("a file");
        let mut run = Run::open(&format!("--ws fanout --message {}", path.display()));
        let said = run.heard(0).remove(0);
        assert!(said.starts_with(begin) && said.ends_with(end), "{said}");
        run.say(0, &said);
        assert_eq!(run.heard(0).len(), 1, "it has come back");
    }
}

#[test]
fn a_slow_member_does_not_read_and_is_counted_apart() {
    let mut run = Run::open("--ws fanout -c 4 --slow 50");
    let (fast, slow) = ([0, 2], [1, 3]);
    let speaker = fast.into_iter().find(|&n| !run.pipe(n).borrow().heard().is_empty()).expect("one that reads speaks");
    let said = run.heard(speaker).remove(0);
    deliver(&mut run, &said, &[0, 1, 2, 3]);
    assert!(slow.iter().all(|&n| run.pipe(n).borrow().read == 0 || !run.pipe(n).borrow().to_server.is_empty()));
    run.close(1, 1013);
    run.pipe(3).borrow_mut().reset(true);
    run.report(3);
    let next = run.heard(speaker).remove(0);
    deliver(&mut run, &next, &fast);
    let last = run.heard(speaker).remove(0);
    run.later(10_000);
    deliver(&mut run, &last, &fast);
    let results = run.end();
    let room = results.room.expect("a room");
    assert_eq!((room.members, room.received, room.expected), (2, 6, 6));
    assert_eq!((results.ends.total(), results.slow_open), (0, 0));
    assert_eq!(results.slow_ends, Ends { codes: [(1013, 1)].into(), resets: 1, ..Ends::default() });
}

#[test]
fn a_slow_member_that_the_server_keeps_is_still_there() {
    let mut run = Run::open("--ws fanout -c 2 --slow 50");
    let speaker = usize::from(run.pipe(0).borrow().heard().is_empty());
    let said = run.heard(speaker).remove(0);
    deliver(&mut run, &said, &[0, 1]);
    let results = run.end();
    assert_eq!((results.slow_ends.total(), results.slow_open), (0, 1));
}

#[test]
fn a_member_that_is_cut_counts_against_reach() {
    let mut run = Run::open("--ws fanout -c 2");
    let said = run.heard(1).remove(0);
    run.say(1, &said);
    run.close(0, 1013);
    let next = run.heard(1).remove(0);
    run.later(10_000);
    run.say(1, &next);
    run.later(0);
    assert!(run.driver.is_over(run.now), "nothing more can come");
    let results = run.end();
    let room = results.room.expect("a room");
    assert_eq!((room.received, room.expected, results.ends.codes), (2, 4, [(1013, 1)].into()));
}

#[test]
fn a_message_on_its_way_when_a_member_leaves_has_no_last_member() {
    let mut run = Run::open("--ws fanout -c 3");
    let said = run.heard(1).remove(0);
    run.say(0, &said);
    run.close(0, 1001);
    run.later(5).say(1, &said);
    let next = run.heard(1).remove(0);
    run.later(7).say(2, &said);
    run.say(1, &next);
    run.later(3).say(2, &next);
    let spread = run.end().room.expect("a room").spread;
    assert_eq!((spread.count(), spread.max()), (1, 3000));
}

#[test]
fn a_schedule_is_kept_whether_messages_come_back_or_not() {
    let mut run = Run::open("--ws fanout -c 2 --senders 2 --rate 100");
    assert_eq!([run.heard(0), run.heard(1)], [vec![], Vec::<String>::new()], "each has its turn");
    let began = run.now;
    run.later(0);
    assert_eq!(run.driver.due(), Some(began + Duration::from_millis(10)));
    run.later(10).later(12);
    let (one, other) = (run.heard(0), run.heard(1));
    assert_eq!((one.len(), other.len()), (2, 1));
    let at = |text: &str| u64::from_str_radix(&text[21..STAMP_BYTES], 16).expect("digits");
    assert_eq!([&one[0], &other[0], &one[1]].map(|text| at(text)), [0, 10_000, 20_000], "when it was due");
    one.iter().chain(&other).for_each(|text| deliver(&mut run, text, &[0, 1]));
    // Their sockets take nothing more: messages that are due wait, and their clocks run.
    (0..2).for_each(|n| run.pipe(n).borrow_mut().room = 0);
    run.later(38).later(30);
    assert_eq!([0, 1].map(|n| run.heard(n).len()), [0, 0]);
    for n in 0..2 {
        run.pipe(n).borrow_mut().give_room(usize::MAX);
        run.report(n);
    }
    run.later(0);
    let times: Vec<u64> = (0..2).flat_map(|n| run.heard(n)).map(|text| at(&text) / 1000).collect();
    assert!((30..=90).step_by(10).all(|due| times.contains(&due)), "{times:?}");
    let results = run.end();
    let schedule = results.schedule.expect("a schedule");
    assert_eq!(schedule.uncorrected.count(), 6);
    assert_eq!(schedule.late.max(), 30_000, "messages that no socket took are not our fault");
    let said: u64 = results.room.expect("a room").senders.iter().map(|sender| u64::from(sender.said)).sum();
    assert_eq!(said + schedule.never_sent, 1000);
}

#[test]
fn a_loop_that_wakes_late_at_the_end_has_left_nothing_unsent() {
    let mut run = Run::open("--ws fanout -c 2 --rate 4 --duration 1");
    for millis in [0, 250, 250, 250, 251] {
        run.later(millis);
    }
    assert_eq!(run.end().schedule.map(|schedule| schedule.never_sent), Some(0));
}
