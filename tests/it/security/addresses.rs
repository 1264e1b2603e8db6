//! The address of a client: who may say it, and what is limited by it.

use super::{ask, post};
use crate::support::client::post_login;
use crate::support::{Child, Client, Response, Site, login, wait_for};
use squall::config::Limits;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};

/// Two logins, two entrances and no more for a long time.
fn tight() -> Limits {
    Limits {
        address_login_rate: 0.001,
        address_login_burst: 2.0,
        address_entrance_rate: 0.001,
        address_entrance_burst: 2.0,
        ..Limits::default()
    }
}

/// A login under a name that no other has, as if these addresses had passed it on.
#[track_caller]
fn log_in(site: &Site, addresses: &str) -> Response {
    static LOGINS: AtomicU32 = AtomicU32::new(0);
    let name = format!("guest {}", LOGINS.fetch_add(1, SeqCst));
    post_login(site.address, &name, &from(addresses))
}

fn from(addresses: &str) -> String {
    format!("X-Forwarded-For: {addresses}\r\n")
}

#[track_caller]
fn enter(site: &Site, cookie: &str, fields: &str) -> Response {
    let fields = format!(
        "Cookie: {cookie}\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{fields}"
    );
    let head = format!("GET /chat/ HTTP/1.1\r\nHost: squall\r\nConnection: Upgrade\r\n{fields}\r\n");
    let mut client = Client::connect(site.address);
    client.send(head);
    client.head()
}

#[track_caller]
fn is_too_many(response: &Response) {
    assert_eq!(response.status, 429, "{}", response.text());
    assert!(response.field("retry-after").is_some_and(|seconds| seconds.parse::<u64>().is_ok_and(|n| n > 0)));
}

#[test]
fn each_client_behind_a_trusted_proxy_has_its_own_limits() {
    let site = Site::start(tight(), &["--trusted-proxy", "10.0.0.0/8,127.0.0.0/8"]);
    let log_in = |addresses| log_in(&site, addresses);
    assert_eq!([log_in("192.0.2.1").status, log_in("192.0.2.1, 10.1.2.3").status], [303; 2]);
    // What it writes itself is left of what the proxy has added.
    for addresses in ["192.0.2.1", "192.0.2.9, 192.0.2.1", "127.0.0.1,192.0.2.1:4711"] {
        is_too_many(&log_in(addresses));
    }
    assert_eq!(log_in("192.0.2.2").status, 303);
    // All of a /64 of IPv6 is one.
    assert_eq!([log_in("2001:db8::1").status, log_in("[2001:db8::2]:80").status], [303; 2]);
    is_too_many(&log_in("2001:db8::3"));
    let cookie = login(site.address, "ann");
    for client in ["192.0.2.1", "192.0.2.2"] {
        let seats = [enter(&site, &cookie, &from(client)), enter(&site, &cookie, &from(client))];
        assert_eq!(seats.map(|seat| seat.status), [101; 2], "{client}");
        is_too_many(&enter(&site, &cookie, &from(client)));
        let fields = format!("Cookie: {cookie}\r\n{}", from(client));
        is_too_many(&ask(site.address, "GET /api/rooms/lobby/events", &fields));
        let mut follower = Client::connect(site.address);
        follower.send(format!("HEAD /api/rooms/lobby/events HTTP/1.1\r\nHost: squall\r\n{fields}\r\n"));
        assert_eq!(follower.head().status, 200, "it follows nothing");
    }
}

#[test]
fn an_untrusted_peer_has_its_own_address_only() {
    // The loopback address, which has no limit of logins and entrances.
    let site = Site::start(tight(), &["--trusted-proxy", "10.0.0.0/8"]);
    let cookie = login(site.address, "ann");
    for _ in 0..5 {
        assert_eq!(log_in(&site, "192.0.2.1").status, 303);
        assert_eq!(enter(&site, &cookie, &from("192.0.2.1")).status, 101);
    }
}

