//! What operators do, on a server that is killed and started again.

use super::v1::Member;
use crate::support::child::PROGRAM;
use crate::support::{Child, Client, Dir, login};
use serde_json::Value;
use std::net::SocketAddr;
use std::process::Command;

/// A data directory with an operator called `op`, and its cookies.
struct House {
    data: Dir,
    op: String,
}

impl House {
    fn new() -> House {
        let data = Dir::new();
        data.write("cookie-secret", "a secret of many bytes");
        // The hash is that of no known password: a script needs none.
        data.write("operators", "op:$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHQ$AAAAAAAAAAAAAAAAAAAAAA\n");
        let mut command = Command::new(PROGRAM);
        let made = command.args(["cookie", "op", "--operator", "--data-dir", data.arg()]).output().expect("it runs");
        let op = String::from_utf8(made.stdout).expect("text").trim_end().to_owned();
        assert!(made.status.success() && op.contains("operator="), "{op}");
        House { data, op }
    }

    fn serve(&self) -> Child {
        let operators = self.data.path().join("operators");
        let mut command = Command::new(PROGRAM);
        command.args(["--listen", "127.0.0.1:0", "--data-dir", self.data.arg(), "--message-rate", "0"]);
        command.arg("--operators-file").arg(operators);
        Child::run(command, Dir::new(), 1)
    }
}

/// The next frame of this type.
#[track_caller]
fn heard_as(member: &mut Member, kind: &str) -> Value {
    loop {
        let frame = member.heard();
        if frame["type"] == kind {
            return frame;
        }
    }
}

fn enter(address: SocketAddr, cookie: &str) -> (Member, Value) {
    let mut member = Member::open(address, cookie, "");
    let welcome = heard_as(&mut member, "welcome");
    (member, welcome)
}

/// The status of a handshake, and of a page of the history.
fn statuses(address: SocketAddr, cookie: &str) -> [u16; 2] {
    let upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                   Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n";
    [("/chat/", upgrade), ("/api/rooms/lobby/messages", "")].map(|(path, fields)| {
        let line = format!("GET {path} HTTP/1.1\r\nHost: squall\r\nCookie: {cookie}\r\n{fields}\r\n");
        Client::connect(address).ask(line).status
    })
}

#[test]
fn what_operators_have_done_counts_at_once_and_after_a_kill() {
    let house = House::new();
    let child = house.serve();
    let [bob_cookie, cid_cookie] = ["bob", "cid"].map(|name| login(child.address, name));
    let (mut op, welcome) = enter(child.address, &house.op);
    assert_eq!(welcome["operator"], true);
    let (mut bob, welcome) = enter(child.address, &bob_cookie);
    assert_eq!(welcome["operator"], false);
    let (mut cid, _) = enter(child.address, &cid_cookie);
    bob.say("hello", 1);
    assert_eq!(heard_as(&mut op, "message")["text"], "hello");
    bob.command("/ban op 1h", 2);
    assert_eq!(heard_as(&mut bob, "error")["code"], "not_operator");
    for (n, command) in ["/mute cid 1h", "/lock", "/clear bob", "/ban bob ever"].into_iter().enumerate() {
        op.command(command, 10 + n as u32);
        let result = heard_as(&mut op, "result");
        assert!(result["text"].as_str().is_some_and(|text| text.contains("op in lobby: ")), "{result}");
    }
    assert_eq!(heard_as(&mut cid, "settings")["locked"], true);
    assert_eq!(heard_as(&mut bob, "cleared")["user"], "bob");
    assert_eq!(heard_as(&mut bob, "error")["code"], "banned");
    // At once: the child is killed with SIGKILL when it is dropped.
    drop(child);
    let child = house.serve();
    assert_eq!(statuses(child.address, &bob_cookie), [403, 403]);
    let (mut cid, welcome) = enter(child.address, &cid_cookie);
    assert_eq!(welcome["settings"]["locked"], true);
    assert_eq!(welcome["history"][0]["deleted"], true);
    cid.say("may I?", 3);
    assert_eq!(heard_as(&mut cid, "error")["code"], "muted");
    let (mut op, _) = enter(child.address, &house.op);
    for (n, command) in ["/unmute cid", "/unlock", "/unban bob"].into_iter().enumerate() {
        op.command(command, 20 + n as u32);
        heard_as(&mut op, "result");
    }
    cid.say("thanks", 4);
    assert_eq!(heard_as(&mut cid, "message")["text"], "thanks");
    assert_eq!(statuses(child.address, &bob_cookie), [101, 200]);
    op.command("/log", 30);
    let log = heard_as(&mut op, "result");
    assert_eq!(log["lines"].as_array().map(Vec::len), Some(7), "{log}");
}

#[test]
fn a_freed_name_goes_to_the_next_that_asks() {
    let house = House::new();
    let child = house.serve();
    let bob_cookie = login(child.address, "bob");
    let (mut op, _) = enter(child.address, &house.op);
    let form = "POST /login HTTP/1.1\r\nHost: squall\r\nContent-Length: 12\r\n\r\nusername=bob";
    assert_eq!(Client::connect(child.address).ask(form).status, 409);
    // A cookie is signed in a whole second, and the one of the next owner must be a later one.
    std::thread::sleep(std::time::Duration::from_millis(1100));
    op.command("/free bob", 1);
    heard_as(&mut op, "result");
    assert_eq!(statuses(child.address, &bob_cookie), [401, 401]);
    assert_eq!(Client::connect(child.address).ask(form).status, 303);
}
