//! What an idle connection of https costs.

use super::{Secure, child, connect, connect_as, serves};
use crate::support::frames::{BINARY, frame};
use crate::support::tls_client::{any_client, certified, open};
use squall::config::Limits;
use std::io::Write;

/// The program's memory, for one of its idle connections; generous, for an allocator rounds up.
const IDLE_BYTES_MAX: usize = 16 << 10;
const CONNECTIONS: usize = 1000;

#[test]
fn an_idle_connection_holds_little_memory() {
    let open_files = rlimit::increase_nofile_limit(u64::MAX).expect("a limit");
    assert!(open_files > CONNECTIONS as u64 + 200, "only {open_files} open files");
    let files = certified();
    let child = child(&files, &["--keep-alive", "3600"]);
    let config = any_client();
    // What the first ones cost is the program's own: code and buffers that all share.
    let mut clients: Vec<_> = (0..20).map(|_| connect_as(child.address, &config)).collect();
    clients.iter_mut().for_each(serves);
    let before = child.status("VmRSS");
    for _ in 0..CONNECTIONS {
        let mut client = connect_as(child.address, &config);
        serves(&mut client);
        clients.push(client);
    }
    let each = child.status("VmRSS").saturating_sub(before) * 1024 / CONNECTIONS;
    println!("an idle connection of https: {each} bytes");
    assert!(each <= IDLE_BYTES_MAX, "{each} bytes");
}

#[test]
fn a_record_that_is_not_whole_is_booked_and_given_back() {
    let site = Secure::with_defaults();
    let mut client = connect(site.address);
    serves(&mut client);
    let mut record = vec![];
    let request = format!("GET /plaintext HTTP/1.1\r\nHost: squall\r\nA: {}\r\n\r\n", "x".repeat(12_000));
    client.stream.conn.writer().write_all(request.as_bytes()).unwrap();
    client.stream.conn.write_tls(&mut record).unwrap();
    let (begin, end) = record.split_at(record.len() - 1);
    client.stream.sock.write_all(begin).unwrap();
    site.wait_until("the record", |c| c.booked >= 12_000);
    client.stream.sock.write_all(end).unwrap();
    assert_eq!(client.response().status, 200);
    site.wait_until("an idle connection", |c| c.booked == 0 && c.connections == 1);
}

#[test]
fn the_budget_of_all_buffers_counts_ciphertext_too() {
    let site = Secure::start(Limits::default(), &["--buffer-max", "300000"]);
    let mut bystander = connect(site.address);
    serves(&mut bystander);
    let mut deaf: Vec<_> = (0..4).map(|_| open(site.address, "/echo", "")).collect();
    for echo in &mut deaf {
        // The server may close it while it is still speaking.
        let message = frame(BINARY, vec![7; 200_000]);
        let _ = (0..40).try_for_each(|_| echo.client.stream.write_all(&message));
        assert!(site.counts().booked <= 600_000, "{:?}", site.counts());
    }
    site.wait_until("a connection to be closed", |c| c.connections < 5);
    drop(deaf);
    serves(&mut bystander);
    site.wait_until("nothing", |c| c.booked == 0);
}