#[test]
fn a_factor_of_zero_ends_the_limits_of_addresses() {
    let site = Site::start(tight(), &["--trusted-proxy", "127.0.0.1", "--address-rate", "0"]);
    for _ in 0..5 {
        assert_eq!(log_in(&site, "192.0.2.1").status, 303);
    }
}

#[test]
fn names_at_one_address_share_its_messages() {
    let limits = Limits { message_burst: 2.0, address_names: 1.5, ..Limits::default() };
    let site = Site::start(limits, &["--message-rate", "0.001", "--trusted-proxy", "127.0.0.1"]);
    let say = |name: &str, client: &str| {
        let fields = format!(
            "Cookie: {}\r\nContent-Type: application/x-www-form-urlencoded\r\n{}",
            login(site.address, name),
            from(client)
        );
        post(site.address, "/api/rooms/lobby/messages", &fields, "text=hi")
    };
    assert_eq!([say("ann", "192.0.2.1").status, say("ann", "192.0.2.1").status], [201; 2]);
    is_too_many(&say("ann", "192.0.2.2"));
    assert_eq!(say("bob", "192.0.2.1").status, 201);
    is_too_many(&say("bob", "192.0.2.1"));
    assert_eq!(say("cid", "192.0.2.2").status, 201);
}

#[test]
fn the_access_log_has_the_address_of_the_client() {
    let line = |flags: &[&str]| {
        let site = Child::start(&[&["--access-log", "-"], flags].concat(), &[]);
        let response = ask(site.address, "GET /plaintext", &from("127.0.0.1, 2001:db8::7"));
        assert_eq!(response.status, 200);
        wait_for("its line", || site.stderr().lines().find(|line| line.contains("/plaintext")).map(str::to_owned))
    };
    let trusting = line(&["--trusted-proxy", "127.0.0.1"]);
    assert!(trusting.starts_with("2001:db8::7 - - ["), "{trusting}");
    let plain = line(&[]);
    assert!(plain.starts_with("127.0.0.1 - - ["), "{plain}");
}

#[cfg(feature = "history")]
#[test]
fn a_ban_finds_its_address_behind_a_proxy() {
    use crate::support::{Dir, child::PROGRAM};
    use clap::Parser;
    use squall::clock::UnixMillis;
    use squall::config::Cli;
    use squall::id::ConnId;
    use squall::store::acts::{Deed, Network, Whom};
    use squall::store::sqlite::{Sqlite, SqliteOptions};
    use squall::store::{Act, Command, Store, Until};
    let data = Dir::new();
    let options = SqliteOptions::of(&Cli::parse_from(["squall"]).serve.history);
    let mut store = Sqlite::open(data.path(), options, std::sync::Arc::new(|| {})).expect("an empty folder");
    let whom = Whom::Network(Network::parse("192.0.2.0/24").expect("a network"));
    let deed = Deed::Ban { whom, until: Until::Ever };
    let act = Act { at: UnixMillis::default(), by: "op".into(), room: "lobby".into(), deed };
    store.submit(ConnId::NONE, Command::Record { act, nonce: None });
    store.flush();
    drop(store);
    let mut command = std::process::Command::new(PROGRAM);
    command.args(["--listen", "127.0.0.1:0", "--data-dir", data.arg(), "--trusted-proxy", "127.0.0.1"]);
    let site = Child::run(command, data, 1);
    let page = |addresses| {
        let cookie = login(site.address, "ann");
        ask(site.address, "GET /chat/", &format!("Cookie: {cookie}\r\n{}", from(addresses))).status
    };
    wait_for("the ban to be in force", || (page("192.0.2.7") == 403).then_some(()));
    assert_eq!(page("198.51.100.7, 192.0.2.7"), 403);
    assert_eq!([page("192.0.2.7, 198.51.100.7"), page("192.0.3.7")], [200; 2]);
}
