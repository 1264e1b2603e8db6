use super::*;
use crate::feed::Feed;
use crate::net::listeners::Service;
use crate::testing::network::{FakeStream, Pipe, READABLE, WRITABLE};
use std::cell::RefCell;
use std::rc::Rc;

const FIN: Ready = Ready { input: Edge::ReadClosed, writable: false, broken: false };

fn connection(pipe: Pipe) -> Connection<FakeStream> {
    Connection::new(Some(FakeStream(Rc::new(RefCell::new(pipe)))), Protocol::Http(Http::new(Service::Site, None)))
}

/// A readable connection whose reads return these, and then would block. No bytes: the peer has sent FIN.
fn reading(input: Vec<io::Result<&str>>) -> Connection<FakeStream> {
    let mut pipe = Pipe::default();
    for read in input {
        pipe.say(*read.as_ref().unwrap_or(&""));
        pipe.peer_fin |= matches!(read, Ok(""));
        pipe.read_script.push_back(read.map(str::len));
    }
    let mut conn = connection(pipe);
    conn.note(READABLE);
    conn
}

/// A connection whose writes take these lengths at most, one after the other.
fn writing(script: Vec<io::Result<usize>>) -> Connection<FakeStream> {
    connection(Pipe { write_script: script.into(), ..Pipe::roomy() })
}

fn would_block<T>() -> io::Result<T> {
    Err(ErrorKind::WouldBlock.into())
}

fn interrupted<T>() -> io::Result<T> {
    Err(ErrorKind::Interrupted.into())
}

/// Fills a buffer of 8 bytes; gives what it then holds, and how many of them are new.
fn fill(conn: &mut Connection<FakeStream>) -> (String, usize) {
    let mut shared = [0; 8];
    let Filled { end, fresh } = conn.fill(&mut shared, 8).expect("a living socket");
    (String::from_utf8_lossy(&shared[..end]).into_owned(), fresh)
}

fn filled(text: &str, fresh: usize) -> (String, usize) {
    (text.to_owned(), fresh)
}

fn output(conn: &Connection<FakeStream>) -> String {
    let stream = conn.stream.as_ref().expect("a stream");
    String::from_utf8(stream.0.borrow().heard()).expect("text")
}

#[test]
fn a_connection_is_small() {
    /// As large as the kernel's stream: mio's TcpStream has 12 bytes of debug assertions that the release has not.
    #[expect(dead_code, reason = "only its size counts")]
    enum Wire {
        Plain(std::net::TcpStream),
        Tls(Box<u64>),
    }
    let bytes = size_of::<Connection<Wire>>();
    assert!(bytes <= 176, "{bytes} bytes");
    if !cfg!(debug_assertions) && cfg!(feature = "tls") {
        assert_eq!(bytes, size_of::<Connection<crate::net::wire::Wire>>());
    }
}

#[test]
fn a_short_read_means_that_the_socket_is_drained() {
    let mut conn = reading(vec![Ok("hello"), Ok("not asked for")]);
    assert_eq!(fill(&mut conn), filled("hello", 5));
    assert!(conn.input == Input::Drained && !conn.has_input());
    assert_eq!(fill(&mut conn), filled("", 0), "until the next edge nothing is read");
    conn.note(READABLE);
    assert_eq!(fill(&mut conn), filled("not aske", 8));
}

#[test]
fn a_full_buffer_means_that_there_may_be_more() {
    let mut conn = reading(vec![Ok("12345678")]);
    assert_eq!(fill(&mut conn), filled("12345678", 8));
    assert!(conn.input == Input::Readable && conn.has_input());
    assert_eq!(fill(&mut conn), filled("", 0));
    assert!(conn.input == Input::Drained, "it would have blocked");
}

#[test]
fn behind_data_that_came_with_a_fin_is_the_end_of_input() {
    let mut conn = reading(vec![Ok("bye"), Ok("")]);
    conn.note(FIN);
    assert_eq!(fill(&mut conn), filled("bye", 3));
    assert!(conn.has_input() && conn.input == Input::Ending, "the short read was not the end");
    assert_eq!(fill(&mut conn), filled("", 0));
    assert!(conn.input == Input::Ended && !conn.has_input());
    conn.note(READABLE);
    assert_eq!((fill(&mut conn), conn.has_input()), (filled("", 0), false), "an end is the end");
}

#[test]
fn the_end_of_input_is_seen_also_without_its_event() {
    let mut conn = reading(vec![Ok("")]);
    assert_eq!(fill(&mut conn), filled("", 0));
    assert!(conn.input == Input::Ended);
}

#[test]
fn kept_bytes_come_first_and_are_given_back() {
    let mut conn = reading(vec![Ok("lo world")]);
    conn.kept = b"hel".to_vec();
    assert_eq!(fill(&mut conn), filled("hello wo", 5));
    assert_eq!((conn.kept.capacity(), conn.unparsed, conn.input), (0, false, Input::Readable));
}

#[test]
fn whole_kept_messages_come_before_a_reset() {
    let mut conn = reading(vec![Err(ErrorKind::ConnectionReset.into())]);
    conn.kept = b"message".to_vec();
    conn.unparsed = true;
    assert_eq!(fill(&mut conn), filled("message", 0));
    assert!(conn.fill(&mut [0; 8], 8).is_err(), "the reset comes behind them");
}

#[test]
fn a_buffer_full_of_kept_bytes_is_not_the_end_of_input() {
    let mut conn = reading(vec![Ok("more")]);
    conn.kept = b"12345678".to_vec();
    assert_eq!(fill(&mut conn), filled("12345678", 0));
    assert!(conn.input == Input::Readable);
}

