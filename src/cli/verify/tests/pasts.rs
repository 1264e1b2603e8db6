//! Lists that are resumed or replaced, and what deletions do to them.

use super::{kinds, verdict, with};

#[test]
fn a_resumed_client_gets_exactly_what_it_missed() {
    let resumed = "c2 resumed 3.aa 2/ann/two 3/ann/three";
    for (wrong, text) in [
        ("c2 resumed 3.aa 3/ann/three", "id 2, c2: 1 entry in front of id 3: not given when the client resumed"),
        ("c2 resumed 3.aa 2/ann/two", "id 3, c2: 1 entry in front of id 4: not given when the client resumed"),
        ("c2 resumed 3.aa", "id 2, c2: 2 entries in front of id 4: not given when the client resumed"),
        ("c2 resumed 3.aa 1/ann/one 2/ann/two 3/ann/three", "id 1, c2: given as missed, though the client has it"),
        ("c2 resumed 2.aa 2/ann/two 3/ann/three", "id 2, c2: the position is in front of an entry that the client has"),
        (
            "c2 welcome 3.aa 1/ann/one 2/ann/two 3/ann/three",
            "c2: asked to resume, and got another history without a gap",
        ),
    ] {
        assert_eq!(verdict(&with(resumed, wrong)), [format!("17: resume: room lobby, {text}")]);
    }
}

#[test]
fn a_welcome_is_what_the_client_asked_for() {
    let fresh = with("c2 connected bob 1.aa", "c2 connected bob");
    assert_eq!(verdict(&fresh), ["17: resume: room lobby, c2: resumed, though it did not ask for that"]);
    let again = with("3/ann/three\n    reader", "3/ann/three\nc2 welcome 3.aa 3/ann/three\nreader");
    assert_eq!(verdict(&again), ["18: resume: room lobby, c2: a second welcome"]);
    let gap = with("c2 resumed 3.aa", "c2 gap too_far\nc2 resumed 3.aa");
    assert_eq!(verdict(&gap), ["18: resume: room lobby, c2: resumed after a gap"]);
    let early = with("c2 resumed 3.aa 2/ann/two 3/ann/three", "c2 gap too_far\nc2 saw 3/ann/three\nc2 welcome 3.aa");
    assert_eq!(verdict(&early), ["18: resume: room lobby, id 3, c2: shown between a gap and its welcome"]);
}

#[test]
fn after_a_gap_the_list_begins_anew() {
    let script = with("c2 resumed 3.aa 2/ann/two 3/ann/three", "c2 gap too_far\nc2 welcome 3.aa 3/ann/three");
    assert_eq!(verdict(&script), [""; 0]);
    let doubled = script.replace("c2 gap too_far\n", "");
    assert_eq!(kinds(&doubled), ["17: resume"]);
}

/// A client is shown two entries of which a copy has only the first; then something else is said.
const RESTORED: &str = "
    c1 connected ann
    c1 welcome 0.0
    c1 sent n1 one
    c1 acked n1 1
    c1 saw 1/ann/one
    c1 sent n2 two
    c1 acked n2 2
    c1 saw 2/ann/two
    c1 connected ann 2.aa
    c1 gap other
    c1 welcome 1.aa 1/ann/one
    c1 sent n3 three
    c1 acked n3 2
    c1 saw 2.bb/ann/three
    reader final 1/ann/one 2.bb/ann/three
    tester restored 1
";

#[test]
fn a_history_replaced_by_a_copy_is_a_fork() {
    assert_eq!(verdict(RESTORED), [""; 0]);
    let unsaid = RESTORED.replace("tester restored 1", "");
    assert_eq!(kinds(&unsaid), ["7: disagree", "10: fork"]);
    let needless = with("c2 resumed 3.aa", "c2 gap other\nc2 welcome 3.aa 1/ann/one");
    let text = "17: fork: room lobby, c2: told of another history, though none was put in place of this one";
    assert_eq!(verdict(&needless), [text]);
}

