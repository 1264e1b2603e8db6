use super::*;
use std::sync::mpsc::channel;

#[test]
fn this_file_is_short_enough_to_read() {
    let lines = include_str!("../models.rs").lines().count();
    assert!(lines <= 250, "{lines} lines");
}

#[test]
fn at_most_so_many_workers_are_there_at_once() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("a port");
    let (tell, told) = channel();
    // It never returns, so it ends with the tests.
    thread::spawn(move || {
        let start = |socket: TcpStream| {
            let (end, over) = channel::<()>();
            _ = tell.send(end);
            thread::Builder::new().spawn(move || drop((over.recv(), socket)))
        };
        start_for_each(&listener, 2, start, |thread| thread.is_finished())
    });
    let _clients = [(); 3].map(|()| TcpStream::connect(address).expect("there is room in the backlog"));
    let [first, _second] = [(); 2].map(|()| told.recv_timeout(PATIENCE).expect("a worker"));
    assert!(told.recv_timeout(Duration::from_millis(50)).is_err(), "a third worker");
    drop(first);
    assert!(told.recv_timeout(PATIENCE).is_ok(), "the first one has ended");
}
