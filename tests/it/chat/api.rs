//! The chat over HTTP: rooms, pages of the history, events and messages of scripts.

use super::v1::Member;
use crate::support::{Client, Response, Site, login};
use serde_json::{Value, json};
use squall::config::Limits;

/// A request with the cookie of this name.
#[track_caller]
fn ask(site: &Site, name: &str, line: &str, fields: &str, body: &str) -> Response {
    Client::connect(site.address).ask(request(&login(site.address, name), line, fields, body))
}

fn request(cookie: &str, line: &str, fields: &str, body: &str) -> String {
    let length = body.len();
    format!("{line} HTTP/1.1\r\nHost: squall\r\nCookie: {cookie}\r\n{fields}Content-Length: {length}\r\n\r\n{body}")
}

#[track_caller]
fn get(site: &Site, path: &str) -> Value {
    let response = ask(site, "ann", &format!("GET {path}"), "", "");
    assert_eq!(response.status, 200, "{}", response.text());
    serde_json::from_str(&response.text()).expect("JSON")
}

#[track_caller]
fn post(site: &Site, text: &str) -> Response {
    let body = json!({ "text": text }).to_string();
    ask(site, "ann", "POST /api/rooms/lobby/messages", "Content-Type: application/json\r\n", &body)
}

#[test]
fn the_history_is_read_page_by_page() {
    let site = Site::start(Limits::default(), &["--message-rate", "0"]);
    for n in 1..=7 {
        assert_eq!(post(&site, &format!("message {n}")).status, 201);
    }
    let texts = |page: &Value| {
        let all = page["messages"].as_array().expect("a list");
        all.iter().map(|entry| entry["text"].as_str().expect("a text")[8..].to_owned()).collect::<Vec<_>>().join(" ")
    };
    let page = get(&site, "/api/rooms/lobby/messages?limit=3");
    assert_eq!((texts(&page), &page["oldest"]), ("5 6 7".into(), &json!(1)));
    assert_eq!(page["position"].as_str().and_then(|text| text.split('.').next()), Some("7"));
    assert_eq!(texts(&get(&site, "/api/rooms/lobby/messages?before=5&limit=3")), "2 3 4");
    assert_eq!(texts(&get(&site, "/api/rooms/lobby/messages?before=2")), "1");
    assert_eq!(texts(&get(&site, "/api/rooms/lobby/messages")), "1 2 3 4 5 6 7");
    let empty = get(&site, "/api/rooms/%E6%97%A5%E6%9C%AC/messages");
    assert_eq!(empty, json!({ "messages": [], "oldest": 0, "position": "0.0" }));
    for query in ["limit=0", "limit=201", "limit=x", "before=-1"] {
        let response = ask(&site, "ann", &format!("GET /api/rooms/lobby/messages?{query}"), "", "");
        assert_eq!(response.status, 400, "{query}");
    }
}

#[test]
fn messages_are_searched_for_step_by_step() {
    let site = Site::start(Limits::default(), &["--message-rate", "0"]);
    for text in ["one Harbour", "two", "明天的会议改到三点", "a_b 100%", "harbour \"two\""] {
        assert_eq!(post(&site, text).status, 201);
    }
    let form = "Content-Type: application/x-www-form-urlencoded\r\n";
    assert_eq!(ask(&site, "bob", "POST /api/rooms/lobby/messages", form, "text=gone+harbour").status, 201);
    let mut bob = Member::open(site.address, &login(site.address, "bob"), "");
    assert_eq!(bob.heard()["type"], "welcome");
    bob.delete(6, 1);
    assert_eq!(bob.heard()["type"], "ack");
    let search = |query: &str| {
        let found = get(&site, &format!("/api/rooms/lobby/messages?{query}"));
        let ids = found["messages"].as_array().expect("a list").iter().map(|message| message["id"].as_u64());
        (ids.collect::<Option<Vec<u64>>>().expect("ids"), found["next"].as_u64())
    };
    for (query, found) in [
        ("q=harbour", (vec![5, 1], None)),
        ("q=HARBOUR%20TWO", (vec![5], None)),
        ("q=harbour&limit=1", (vec![5], Some(5))),
        ("q=harbour&limit=1&before=5", (vec![1], None)),
        ("q=%E4%BC%9A%E8%AE%AE", (vec![3], None)),
        ("q=a_b", (vec![4], None)),
        ("q=a%25b", (vec![], None)),
        ("q=%22two%22", (vec![5], None)),
        ("q=nowhere", (vec![], None)),
    ] {
        assert_eq!(search(query), found, "{query}");
    }
    let first = &get(&site, "/api/rooms/lobby/messages?q=one")["messages"][0];
    let keys = first.as_object().expect("a message").keys().map(String::as_str);
    assert_eq!(keys.collect::<Vec<_>>(), ["at", "from", "id", "tag", "text", "type"]);
    let nowhere = json!({ "messages": [], "next": null });
    assert_eq!(get(&site, "/api/rooms/empty/messages?q=one"), nowhere);
    let long = format!("q={}", "x".repeat(257));
    for query in ["q=", "q=%20", "q=a+b+c+d+e+f+g+h+i", "q=one&limit=0", "q=one&before=x", &long] {
        let response = ask(&site, "ann", &format!("GET /api/rooms/lobby/messages?{query}"), "", "");
        assert_eq!(response.status, 400, "{query}");
    }
    let response = crate::support::get(site.address, "/api/rooms/lobby/messages?q=one");
    assert_eq!(response.status, 401);
}

