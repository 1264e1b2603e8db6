use super::testing::{ALICE, Bench, HTML, THEN, answer, conn, field, text, words};
use super::*;
use crate::event::{Blocking, Effect, FileRead, Job};
use std::io::{Error, ErrorKind};
use std::time::SystemTime;

/// The value of `seconds` as it is slept, or the refusal.
fn sleep(seconds: &str) -> Result<Duration, String> {
    let mut bench = Bench::new();
    let out = bench.ask(conn(0), &format!("GET /sleep{seconds}"), &[]);
    match &out.list[..] {
        [Effect::Sleep(id, until)] if *id == conn(0) => Ok(*until - bench.now.instant),
        _ => {
            assert_eq!((answer(&out).status, bench.site.pending.len()), (400, 0));
            Err(text(answer(&out)).to_owned())
        }
    }
}

#[test]
fn a_sleep_takes_0_to_60_seconds_and_10_if_nobody_says() {
    assert_eq!(sleep(""), Ok(Duration::from_secs(10)));
    assert_eq!(sleep("?seconds=0"), Ok(Duration::ZERO));
    assert_eq!(sleep("?seconds=-0"), Ok(Duration::ZERO));
    assert_eq!(sleep("?seconds=0.25"), Ok(Duration::from_millis(250)));
    assert_eq!(sleep("?seconds=60"), Ok(Duration::from_secs(60)));
    for bad in ["", "x", "-1", "60.1", "NaN", "inf", "1e300", "1,5", "0x1"] {
        let refusal = Err("seconds must be a number from 0 to 60.\n".to_owned());
        assert_eq!(sleep(&format!("?seconds={bad}")), refusal, "{bad:?}");
    }
}

#[test]
fn a_pause_is_said_as_it_was_slept() {
    for (asked, said) in
        [("-0", "0"), ("-0.0", "0"), ("0", "0"), ("1e-300", "0"), ("0.1", "0.1"), ("1e1", "10"), ("+2", "2")]
    {
        let mut bench = Bench::new();
        bench.ask(conn(0), &format!("GET /sleep?seconds={}", asked.replace('+', "%2B")), &[]);
        let out = bench.tell(conn(0), Event::Woke);
        assert!(text(answer(&out)).contains(&format!("Slept {said} s on a timer")), "{asked}: {}", text(answer(&out)));
    }
}

#[test]
fn whoever_wakes_gets_the_index_page_in_their_language_and_under_their_name() {
    let mut bench = Bench::new();
    bench.ask(conn(0), "GET /sleep?seconds=1.5", &["Accept-Language: zh", ALICE]);
    bench.ask(conn(1), "GET /sleep?seconds=3", &[]);
    bench.later(Duration::from_millis(1500));
    let out = bench.tell(conn(0), Event::Woke);
    assert_eq!(answer(&out).status, 200);
    assert!(text(answer(&out)).contains("睡了 1.5 秒") && text(answer(&out)).contains("alice"));
    assert!(bench.tell(conn(0), Event::Woke).list.is_empty(), "once");
    bench.tell(conn(1), Event::Left);
    assert!(bench.tell(conn(1), Event::Woke).list.is_empty(), "nobody is there any more");
    assert!(bench.site.pending.is_empty());
}

#[test]
fn a_block_takes_0_to_10_seconds_of_the_loop() {
    let mut bench = Bench::with(|settings| settings.lab = true);
    for (seconds, time) in [("", 3.0), ("?seconds=0.5", 0.5), ("?seconds=10", 10.0)] {
        let out = bench.ask(conn(0), &format!("GET /block{seconds}"), &[]);
        assert_eq!(out.list, [Effect::RunBlocking(conn(0), Blocking::Sleep(Duration::from_secs_f64(time)))]);
        let out = bench.tell(conn(0), Event::Finished(Finished::Blocked));
        assert!(text(answer(&out)).contains(&format!("Blocked the loop for {time} s. Everybody waited.")));
        assert!(!text(answer(&out)).contains("Nobody else noticed"));
    }
    let out = bench.ask(conn(0), "GET /block?seconds=10.1", &[]);
    assert_eq!(out.list, [Effect::Respond(conn(0), words(400, "seconds must be a number from 0 to 10.\n"))]);
    assert!(bench.site.pending.is_empty());
}

/// A site with a `--www` that only the test knows.
fn overlaid() -> Bench {
    Bench::with(|settings| settings.www = Some("/no/such/www".into()))
}

