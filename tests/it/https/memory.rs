//! What an idle connection of https costs.

use super::{child, connect_as, serves};
use crate::support::tls_client::{any_client, certified};

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