#[test]
fn a_copy_excuses_only_what_came_after_it_and_before_the_gap() {
    assert_eq!(kinds(&RESTORED.replace("restored 1", "restored 2")), ["7: disagree"]);
    let resumed = RESTORED.replace("c1 gap other", "").replace("c1 welcome 1.aa 1/ann/one", "c1 resumed 2.aa");
    assert_eq!(kinds(&resumed), ["13: doubled", "7: disagree"], "a wrong list is found");
    let invented = RESTORED.replace("c1 sent n2 two", "").replace("c1 acked n2 2", "");
    assert_eq!(kinds(&invented), ["6: phantom"]);
}

#[test]
fn an_id_that_a_copy_lacks_may_be_given_again() {
    let script = RESTORED
        .replace("c1 saw 2.bb/ann/three", "c1 saw 2.bb/ann/three\nc1 sent n4 !2\nc1 acked n4 3\nc1 saw 3/ann/!2");
    let script = script.replace("final 1/ann/one 2.bb/ann/three", "final 1/ann/one 2.bb/ann/- 3/ann/!2");
    assert_eq!(verdict(&script), [""; 0]);
}

#[test]
fn what_was_acknowledged_and_not_shown_is_excused_by_a_copy() {
    let resumed = |history: &str| {
        RESTORED
            .replace("c1 saw 2/ann/two", "c1 disconnected")
            .replace("c1 connected ann 2.aa", "c1 connected ann 1.aa")
            .replace("c1 gap other", "")
            .replace("c1 welcome 1.aa 1/ann/one", history)
    };
    assert_eq!(verdict(&resumed("c1 resumed 1.aa")), [""; 0], "the list of the client is right");
    assert_eq!(kinds(&resumed("c1 resumed 1.aa").replace("tester restored 1", "")), ["7: disagree"]);
    let kept = resumed("c1 resumed 2.aa 2/ann/two");
    assert_eq!(kinds(&kept), ["13: doubled", "7: disagree"], "what the client resumed with counts");
}

#[test]
fn a_deleted_message_keeps_its_place_and_no_text() {
    let script = with("c1 saw 3/ann/three", "c1 saw 3/ann/three\nc1 sent n4 !2\nc1 acked n4 4\nc1 saw 4/ann/!2")
        .replace("c2 resumed 3.aa 2/ann/two 3/ann/three", "c2 resumed 4.aa 2/ann/- 3/ann/three 4/ann/!2")
        .replace("final 1/ann/one 2/ann/two 3/ann/three", "final 1/ann/one 2/ann/- 3/ann/three 4/ann/!2");
    assert_eq!(verdict(&script), [""; 0]);
    let shown = script.replace("4.aa 2/ann/-", "4.aa 2/ann/two");
    let text = "20: ghost: room lobby, id 2, c2: shown with its text, in a history that has its deletion";
    assert_eq!(verdict(&shown), [text]);
    assert_eq!(kinds(&script.replace("one 2/ann/-", "one 2/ann/two")), ["21: ghost"]);
    assert_eq!(kinds(&script.replace("c1 sent n4 !2\nc1 acked n4 4\n", "")), ["19: phantom"]);
}

#[test]
fn a_cleared_user_has_no_texts() {
    let script = with("c1 saw 3/ann/three", "c1 saw 3/ann/three\nc1 saw 4/op/!!ann")
        .replace("c2 resumed 3.aa 2/ann/two 3/ann/three", "c2 resumed 4.aa 2/ann/- 3/ann/- 4/op/!!ann")
        .replace("final 1/ann/one 2/ann/two 3/ann/three", "final 1/ann/- 2/ann/- 3/ann/- 4/op/!!ann");
    assert_eq!(verdict(&script), [""; 0]);
    assert_eq!(kinds(&script.replace("final 1/ann/-", "final 1/ann/one")), ["19: ghost"]);
}