fn read(bench: &mut Bench, read: std::io::Result<FileRead>) -> Effects {
    bench.tell(conn(0), Event::Finished(Finished::File(read)))
}

#[test]
fn a_file_of_the_overlay_is_read_on_the_pool() {
    let mut bench = overlaid();
    let out = bench.ask(conn(0), "GET /static/a%20b.txt", &["If-Modified-Since: Tue, 14 Nov 2023 22:13:20 GMT"]);
    let job = Job::ReadFile { path: "/no/such/www/static/a b.txt".into() };
    assert_eq!(out.list, [Effect::Run(conn(0), job)]);
    let modified = SystemTime::UNIX_EPOCH + Duration::from_secs(THEN);
    let out = read(&mut bench, Ok(FileRead { bytes: "hello".into(), modified: Some(modified) }));
    assert_eq!((answer(&out).status, bench.site.pending.len()), (304, 0), "it remembers what was asked");
    bench.ask(conn(0), "GET /static/a%20b.txt", &[]);
    let out = read(&mut bench, Ok(FileRead { bytes: "hello".into(), modified: Some(modified) }));
    assert_eq!((answer(&out).status, text(answer(&out))), (200, "hello"));
    assert_eq!(field(answer(&out), "Last-Modified"), Some("Tue, 14 Nov 2023 22:13:20 GMT"));
    assert!(read(&mut bench, Err(ErrorKind::NotFound.into())).list.is_empty(), "nobody asked");
}

/// The answer to a GET of a file of the overlay that was modified `seconds` after the epoch.
fn answer_of_file(seconds: i64, fields: &[&str]) -> Response {
    let mut bench = overlaid();
    bench.ask(conn(0), "GET /static/a.txt", fields);
    let age = Duration::from_secs(seconds.unsigned_abs());
    let epoch = SystemTime::UNIX_EPOCH;
    let modified = if seconds < 0 { epoch.checked_sub(age) } else { epoch.checked_add(age) };
    let out = read(&mut bench, Ok(FileRead { bytes: "hello".into(), modified }));
    answer(&out).clone()
}

#[test]
fn a_file_time_that_no_http_date_can_say_is_not_sent() {
    // The year 10000, its neighbours, the last time of a 64-bit clock, and times before 1970.
    for seconds in [253_402_300_800, 253_402_300_801, i64::MAX, -1, -86_400 * 365 * 100, i64::MIN] {
        let response = answer_of_file(seconds, &[]);
        assert_eq!((response.status, field(&response, "Last-Modified")), (200, None), "{seconds}");
    }
    let first = answer_of_file(0, &[]);
    assert_eq!(field(&first, "Last-Modified"), Some("Thu, 01 Jan 1970 00:00:00 GMT"));
}

#[test]
fn a_file_of_the_future_is_not_newer_than_its_answer() {
    // RFC 9110 section 8.8.2.1: Last-Modified is never later than Date.
    for seconds in [THEN as i64 + 1, THEN as i64 + 86_400 * 400, 253_402_300_799] {
        let response = answer_of_file(seconds, &[]);
        assert_eq!(field(&response, "Last-Modified"), Some("Tue, 14 Nov 2023 22:13:20 GMT"), "{seconds}");
        let tag = field(&response, "ETag").expect("a tag").to_owned();
        assert_eq!(answer_of_file(seconds, &[&format!("If-None-Match: {tag}")]).status, 304);
        // The file may change while its time stays in the future: a date is no proof of having it.
        let at = "If-Modified-Since: Tue, 14 Nov 2023 22:13:20 GMT";
        assert_eq!(answer_of_file(seconds, &[at]).status, 200, "{seconds}");
    }
    let now = answer_of_file(THEN as i64, &["If-Modified-Since: Tue, 14 Nov 2023 22:13:20 GMT"]);
    assert_eq!(now.status, 304);
}

#[test]
fn what_the_overlay_has_not_comes_from_the_binary() {
    let mut plain = Bench::new();
    for fields in [&[][..], &["If-None-Match: *"]] {
        let embedded = plain.ask(conn(0), "GET /static/chat.js", fields);
        for kind in [ErrorKind::NotFound, ErrorKind::NotADirectory, ErrorKind::IsADirectory] {
            let mut bench = overlaid();
            bench.ask(conn(0), "GET /static/chat.js", fields);
            assert_eq!(read(&mut bench, Err(kind.into())).list, embedded.list, "{kind}");
        }
    }
}

