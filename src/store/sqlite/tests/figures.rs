//! What it costs. By hand: `cargo test --release --lib figures -- --ignored --nocapture --test-threads 1`.

use super::*;
use crate::store::Nonce;
use crate::testing::dice::Dice;

/// Senders of one room.
const SENDERS: usize = 64;

/// Sends `count` messages from 64 senders, each with `window` that are not acknowledged; returns what an append took, in
/// order of time.
fn load(store: &mut Sqlite, wakes: &Receiver<()>, dice: &mut Dice, count: usize, window: usize) -> Vec<Duration> {
    let users: Vec<Arc<str>> = (0..SENDERS).map(|n| format!("sender {n}").into()).collect();
    let (room, text): (Arc<str>, &str) =
        ("lobby".into(), "a message of usual length, about as long as this one is, sixty-four");
    let mut say = |store: &mut Sqlite, n: usize| {
        let nonce = Nonce(std::array::from_fn(|_| dice.byte()));
        let draft = Draft::Message { user: users[n].clone(), nonce: Some(nonce), text: text.into() };
        store.submit(ConnId::new(n, 1), Command::Append { room: room.clone(), at: at(1_700_000_000_000), draft });
    };
    let (mut sent, mut took) = (0, Vec::with_capacity(count));
    let mut since = vec![VecDeque::new(); SENDERS];
    let start = Instant::now();
    for n in (0..SENDERS * window).map(|n| n % SENDERS).take(count) {
        since[n].push_back(start);
        say(store, n);
        sent += 1;
    }
    store.flush();
    while took.len() < count {
        wakes.recv_timeout(WITHIN).expect("a wake");
        let now = Instant::now();
        while let Some((from, outcome)) = store.take() {
            match outcome {
                Outcome::Appended { is_new: true, .. } => {
                    let begun = since[from.slot()].pop_front().expect("it was sent");
                    took.push(now - begun);
                    if sent < count {
                        since[from.slot()].push_back(now);
                        say(store, from.slot());
                        sent += 1;
                    }
                }
                Outcome::Entry { .. } => {}
                other => panic!("{other:?}"),
            }
        }
        store.flush();
    }
    took
}

fn report(what: &str, count: usize, within: Duration, mut took: Vec<Duration>) {
    took.sort_unstable();
    let [p50, p99] = [50, 99].map(|percent| took[took.len() * percent / 100]);
    let max = took.last().copied().unwrap_or_default();
    let rate = count as f64 / within.as_secs_f64();
    println!("{what}: {rate:.0} messages a second; an append takes {p50:?} (median), {p99:?} (99 %), {max:?} at most");
}

/// CPU time of the store's thread, which other programs on the machine do not change. Linux only.
fn cpu_of_the_thread() -> Duration {
    let threads = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten().map(|thread| thread.path());
    let read = |path: PathBuf| std::fs::read_to_string(path).unwrap_or_default();
    let of_store = threads.filter(|thread| read(thread.join("comm")).trim() == "squall-store");
    let nanos = of_store.map(|thread| {
        let line = read(thread.join("schedstat"));
        line.split(' ').next().and_then(|nanos| nanos.parse().ok()).unwrap_or(0)
    });
    Duration::from_nanos(nanos.sum())
}

#[test]
#[ignore = "takes a minute"]
fn messages_a_second_and_bytes_a_message() {
    let mut dice = Dice::new(1);
    for (sync, count) in [(HistorySync::Normal, 1_000_000), (HistorySync::Full, 200_000)] {
        for window in [1, 16] {
            let folder = Folder::new();
            let (mut store, wakes) = folder.open_with_wakes(SqliteOptions { sync, ..normal() });
            let begun = Instant::now();
            let took = load(&mut store, &wakes, &mut dice, count, window);
            report(&format!("{sync:?}, {SENDERS} senders, {window} under way each"), count, begun.elapsed(), took);
            let log = std::fs::metadata(folder.file("chat.db-wal")).map_or(0, |log| log.len());
            println!("    {:?} of CPU time of the thread for each message", cpu_of_the_thread() / count as u32);
            drop(store);
            let bytes = folder.bytes() as f64 / count as f64;
            println!("    {bytes:.1} bytes a message, of which 66 are its text; the log had {log} bytes");
        }
    }
    for sync in [HistorySync::Normal, HistorySync::Full] {
        let folder = Folder::new();
        let (mut store, _) = folder.open_with_wakes(SqliteOptions { sync, ..normal() });
        let begun = Instant::now();
        let took = (0..2000).map(|_| {
            let begun = Instant::now();
            append(&mut store, message("ann", None, "hi"));
            begun.elapsed()
        });
        let took = took.collect();
        report(&format!("{sync:?}, one sender, one after the other"), 2000, begun.elapsed(), took);
    }
}

