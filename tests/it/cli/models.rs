//! The three server models: each as a server of its own, and all of them measured.

use super::run_with;
use crate::support::child::PROGRAM;
use crate::support::client::patient;
use crate::support::{Child, Client, Dir, get, ms, wait_for};
use std::io::Read;
use std::os::fd::OwnedFd;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

const MODELS: [&str; 3] = ["process", "thread", "loop"];

/// `squall model NAME` on a port that the kernel chose.
fn model(name: &str) -> Child {
    let mut command = Command::new(PROGRAM);
    command.args(["model", name, "--listen", "127.0.0.1:0"]);
    Child::run(command, Dir::new(), 1)
}

fn request(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: squall\r\n\r\n")
}

#[test]
fn every_model_responds_at_once_or_after_10_ms_and_closes() {
    for name in MODELS {
        let child = model(name);
        for (path, status, body, least) in [
            ("/", 200, "Hello, World!", ms(0)),
            ("/wait", 200, "That took 10 ms.\n", ms(10)),
            ("/none", 404, "There are / and /wait.\n", ms(0)),
        ] {
            let (mut client, sent) = (Client::connect(child.address), Instant::now());
            let response = client.ask(request(path));
            assert!(sent.elapsed() >= least, "{name} {path}: {:?}", sent.elapsed());
            assert_eq!((response.status, response.text().as_str()), (status, body), "{name} {path}");
            assert_eq!(response.field("connection"), Some("close"), "{name} {path}");
            assert!(client.rest_until_reset().is_ok_and(|rest| rest.is_empty()), "{name} {path}");
        }
        let mut client = Client::connect(child.address);
        client.send("HEAD / HTTP/1.1\r\nHost: squall\r\n\r\n");
        assert_eq!(client.head().field("content-length"), Some("13"), "{name}");
        client.closed();
    }
}

#[test]
fn every_model_takes_a_request_in_pieces() {
    for name in MODELS {
        let child = model(name);
        let mut client = Client::connect(child.address);
        for byte in request("/").bytes() {
            client.send([byte]);
            std::thread::sleep(ms(1));
        }
        assert_eq!(client.response().text(), "Hello, World!", "{name}");
    }
}

#[test]
fn every_model_refuses_what_is_no_request() {
    for name in MODELS {
        let child = model(name);
        // What comes behind is discarded: unread, it would make the close a reset, and the response would be lost.
        for (wire, status) in [
            ("nonsense\r\n\r\n".to_owned(), 400),
            (format!("GET / HTTP/1.1\r\n\r\n{}", "x".repeat(100_000)), 400),
            (format!("GET /{} HTTP/1.1\r\n", "x".repeat(9_000)), 414),
        ] {
            let mut client = Client::connect(child.address);
            assert_eq!(client.ask(wire).status, status, "{name}");
            client.finish();
            assert!(client.rest_until_reset().is_ok_and(|rest| rest.is_empty()), "{name}");
        }
    }
}

#[test]
fn every_model_serves_others_beside_a_silent_client() {
    for name in MODELS {
        let child = model(name);
        let mut silent = Client::connect(child.address);
        silent.send("GET / HT");
        for _ in 0..20 {
            assert_eq!(Client::connect(child.address).ask(request("/wait")).status, 200, "{name}");
        }
        assert_eq!(silent.ask("TP/1.0\r\n\r\n").status, 200, "{name}");
    }
}

#[test]
fn every_model_cuts_a_silent_client_and_one_that_does_not_close() {
    let children = MODELS.map(model);
    let clients = children.each_ref().map(|child| {
        let (silent, mut open) = (Client::connect(child.address), Client::connect(child.address));
        assert_eq!(open.ask(request("/")).status, 200);
        (silent, open, Instant::now())
    });
    for (name, (mut silent, open, began)) in MODELS.into_iter().zip(clients) {
        silent.closed();
        let took = began.elapsed();
        assert!((ms(4_900)..ms(9_000)).contains(&took), "{name}: {took:?}");
        // What it sends is read up to the deadline; then it meets a reset.
        wait_for("the cut", || std::io::Write::write_all(&mut &open.stream, b"x").err());
    }
}

