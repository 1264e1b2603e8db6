//! A journal for each anomaly, and the same without it.

use super::*;

mod pasts;

/// A journal in short: each line `CLIENT EVENT WORDS…`, see [`line`].
fn verdict_with(sparse: bool, script: &str) -> Result<Vec<String>, String> {
    let mut out = Vec::new();
    let mut judge = Judge::new(Report::new(&mut out, false, vec!["j".into()]));
    let journal: String = script.lines().map(str::trim).filter(|words| !words.is_empty()).map(line).collect();
    judge.read(0, journal.as_bytes())?;
    judge.close(sparse).map_err(|end| format!("{end:?}"))?;
    let text = String::from_utf8(out).expect("text");
    // The last line has the counts.
    let found = text.lines().rev().skip(1).map(|line| line.strip_prefix("j:").expect("the journal").to_owned());
    Ok(found.collect::<Vec<_>>().into_iter().rev().collect())
}

fn verdict(script: &str) -> Vec<String> {
    verdict_with(false, script).unwrap_or_else(|why| panic!("{why}"))
}

/// `LINE: KIND` of each anomaly.
fn kinds(script: &str) -> Vec<String> {
    let short = |line: &String| line.splitn(3, ": ").take(2).collect::<Vec<_>>().join(": ");
    verdict(script).iter().map(short).collect()
}