#[test]
fn all_of_it_needs_a_login_and_a_room() {
    let site = Site::with_defaults();
    for path in ["/api/rooms", "/api/rooms/lobby/messages", "/api/rooms/lobby/events"] {
        let response = crate::support::get(site.address, path);
        assert_eq!((response.status, response.field("www-authenticate").is_some()), (401, true), "{path}");
    }
    for (path, status) in [
        ("/api/rooms/a%20b/messages", 400),
        ("/api/rooms/a%2Fb/messages", 404),
        ("/api/rooms//messages", 400),
        ("/api/rooms/lobby", 404),
        ("/api/rooms/lobby/other", 404),
    ] {
        assert_eq!(ask(&site, "ann", &format!("GET {path}"), "", "").status, status, "{path}");
    }
    assert_eq!(ask(&site, "ann", "POST /api/rooms/lobby/events", "", "").status, 405);
}

#[test]
fn rooms_are_listed_with_members_and_their_last_entry() {
    let site = Site::with_defaults();
    assert_eq!(get(&site, "/api/rooms"), json!({ "rooms": [] }));
    post(&site, "hi");
    let mut member = Member::open(site.address, &login(site.address, "bob"), "?room=zoo");
    assert_eq!(member.heard()["type"], "welcome");
    let rooms = get(&site, "/api/rooms");
    let lobby = &rooms["rooms"][0];
    assert_eq!((&lobby["name"], &lobby["members"]), (&json!("lobby"), &json!(0)));
    assert!(lobby["last"]["position"].as_str().is_some_and(|text| text.starts_with("1.")), "{rooms}");
    assert_eq!(rooms["rooms"][1], json!({ "name": "zoo", "members": 1, "last": null }));
}

#[test]
fn a_script_posts_a_message_once() {
    let site = Site::with_defaults();
    let mut bob = Member::open(site.address, &login(site.address, "bob"), "");
    assert_eq!(bob.heard()["type"], "welcome");
    let nonce = "0".repeat(31) + "1";
    let form = format!("text=a+%26+b&nonce={nonce}");
    let send = |body: &str| {
        let kind = "Content-Type: application/x-www-form-urlencoded\r\n";
        let response = ask(&site, "ann", "POST /api/rooms/lobby/messages", kind, body);
        (response.status, serde_json::from_str::<Value>(&response.text()).unwrap_or_default())
    };
    assert_eq!(send(&form), (201, json!({ "id": 1, "nonce": nonce })));
    assert_eq!(send(&form), (200, json!({ "id": 1, "nonce": nonce })));
    assert_eq!(send(&format!("text=other&nonce={nonce}")).0, 409);
    assert_eq!(send("text=two").0, 201);
    assert_eq!([bob.heard()["text"].clone(), bob.heard()["text"].clone()], [json!("a & b"), json!("two")]);
    for (body, status) in [("text=", 400), ("words=x", 400), ("text=x&nonce=1", 400), ("text=%FF", 400)] {
        assert_eq!(send(body).0, status, "{body}");
    }
    for body in ["7", "[]", "\"x\"", "true", "null", "{}", "{\"text\":7}", "{\"text\":\"x\",\"nonce\":1}", "{"] {
        let kind = "Content-Type: application/json\r\n";
        assert_eq!(ask(&site, "ann", "POST /api/rooms/lobby/messages", kind, body).status, 400, "{body}");
    }
    let long = format!("text={}", "x".repeat(4097));
    assert_eq!(send(&long).0, 413);
    assert_eq!(ask(&site, "ann", "POST /api/rooms/lobby/messages", "Content-Type: text/plain\r\n", "hi").status, 415);
    let foreign = "Origin: http://evil.test\r\nContent-Type: application/json\r\n";
    assert_eq!(ask(&site, "ann", "POST /api/rooms/lobby/messages", foreign, "{\"text\":\"x\"}").status, 403);
}