#[test]
fn kept_bytes_are_input_only_if_unparsed() {
    let mut conn = writing(vec![]);
    conn.kept = b"GET / HT".to_vec();
    assert!(!conn.has_input(), "the rest has to come first");
    conn.unparsed = true;
    assert!(conn.has_input());
    assert_eq!(fill(&mut conn), filled("GET / HT", 0), "without a read: nothing was noted");
}

#[test]
fn an_interrupted_read_is_repeated_and_an_error_is_passed_on() {
    let mut conn = reading(vec![interrupted(), interrupted(), Ok("hello"), Err(ErrorKind::ConnectionReset.into())]);
    assert_eq!(fill(&mut conn), filled("hello", 5));
    conn.note(READABLE);
    assert_eq!(conn.fill(&mut [0; 8], 8).unwrap_err().kind(), ErrorKind::ConnectionReset);
}

#[test]
fn what_the_kernel_said_is_remembered() {
    let mut conn = writing(vec![]);
    conn.writable = false;
    conn.note(Ready { broken: true, ..Ready::default() });
    conn.note(Ready::default());
    assert!(
        conn.broken && conn.input == Input::Readable && conn.writable,
        "the next read or write tells what is the matter"
    );
    let mut conn = writing(vec![]);
    conn.note(Ready { input: Edge::ReadClosed, ..Ready::default() });
    assert!(conn.input == Input::Ending && !conn.broken);
}

#[test]
fn what_the_socket_does_not_take_waits_for_it_to_be_writable() {
    let mut conn = writing(vec![Ok(3), Ok(4), Ok(100)]);
    conn.send(b"hello ").unwrap();
    assert_eq!((&*output(&conn), conn.outbox.unsent(), conn.writable), ("hel", 3, false));
    conn.send(b"world").unwrap();
    conn.flush(100).unwrap();
    assert_eq!((&*output(&conn), conn.outbox.unsent(), conn.held() >= 8), ("hel", 8, true), "no write without an edge");
    conn.note(WRITABLE);
    conn.flush(100).unwrap();
    assert_eq!((&*output(&conn), conn.outbox.unsent(), conn.writable), ("hello w", 4, false));
    conn.note(WRITABLE);
    conn.flush(100).unwrap();
    assert_eq!((&*output(&conn), conn.outbox.unsent(), conn.writable), ("hello world", 0, true));
    assert_eq!(conn.held(), 0);
}

#[test]
fn output_behind_a_waiting_rest_keeps_its_order() {
    let mut conn = writing(vec![Ok(1), Ok(100), Ok(100)]);
    conn.send(b"first ").unwrap();
    conn.note(WRITABLE);
    conn.send(b"second").unwrap();
    assert_eq!((&*output(&conn), conn.outbox.unsent()), ("f", 11));
    conn.flush(100).unwrap();
    conn.send(b" third").unwrap();
    assert_eq!((&*output(&conn), conn.outbox.unsent()), ("first second third", 0));
}

#[test]
fn a_flush_ends_where_its_budget_does() {
    let mut conn = writing(vec![would_block(), Ok(100), Ok(100)]);
    conn.send(b"hello world").unwrap();
    conn.note(WRITABLE);
    conn.flush(5).unwrap();
    assert_eq!((&*output(&conn), conn.outbox.unsent(), conn.has_output()), ("hello", 6, true));
    conn.flush(100).unwrap();
    assert_eq!((&*output(&conn), conn.is_flushed(), conn.has_output()), ("hello world", true, false));
}

#[test]
fn a_flush_ends_where_the_socket_would_block() {
    let mut conn = writing(vec![would_block(), interrupted(), Ok(2), would_block()]);
    conn.send(b"hello").unwrap();
    assert_eq!((&*output(&conn), conn.writable), ("", false));
    conn.note(WRITABLE);
    conn.flush(100).unwrap();
    assert_eq!((&*output(&conn), conn.outbox.unsent(), conn.writable), ("he", 3, false));
}

#[test]
fn an_interrupted_write_is_repeated_and_an_error_is_passed_on() {
    let mut conn = writing(vec![interrupted(), Ok(100), Err(ErrorKind::BrokenPipe.into())]);
    conn.send(b"hello").unwrap();
    assert_eq!(output(&conn), "hello");
    assert_eq!(conn.send(b"x").unwrap_err().kind(), ErrorKind::BrokenPipe);
    let mut conn = writing(vec![Ok(1), Err(ErrorKind::ConnectionReset.into())]);
    conn.send(b"hello").unwrap();
    conn.note(WRITABLE);
    assert_eq!(conn.flush(100).unwrap_err().kind(), ErrorKind::ConnectionReset);
}

#[test]
fn an_upstream_without_a_stream_has_nothing_to_read_or_write() {
    let mut conn: Connection<FakeStream> = Connection::new(None, Protocol::Discarding(0));
    conn.note(READABLE);
    assert_eq!(conn.fill(&mut [0; 8], 8).unwrap(), Filled { end: 0, fresh: 0 });
    conn.outbox.push(b"GET / HTTP/1.1\r\n\r\n");
    conn.flush(100).unwrap();
    assert_eq!(conn.outbox.unsent(), 18);
}

#[test]
fn a_member_that_takes_nothing_is_not_read_from() {
    let (mut feed, mut conn) = (Feed::new(), writing(vec![]));
    let mut lane = Lane::new(feed.join());
    lane.send(&feed, b"12345678".to_vec());
    conn.protocol = Protocol::Ws(Box::new(Ws::new(100, None, std::time::Instant::now())));
    conn.subscription = Some(Subscription { feed: FeedId(0), encoding: Encoding::Frames, index: 0, lane });
    let wants_input = |high_water| conn.wants_input(0, &Limits { high_water, ..Limits::default() });
    assert!(wants_input(9) && !wants_input(8));
    assert_eq!(conn.held(), 8);
}