#[test]
#[ignore = "takes a minute"]
fn a_long_history_opens_like_a_short_one() {
    let (folder, mut dice) = (Folder::new(), Dice::new(1));
    for count in [50, 999_950] {
        let (mut store, wakes) = folder.open_with_wakes(normal());
        load(&mut store, &wakes, &mut dice, count, 64);
        drop(store);
        let begun = Instant::now();
        let page = read(&mut folder.open(normal()), Range::Last, 50);
        println!("a room of {} messages: opened, read and closed in {:?}", page.last.id, begun.elapsed());
    }
}

/// What a search and its index cost, with texts of many words.
#[test]
#[ignore = "takes a minute"]
fn the_index_of_the_texts() {
    const COUNT: usize = 1_000_000;
    let words: Vec<&str> = include_str!("../../../doc/chat.md").split_whitespace().collect();
    let (folder, mut dice) = (Folder::new(), Dice::new(1));
    let mut store = folder.open(normal());
    let mut bytes = 0;
    for n in 0..COUNT {
        let mut text = format!("{n}");
        while text.len() < 66 {
            text.push(' ');
            text.push_str(words[dice.below(words.len())]);
        }
        bytes += text.len();
        let (room, draft) = ("lobby".into(), message("ann", None, &text));
        store.submit(ConnId::new(1, 1), Command::Append { room, at: at(1), draft });
        if n % 1000 == 999 {
            ask_for_rooms(&mut store);
        }
    }
    let begun = Instant::now();
    let file = rusqlite::Connection::open(folder.file("chat.db")).expect("a database");
    let number = |sql: &str| file.query_row(sql, [], |row| row.get::<_, i64>(0)).expect(sql);
    let mut worst = Duration::ZERO;
    while number("SELECT searched_id FROM rooms") < COUNT as i64 - 1024 {
        let begun = Instant::now();
        append(&mut store, message("ann", None, "while it is indexed"));
        worst = worst.max(begun.elapsed());
        std::thread::sleep(Duration::from_millis(5));
    }
    println!("indexed in {:?}; an append took {worst:?} at most", begun.elapsed());
    println!("    {:?} of CPU time of the thread for all", cpu_of_the_thread());
    std::thread::sleep(Duration::from_secs(3));
    let index = number("SELECT sum(pgsize) FROM dbstat WHERE name LIKE 'texts%'");
    let all = number("SELECT sum(pgsize) FROM dbstat");
    let each = |bytes: i64| bytes as f64 / COUNT as f64;
    println!(
        "{:.1} bytes a message, of which {:.1} are the index, {:.1} the text",
        each(all),
        each(index),
        each(bytes as i64)
    );
    for query in ["acknowledged", "history restored", "the", "777777", "nowhere", "connection station", "zq"] {
        let words = crate::store::words::Words::parse(query).expect("a query");
        let (mut before, mut steps, mut found, mut longest) = (None, 0, 0, Duration::ZERO);
        let all = Instant::now();
        loop {
            let begun = Instant::now();
            let search = Command::Search { room: "lobby".into(), words: words.clone(), before, limit: 200 };
            let Some(Outcome::Found { found: step, .. }) = ask(&mut store, search).pop() else { panic!("no result") };
            (longest, steps, found) = (longest.max(begun.elapsed()), steps + 1, found + step.entries.len());
            before = step.next;
            if before.is_none() || found >= 200 {
                break;
            }
        }
        println!("{query}: {found} in {:?}, {steps} steps, of which one took {longest:?}", all.elapsed());
    }
}

/// Waits until all that was submitted is done.
fn ask_for_rooms(store: &mut Sqlite) {
    store.submit(ConnId::new(2, 1), Command::ListRooms);
    store.flush();
    wait_until("all is done", || {
        std::iter::from_fn(|| store.take()).any(|(_, outcome)| matches!(outcome, Outcome::Rooms(_)))
    });
}