/// One line of a journal. An entry is `ID.TAG/FROM/TEXT`; a text `-` was deleted, `!ID` deletes and `!!USER` clears, and
/// `#NONCE` may follow.
fn line(words: &str) -> String {
    let words: Vec<&str> = words.split_whitespace().collect();
    let entries = |from: usize| {
        words.get(from..).unwrap_or_default().iter().map(|word| entry(word)).collect::<Vec<_>>().join(",")
    };
    let (client, word) = (words[0], |at: usize| words.get(at).copied().unwrap_or_default());
    let rest = match word(1) {
        "connected" if words.len() > 3 => format!(r#""event":"connected","user":"{}","since":"{}""#, word(2), word(3)),
        "connected" => format!(r#""event":"connected","user":"{}""#, word(2)),
        "sent" if word(3).starts_with('!') => {
            format!(r#""event":"sent","nonce":"{}","target":{}"#, word(2), &word(3)[1..])
        }
        "sent" => format!(r#""event":"sent","nonce":"{}","text":"{}""#, word(2), word(3)),
        "acked" => format!(r#""event":"acked","nonce":"{}","id":{}"#, word(2), word(3)),
        "refused" => format!(r#""event":"refused","nonce":"{}","code":"busy""#, word(2)),
        "saw" => format!(r#""event":"saw","entry":{}"#, entry(word(2))),
        "welcome" | "resumed" => format!(
            r#""event":"welcome","resumed":{},"position":"{}","history":[{}]"#,
            word(1) == "resumed",
            word(2),
            entries(3)
        ),
        "gap" => format!(r#""event":"gap","reason":"{}""#, word(2)),
        "final" => format!(r#""event":"final","entries":[{}]"#, entries(2)),
        "restored" => format!(r#""event":"restored","kept":{}"#, word(2)),
        "pruned" => format!(r#""event":"pruned","id":{}"#, word(2)),
        other => format!(r#""event":"{other}""#),
    };
    format!("{{\"client\":\"{client}\",{rest}}}\n")
}

fn entry(word: &str) -> String {
    let (word, nonce) = word.split_once('#').unwrap_or((word, ""));
    let parts: Vec<&str> = word.split('/').collect();
    let [place, from, text] = parts[..] else { panic!("no entry: {word}") };
    let (id, tag) = place.split_once('.').unwrap_or((place, "aa"));
    let nonce = if nonce.is_empty() { String::new() } else { format!(r#","nonce":"{nonce}""#) };
    match text.strip_prefix('!') {
        Some(what) => match what.strip_prefix('!') {
            Some(user) => format!(r#"{{"type":"cleared","id":{id},"tag":"{tag}","user":"{user}","by":"{from}"}}"#),
            None => format!(r#"{{"type":"deleted","id":{id},"tag":"{tag}","target":{what},"by":"{from}"}}"#),
        },
        None if text == "-" => {
            format!(r#"{{"type":"message","id":{id},"tag":"{tag}","from":"{from}","deleted":true}}"#)
        }
        None => format!(r#"{{"type":"message","id":{id},"tag":"{tag}","from":"{from}","text":"{text}"{nonce}}}"#),
    }
}

/// Two clients, of which the first says three things and the second leaves in between.
const SOUND: &str = "
    c1 connected ann
    c1 welcome 0.0
    c2 connected bob
    c2 welcome 0.0
    c1 sent n1 one
    c1 acked n1 1
    c1 saw 1/ann/one
    c2 saw 1/ann/one
    c2 disconnected
    c1 sent n2 two
    c1 sent n3 three
    c1 acked n2 2
    c1 acked n3 3
    c1 saw 2/ann/two
    c1 saw 3/ann/three
    c2 connected bob 1.aa
    c2 resumed 3.aa 2/ann/two 3/ann/three
    reader final 1/ann/one 2/ann/two 3/ann/three
";

/// The sound journal with a piece replaced; line 1 of a finding is the line `c1 connected ann`.
fn with(piece: &str, by: &str) -> String {
    assert_eq!(SOUND.matches(piece).count(), 1, "{piece}");
    SOUND.replace(piece, by)
}

#[test]
fn a_sound_journal_has_no_anomaly() {
    assert_eq!(verdict(SOUND), [""; 0]);
}

#[test]
fn an_acknowledged_message_that_is_gone_is_lost() {
    let found = verdict(
        "c1 connected ann
         c1 sent n1 one
         c1 acked n1 1
         c1 disconnected
         reader final",
    );
    assert_eq!(found, ["3: lost: room lobby, id 1, c1: acknowledged, and not in the final history"]);
}

#[test]
fn a_message_that_was_shown_and_is_gone_is_lost() {
    let found = verdict(
        "c1 connected ann
         c1 sent n1 one
         c1 disconnected
         c2 connected bob
         c2 saw 1/ann/one
         c2 disconnected
         reader final",
    );
    assert_eq!(found, ["5: lost: room lobby, id 1, c2: shown, and not in the final history"]);
}

#[test]
fn a_lost_message_in_the_middle_is_one_anomaly() {
    let script = with("final 1/ann/one 2/ann/two", "final 1/ann/one");
    let text = "12: lost: room lobby, id 2, c1, c2: acknowledged and shown, and not in the final history";
    assert_eq!(verdict(&script), [text]);
    assert_eq!(verdict_with(true, &script), Ok(vec![text.to_owned()]));
}

#[test]
fn of_two_messages_with_one_id_one_is_lost() {
    let script = "
        c1 connected ann
        c1 sent n1 one
        c1 acked n1 1
        c1 sent n2 one
        c1 acked n2 1
        c1 saw 1/ann/one
        reader final 1/ann/one";
    assert_eq!(verdict(script), ["5: lost: room lobby, id 1, c1: acknowledged with the id of another message (j:3)"]);
    let both = script.replace("n2 1", "n2 2").replace("final 1/ann/one", "final 1/ann/one 2/ann/one");
    assert_eq!(verdict(&both.replace("c1 saw 1/ann/one", "c1 saw 1/ann/one\nc1 saw 2/ann/one")), [""; 0]);
}

#[test]
fn a_text_that_vanished_without_a_deletion_is_lost() {
    assert_eq!(kinds(&with("final 1/ann/one", "final 1/ann/-")), ["18: lost"]);
}

#[test]
fn one_send_that_is_stored_twice_is_doubled() {
    let script = format!("{SOUND}\nc1 saw 4/ann/two\nc2 saw 4/ann/two")
        .replace("final 1/ann/one 2/ann/two 3/ann/three", "final 1/ann/one 2/ann/two 3/ann/three 4/ann/two");
    let text = "18: doubled: room lobby, id 4, c1: more often in the final history than it was sent (j:10)";
    assert_eq!(verdict(&script), [text]);
    let sent_twice = script.replace("c1 sent n3", "c1 sent n4 two\nc1 sent n3");
    assert_eq!(verdict(&sent_twice), [""; 0]);
}

#[test]
fn an_id_that_a_client_is_shown_twice_is_doubled() {
    assert_eq!(kinds(&with("c1 saw 2/ann/two", "c1 saw 2/ann/two\nc1 saw 2/ann/two")), ["15: doubled"]);
    assert_eq!(kinds(&with("c1 saw 3/ann/three", "c1 saw 3/ann/three\nc1 saw 2/ann/two")), ["16: doubled"]);
}

#[test]
fn a_nonce_with_two_ids_is_doubled() {
    assert_eq!(kinds(&with("c1 acked n3 3", "c1 acked n3 3\nc1 acked n3 2")), ["14: doubled"]);
    let again = with("c1 acked n3 3", "c1 acked n3 3\nc1 sent n3 three\nc1 acked n3 3");
    assert_eq!(verdict(&again), [""; 0], "an acknowledgement that comes again is sound");
    let own = "
        c1 connected ann
        c1 sent n1 one
        c1 sent n2 one
        c1 welcome 2.aa 1/ann/one#n1 2/ann/one#N
        reader final 1/ann/one 2/ann/one";
    assert_eq!(kinds(&own.replace("#N", "#n1")), ["4: doubled"]);
    assert_eq!(verdict(&own.replace("#N", "#n2")), [""; 0]);
}

#[test]
fn an_entry_twice_in_the_final_history_is_doubled() {
    assert_eq!(kinds(&with("final 1/ann/one", "final 1/ann/one 1/ann/one")), ["18: doubled"]);
}

#[test]
fn an_older_entry_behind_a_newer_one_is_out_of_order() {
    let swapped = with("c1 saw 2/ann/two\n    c1 saw 3/ann/three", "c1 saw 3/ann/three\nc1 saw 2/ann/two");
    assert_eq!(verdict(&swapped), ["15: order: room lobby, id 2, c1: shown behind entries with greater ids"]);
    assert_eq!(kinds(&with("final 1/ann/one 2/ann/two", "final 2/ann/two 1/ann/one")), ["18: order"]);
}

#[test]
fn a_sender_is_stored_in_the_order_of_its_sends() {
    let swapped = with("c1 sent n2 two\n    c1 sent n3 three", "c1 sent n3 three\nc1 sent n2 two");
    assert_eq!(verdict(&swapped), ["10: order: room lobby, id 3, c1: stored behind what the client sent later (j:11)"]);
    let refused = swapped.replace("c1 sent n2 two", "c1 refused n3\nc1 sent n2 two\nc1 sent n3 three");
    assert_eq!(verdict(&refused), [""; 0], "what was refused may be overtaken");
}

#[test]
fn an_entry_that_a_client_never_got_is_a_hole() {
    let found = verdict(&with("c1 saw 2/ann/two\n", "\n"));
    assert_eq!(found, ["14: hole: room lobby, id 2, c1: 1 entry in front of id 3: never shown to the client"]);
}

#[test]
fn a_position_behind_what_a_client_was_shown_is_a_hole() {
    let found = verdict(&with("c2 saw 1/ann/one\n", "\n"));
    assert_eq!(found, ["15: hole: room lobby, id 1, c2: 1 entry in front of id 2: never shown to the client"]);
    let older =
        with("c2 connected bob 1.aa", "c2 connected bob 0.0").replace("c2 resumed 3.aa", "c2 resumed 3.aa 1/ann/one");
    assert_eq!(verdict(&older), [""; 0], "a client may have an older list on its disk");
}

#[test]
fn every_line_counts() {
    let lines: Vec<&str> = SOUND.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let is_sound = |lines: &[&str]| verdict_with(false, &lines.join("\n")).is_ok_and(|found| found.is_empty());
    for (n, line) in lines.iter().enumerate() {
        let without = [&lines[..n], &lines[n + 1..]].concat();
        let needed = [" saw ", " sent ", " resumed ", " final "].iter().any(|event| line.contains(event));
        assert!(!needed || !is_sound(&without), "without {line}");
        let twice = [&lines[..=n], &lines[n..]].concat();
        let once = [" saw ", " welcome ", " resumed ", " final "].iter().any(|event| line.contains(event));
        assert!(!once || !is_sound(&twice), "twice {line}");
    }
}

#[test]
fn ids_without_entries_are_a_hole_unless_ids_are_sparse() {
    let script = "
        c1 connected ann
        c1 sent n1 one
        c1 saw 2/ann/one
        reader final 2/ann/one";
    assert_eq!(kinds(script), ["4: hole"]);
    assert_eq!(verdict_with(true, script), Ok(vec![]));
    assert_eq!(verdict(&format!("{script}\n tester pruned 1")), [""; 0]);
}

#[test]
fn what_was_pruned_is_not_lost() {
    let script = with("final 1/ann/one 2/ann/two", "final");
    assert_eq!(kinds(&script), ["6: lost", "12: lost"]);
    assert_eq!(verdict(&format!("{script}\n tester pruned 2")), [""; 0]);
}

#[test]
fn members_who_have_different_things_under_an_id_disagree() {
    for (other, what) in
        [("2/ann/tow", "text"), ("2/eve/two", "sender"), ("2.bb/ann/two", "tag"), ("2/ann/!1", "content")]
    {
        let found = verdict(&with("c1 saw 2/ann/two", &format!("c1 saw {other}")));
        let text =
            format!("14: disagree: room lobby, id 2, c1: shown with another {what} than in the final history (j:18)");
        assert_eq!(found, [text]);
    }
}

#[test]
fn an_acknowledgement_with_the_id_of_another_message_disagrees() {
    let found = verdict(&with("c1 acked n2 2", "c1 acked n2 1"));
    let text = "12: disagree: room lobby, id 1, c1: acknowledged with another text than in the final history (j:18)";
    assert_eq!(found, [text]);
}

#[test]
fn a_list_that_ends_too_early_is_behind() {
    let script = with("c1 saw 3/ann/three\n", "\n");
    let text = "18: behind: room lobby, id 3, c1: the list of the client ends with id 2, and the final history goes on";
    assert_eq!(verdict(&script.replace("reader", "\nreader")), [text.replace("18:", "17:")]);
    assert_eq!(verdict(&script.replace("reader", "c1 disconnected\nreader")), [""; 0], "whoever left need not know");
}

#[test]
fn an_answer_to_what_was_never_sent_is_unsent() {
    assert_eq!(kinds(&with("c1 acked n3 3", "c1 acked n3 3\nc1 acked n4 3")), ["14: unsent"]);
    assert_eq!(kinds(&with("c1 acked n3 3", "c1 acked n3 3\nc1 refused n4")), ["14: unsent"]);
    assert_eq!(kinds(&with("c1 saw 2/ann", "c2 acked n2 2\nc1 saw 2/ann")), ["14: unsent"], "it was another client");
}

#[test]
fn a_message_from_no_client_is_a_phantom() {
    let script = with("c1 sent n2 two\n", "\n").replace("c1 acked n2 2", "");
    let found = verdict(&script);
    assert_eq!(found, ["16: phantom: room lobby, id 2: in the final history, and sent by no client"]);
    let shown = with("c1 saw 3/ann/three", "c1 saw 3/ann/three\nc1 saw 4/eve/boo");
    assert_eq!(verdict(&shown), ["16: phantom: room lobby, id 4, c1: shown, and sent by no client"]);
}

#[test]
fn a_refused_message_must_not_be_stored() {
    let script = with("c1 acked n3 3", "c1 refused n3");
    assert_eq!(
        verdict(&script),
        ["18: refused: room lobby, id 3, c1: refused, and in the final history all the same (j:11)"]
    );
    let again = with("c1 acked n3 3", "c1 sent n3 three\nc1 refused n3");
    assert_eq!(verdict(&again), [""; 0], "the first send may have been stored");
}

#[test]
fn journals_in_several_files_are_one() {
    let mut out = Vec::new();
    let mut judge = Judge::new(Report::new(&mut out, true, vec!["a".into(), "b".into(), "c".into()]));
    for (file, client) in (0..).zip(["reader", "c2", "c1"]) {
        let own = SOUND.lines().map(str::trim).filter(|words| words.starts_with(client));
        judge.read(file, own.map(line).collect::<String>().as_bytes()).expect("a journal");
    }
    assert_eq!(judge.close(false).expect("a verdict"), 0);
    let counts: serde_json::Value = serde_json::from_slice(&out).expect("one line");
    let count = |name: &str| counts[name].as_u64();
    assert_eq!(["rooms", "clients", "sent", "acknowledged"].map(count), [1, 2, 3, 3].map(Some));
    assert_eq!(["shown", "gaps", "final"].map(count), [6, 0, 3].map(Some));
    assert_eq!(counts["anomalies"]["lost"].as_u64(), Some(0));
}

#[test]
fn a_journal_that_cannot_be_judged_gets_a_sentence() {
    for (script, why) in [
        ("c1 connected ann\nc1 seen", r#"j:2: there is no event "seen""#),
        ("c1 disconnected", "j:1: this client has not connected to this room before"),
        ("c1 connected ann\nc1 connected bob", "j:2: a client has one user, and this one had another before"),
        ("c1 connected ann", "room lobby: no journal has the final history"),
        ("", "the journals are empty"),
    ] {
        assert!(verdict_with(false, script).is_err_and(|said| said.contains(why)), "{script}");
    }
    let torn = Judge::new(Report::new(Vec::new(), false, vec!["j".into()])).read(0, &b"\n{\"event\":\"final\""[..]);
    assert!(torn.is_err_and(|why| why.starts_with("j:2: this is not JSON: ")));
}

#[test]
fn anomalies_of_a_kind_are_written_to_a_limit_and_counted() {
    let holes = (1..=300).map(|id| format!("c1 saw {}/ann/one\n", 2 * id)).collect::<String>();
    let rows = (1..=600).map(|id| format!(" {id}/ann/one")).collect::<String>();
    let sends = (1..=600).map(|n| format!("c1 sent n{n} one\n")).collect::<String>();
    let found = verdict(&format!("c1 connected ann\n{sends}{holes}reader final{rows}"));
    assert_eq!(found.len(), 100);
}