#[test]
fn the_loop_waits_for_a_hundred_requests_at_once() {
    let child = model("loop");
    let mut clients: Vec<Client> = (0..100).map(|_| Client::connect(child.address)).collect();
    let began = Instant::now();
    clients.iter_mut().for_each(|client| client.send(request("/wait")));
    clients.iter_mut().for_each(|client| assert_eq!(client.response().status, 200));
    // One after the other they would take a second.
    assert!((ms(10)..ms(500)).contains(&began.elapsed()), "{:?}", began.elapsed());
    assert_eq!(child.status("Threads"), 1);
}

#[test]
fn a_client_that_sends_without_end_does_not_keep_the_loop() {
    let child = model("loop");
    let mut flood = Client::connect(child.address);
    assert_eq!(flood.ask(request("/")).status, 200);
    let sending = std::thread::spawn(move || {
        let block = [b'x'; 64 << 10];
        let sent = (0..1_000).take_while(|_| std::io::Write::write_all(&mut &flood.stream, &block).is_ok());
        sent.count()
    });
    assert_eq!(get(child.address, "/").status, 200);
    // A mebibyte is discarded, and the kernel's buffers hold some more.
    assert!(sending.join().expect("it ends") < 1_000);
}

#[test]
fn the_loop_goes_on_when_descriptors_are_free_again() {
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -n 20; exec \"$0\" model loop", PROGRAM]);
    let child = Child::run(command, Dir::new(), 1);
    // More than it has descriptors for: the listener's edge is over when those that were accepted end.
    let mut clients: Vec<Client> = (0..40).map(|_| Client::connect(child.address)).collect();
    clients.iter_mut().for_each(|client| client.send(request("/")));
    for mut client in clients {
        assert_eq!(client.response().text(), "Hello, World!");
    }
}

#[test]
fn processes_that_have_ended_are_waited_for() {
    let child = model("process");
    for _ in 0..20 {
        assert_eq!(get(child.address, "/").status, 200);
    }
    let zombies = || {
        let processes = std::fs::read_dir("/proc").expect("a /proc").flatten();
        let stats = processes.filter_map(|entry| std::fs::read_to_string(entry.path().join("stat")).ok());
        stats.filter(|stat| stat.contains(&format!(") Z {} ", child.pid()))).count()
    };
    // The parent looks when it accepts, so the last ones may still be there.
    assert!(zombies() <= 5, "{} zombies", zombies());
}

#[test]
fn one_request_is_served_on_standard_input() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let mut client = Client::over(patient(listener.local_addr().expect("a port")));
    let (socket, _) = listener.accept().expect("the client is there");
    let mut command = Command::new(PROGRAM);
    let mut child = command.args(["model", "request"]).stdin(OwnedFd::from(socket)).spawn().expect("it starts");
    drop(command);
    assert_eq!(client.ask(request("/")).text(), "Hello, World!");
    drop(client);
    assert!(child.wait().expect("it is our child").success());

    let mut command = Command::new(PROGRAM);
    command.args(["model", "request"]);
    let (code, _, stderr) = run_with(command);
    assert!(code == Some(1) && stderr.contains("standard input is no connection"), "{stderr}");
}

#[test]
fn a_port_in_use_is_named() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("a port").to_string();
    for name in MODELS {
        let mut command = Command::new(PROGRAM);
        command.args(["model", name, "--listen", &address]);
        let (code, stdout, stderr) = run_with(command);
        assert!(code == Some(1) && stdout.is_empty() && stderr.contains(&address), "{name}: {stderr}");
    }
}

/// `squall bench --models` with these flags; its temporary files go to `dir`.
fn bench(dir: &Dir, flags: &[&str]) -> Command {
    let mut command = Command::new(PROGRAM);
    command.arg("bench").args(flags).env("TMPDIR", dir.path()).env("SQUALL_LISTEN", "no address");
    command
}

#[test]
fn the_models_and_squall_are_measured_and_drawn() {
    let (dir, temporary) = (Dir::new(), Dir::new());
    let path = dir.path().join("models.svg");
    let picture = path.to_str().expect("text");
    let flags = ["--models", picture, "--models-seconds", "0.05", "--models-connections", "1,3"];
    let (code, stdout, stderr) = run_with(bench(&temporary, &flags));
    assert_eq!(code, Some(0), "{stderr}");
    for (name, part) in [("process", " 3  process "), ("thread", "thread"), ("loop", "loop"), ("squall", "squall")] {
        // Two handlers, two numbers of connections.
        let is_row =
            |line: &&str| line.contains(" ms ") && line.contains("MiB") && line.contains(name) && !line.contains(". ");
        assert!(stdout.contains(part), "{part}: {stdout}");
        assert_eq!(stdout.lines().filter(is_row).count(), 4, "{name}: {stdout}");
    }
    for line in ["\n1. /, each at its best", "\n2. /wait allows 100 responses/s", "\n3. /wait with 3 connections: "] {
        assert!(stdout.contains(line), "{line}: {stdout}");
    }
    let drawn = std::fs::read_to_string(&path).expect("the picture");
    assert!(drawn.starts_with("<svg ") && drawn.ends_with("</svg>\n"), "{drawn}");
    assert_eq!(std::fs::read_dir(temporary.path()).expect("a folder").count(), 0, "the data directory is removed");
}