#[test]
fn a_script_has_the_rate_of_a_member() {
    let site = Site::start(Limits { message_burst: 2.0, ..Limits::default() }, &["--message-rate", "0.1"]);
    assert_eq!([post(&site, "1").status, post(&site, "2").status], [201; 2]);
    let response = post(&site, "3");
    assert_eq!((response.status, response.field("retry-after").is_some()), (429, true));
}

#[test]
fn requests_and_connections_of_a_name_share_its_allowance() {
    let site = Site::start(Limits { message_burst: 3.0, ..Limits::default() }, &["--message-rate", "0.1"]);
    let cookie = login(site.address, "ann");
    let post = || {
        let fields = "Content-Type: application/x-www-form-urlencoded\r\n";
        Client::connect(site.address).ask(request(&cookie, "POST /api/rooms/lobby/messages", fields, "text=hi")).status
    };
    let mut member = Member::open(site.address, &cookie, "");
    assert_eq!(member.heard()["type"], "welcome");
    assert_eq!([post(), post(), post()], [201; 3]);
    (0..3).for_each(|_| assert_eq!(member.heard()["type"], "message"));
    member.say("4", 4);
    assert_eq!(member.heard()["code"], "too_fast");
    assert_eq!(post(), 429);
}

/// A response that follows a room.
struct Events(Client);

impl Events {
    #[track_caller]
    fn open(site: &Site, fields: &str) -> Events {
        let mut client = Client::connect(site.address);
        client.send(request(&login(site.address, "ann"), "GET /api/rooms/lobby/events", fields, ""));
        let head = client.head();
        assert_eq!((head.status, head.field("content-type")), (200, Some("text/event-stream")));
        Events(client)
    }

    /// The next events, as many as `count`: their ids and their data.
    #[track_caller]
    fn next(&mut self, count: usize) -> Vec<(Option<String>, Value)> {
        let mut found = vec![];
        let (mut id, mut data) = (None, None);
        while found.len() < count {
            let line = self.0.event_line();
            if let Some(value) = line.strip_prefix("id: ") {
                id = Some(value.to_owned());
            } else if let Some(value) = line.strip_prefix("data: ") {
                data = serde_json::from_str(value).ok();
            } else if let Some(data) = data.take() {
                found.push((id.take(), data));
            }
        }
        found
    }
}

#[test]
fn events_follow_a_room_and_resume_by_their_id() {
    let site = Site::start(Limits::default(), &["--message-rate", "0"]);
    post(&site, "one");
    let mut events = Events::open(&site, "");
    let first = events.next(1).remove(0);
    assert_eq!((first.1["text"].clone(), first.0.is_some()), (json!("one"), true));
    post(&site, "two");
    let second = events.next(1).remove(0);
    assert_eq!(second.1["text"], "two");
    drop(events);
    (3..6).for_each(|n| assert_eq!(post(&site, &n.to_string()).status, 201));
    let last = second.0.expect("it has an id");
    let mut events = Events::open(&site, &format!("Last-Event-ID: {last}\r\n"));
    let missed = events.next(3);
    assert!(missed.iter().map(|(_, data)| data["text"].clone()).eq(["3", "4", "5"]), "{missed:?}");
    let mut member = Member::open(site.address, &login(site.address, "bob"), "");
    assert_eq!(member.heard()["members"], json!(["bob"]), "a reader is not present");
    assert_eq!(events.next(1)[0], (None, json!({ "type": "enter", "user": "bob", "count": 1 })));
    let mut anew = Events::open(&site, "Last-Event-ID: nonsense\r\n");
    assert_eq!(anew.next(1)[0].1["reason"], "malformed");
    assert_eq!(anew.next(1)[0].1["text"], "one");
    drop((events, anew, member));
    site.wait_until_empty();
}

#[test]
fn events_of_an_empty_room_have_a_position() {
    let site = Site::start(Limits::default(), &["--message-rate", "0"]);
    let mut events = Events::open(&site, "");
    let position = events.0.event_line();
    assert_eq!([&*position, &*events.0.event_line()], ["id: 0.0", ""]);
    drop(events);
    (0..60).for_each(|n| assert_eq!(post(&site, &n.to_string()).status, 201));
    let mut events = Events::open(&site, "Last-Event-ID: 0.0\r\n");
    assert!(events.next(60).iter().map(|(_, data)| data["id"].clone()).eq(1..=60), "all, and not the last 50");
}

#[test]
fn the_head_of_events_is_all_of_it_for_head() {
    let site = Site::with_defaults();
    let cookie = login(site.address, "ann");
    let mut client = Client::connect(site.address);
    for _ in 0..2 {
        client.send(request(&cookie, "HEAD /api/rooms/lobby/events", "", ""));
        assert_eq!(client.head().status, 200);
    }
    site.wait_until("no reader", |counts| counts.members == 0);
}