#[test]
fn a_file_that_is_nowhere_is_404() {
    let mut bench = overlaid();
    bench.ask(conn(0), "GET /static/none.txt", &[]);
    let missing = [Effect::Respond(conn(0), words(404, "There is no such file.\n"))];
    assert_eq!(read(&mut bench, Err(ErrorKind::NotFound.into())).list, missing);
    assert_eq!(Bench::new().ask(conn(0), "GET /static/none.txt", &[]).list, missing);
    assert_eq!(bench.ask(conn(0), "GET /static/../secret", &[]).list, missing);
    assert_eq!(bench.ask(conn(0), "GET /static/", &[]).list, missing);
}

#[test]
fn a_file_that_cannot_be_read_is_an_error_even_if_the_binary_has_one() {
    for path in ["/static/chat.js", "/static/none.txt", "/.well-known/acme-challenge/token"] {
        for (error, status) in [
            (ErrorKind::PermissionDenied.into(), 403),
            (Error::from_raw_os_error(libc::EACCES), 403),
            (Error::from_raw_os_error(libc::EPERM), 403),
            (Error::from_raw_os_error(libc::ELOOP), 403),
            (ErrorKind::FileTooLarge.into(), 500),
            (Error::from_raw_os_error(libc::EIO), 500),
            (Error::from_raw_os_error(libc::EMFILE), 500),
        ] {
            let mut bench = overlaid();
            bench.ask(conn(0), &format!("GET {path}"), &[]);
            let out = read(&mut bench, Err(error));
            assert_eq!(out.list, [Effect::Respond(conn(0), words(status, "This file cannot be read.\n"))]);
        }
    }
}

#[test]
fn whoever_leaves_while_its_file_is_read_gets_nothing() {
    let mut bench = overlaid();
    bench.ask(conn(0), "GET /static/chat.js", &[]);
    bench.tell(conn(0), Event::Left);
    assert!(bench.site.pending.is_empty());
    assert!(read(&mut bench, Ok(FileRead { bytes: "".into(), modified: None })).list.is_empty());
}

#[test]
fn an_error_is_a_page_for_those_who_like_pages() {
    let mut bench = Bench::new();
    let page = bench.ask(conn(0), "GET /sleep?seconds=x", &[HTML, "Accept-Language: zh"]);
    assert_eq!(&*answer(&page).content_type, "text/html; charset=utf-8");
    assert!(text(answer(&page)).contains("看不懂这个请求"));
    assert!(text(answer(&page)).contains("seconds 必须是 0 到 60 之间的数。"));
    for accept in ["Accept: */*", "Accept: text/plain", "Accept: text/htm"] {
        let out = bench.ask(conn(0), "GET /sleep?seconds=x", &[accept]);
        assert_eq!(&*answer(&out).content_type, "text/plain; charset=utf-8", "{accept}");
    }
}

#[test]
fn every_error_page_speaks_chinese_to_whoever_wants_it() {
    let mut bench = Bench::new();
    let foreign = "Origin: http://evil.test";
    for (line, more, status, said) in [
        ("GET /nowhere", "X: 1", 404, "没有这个页面。"),
        ("GET /static/none", "X: 1", 404, "没有这个文件。"),
        ("PUT /login", "X: 1", 405, "这个页面不接受这种请求方法。"),
        ("BREW /", "X: 1", 501, "这里不认识这种请求方法。"),
        ("GET /echo", "X: 1", 426, "这里是 WebSocket，版本 13。"),
        ("POST /login", foreign, 403, "请求来自 http:&#x2f;&#x2f;evil.test，而不是所访问的主机 squall.test。"),
        ("POST /logout", foreign, 403, "请求来自 http:&#x2f;&#x2f;evil.test，而不是所访问的主机 squall.test。"),
    ] {
        let out = bench.ask(conn(0), line, &[HTML, "Accept-Language: zh", more]);
        assert_eq!(answer(&out).status, status, "{line}");
        assert!(text(answer(&out)).contains("<html lang=\"zh-Hans\">"), "{line}");
        assert!(text(answer(&out)).contains(said), "{line}: {}", text(answer(&out)));
        let out = bench.ask(conn(0), line, &["Accept-Language: zh", more]);
        assert!(text(answer(&out)).is_ascii(), "{line}: {}", text(answer(&out)));
    }
}

#[test]
fn a_broken_setting_is_said_at_start() {
    let settings = Settings { search_url: "http://search.test/".into(), ..Bench::new().site.settings };
    let Err(why) = Site::new(settings, &Limits::default(), Instant::now()) else {
        panic!("a template without a place for the words")
    };
    assert!(why.contains("--search-url"), "{why}");
}