#[test]
fn models_that_are_interrupted_leave_no_server() {
    let temporary = Dir::new();
    let flags = ["--models", "--models-seconds", "10", "--models-connections", "20"];
    for signal in ["INT", "TERM"] {
        let mut command = bench(&temporary, &flags);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("it starts");
        let pid = child.id().to_string();
        let groups = wait_for("a server with children", || {
            let all = processes();
            let server = all.iter().find(|(_, parent, _)| *parent == pid)?.0.clone();
            (all.iter().filter(|(_, _, group)| *group == server).count() > 1).then_some(server)
        });
        let sent = Command::new("kill").args(["-s", signal, &pid]).status().expect("kill(1) exists");
        assert!(sent.success());
        let began = Instant::now();
        let status = wait_for("the end", || child.try_wait().expect("it is our child"));
        assert!(
            status.code() == Some(130) && began.elapsed() < Duration::from_secs(5),
            "{status} {:?}",
            began.elapsed()
        );
        wait_for("the end of the server", || (!processes().iter().any(|(_, _, group)| *group == groups)).then_some(()));
        let mut table = String::new();
        child.stdout.take().expect("it is piped").read_to_string(&mut table).expect("text");
        assert!(table.starts_with("handler"), "{table}");
    }
    assert_eq!(std::fs::read_dir(temporary.path()).expect("a folder").count(), 0);
}

/// Id, parent and group of every process that has not ended.
fn processes() -> Vec<(String, String, String)> {
    let entries = std::fs::read_dir("/proc").expect("a /proc").flatten();
    let stats = entries.filter_map(|entry| std::fs::read_to_string(entry.path().join("stat")).ok());
    let parse = |stat: String| {
        let pid = stat.split(' ').next()?.to_owned();
        let mut fields = stat.rsplit_once(") ")?.1.split(' ').map(str::to_owned);
        let is_there = fields.next()? != "Z";
        is_there.then_some((pid, fields.next()?, fields.next()?))
    };
    stats.filter_map(parse).collect()
}

#[test]
fn a_picture_that_cannot_be_written_is_named() {
    let (dir, temporary) = (Dir::new(), Dir::new());
    let path = dir.path().join("none/models.svg");
    let flags = ["--models", path.to_str().expect("text"), "--models-seconds", "0.05", "--models-connections", "1"];
    let Output { status, stderr, .. } = bench(&temporary, &flags).output().expect("it runs");
    let stderr = String::from_utf8_lossy(&stderr);
    assert!(status.code() == Some(1) && stderr.contains("none/models.svg: No such file"), "{stderr}");
}

#[test]
fn wrong_flags_for_models_give_one_line_and_code_22() {
    for (flags, says) in [
        (vec!["--models", "a.png"], "ends in .svg"),
        (vec!["--models", "http://127.0.0.1/"], "ends in .svg"),
        (vec!["--models", "--models-seconds", "0"], "from 0.05 to 10"),
        (vec!["--models", "--models-seconds", "nan"], "from 0.05 to 10"),
        (vec!["--models", "--models-connections", "0"], "from 1 to 10000"),
        (vec!["--models", "--models-connections", "1,"], "from 1 to 10000"),
        (vec!["--models-seconds", "1"], "--models"),
        (vec!["-n", "5", "--models"], "cannot be used with"),
        (vec!["http://127.0.0.1/", "--models"], "cannot be used with"),
    ] {
        let (code, stdout, stderr) = run_with(bench(&Dir::new(), &flags));
        assert_eq!((code, stdout.as_str()), (Some(22), ""), "{flags:?}: {stderr}");
        assert!(stderr.starts_with("squall bench: ") && stderr.contains(says), "{flags:?}: {stderr}");
        assert_eq!(stderr.trim_end().lines().count(), 1, "{flags:?}: {stderr}");
    }
}
