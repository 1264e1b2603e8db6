//! Acts of operators, and claims to names.

use super::*;

fn act(deed: Deed) -> Act {
    Act { at: at(7), by: "op".into(), room: "lobby".into(), deed }
}

/// The last acts, as they are in the log.
fn acts(store: &mut dyn Store, limit: u32) -> Vec<Act> {
    match ask(store, Command::ReadActs { limit, nonce: None }).pop() {
        Some(Outcome::Acts { acts, .. }) => acts,
        other => panic!("acts were expected: {other:?}"),
    }
}

#[test]
fn an_act_is_stored_and_told_to_all() {
    on_each(10, |store| {
        let nonce = Some(Nonce([5; 16]));
        let ban = act(Deed::Ban { whom: Whom::Name("bob".into()), until: Until::Ever });
        let outcomes = ask(store, Command::Record { act: ban.clone(), nonce });
        assert_eq!(outcomes, [Outcome::Recorded { nonce, act: ban.clone(), entry: None }, Outcome::Act(ban.clone())]);
        let kick = act(Deed::Kick { name: "bob".into() });
        ask(store, Command::Record { act: kick.clone(), nonce: None });
        assert_eq!(acts(store, 10), [ban, kick.clone()]);
        assert_eq!(acts(store, 1), [kick]);
        assert_eq!(acts(store, 0), []);
    });
}

#[test]
fn an_act_that_is_an_entry_is_both() {
    on_each(10, |store| {
        append(store, message("ann", None, "secret"));
        append(store, message("bob", None, "more"));
        for (deed, kind, left) in [
            (Deed::Delete { id: 1 }, Kind::Deleted { target: 1, by: "op".into() }, [None, Some("more")]),
            (Deed::Clear { name: "bob".into() }, Kind::Cleared { user: "bob".into(), by: "op".into() }, [None, None]),
        ] {
            let act = act(deed);
            let outcomes = ask(store, Command::Record { act: act.clone(), nonce: None });
            let [Outcome::Recorded { entry: Some(position), .. }, Outcome::Entry { entry, .. }] = &outcomes[..] else {
                panic!("{outcomes:?}")
            };
            assert_eq!((*position, &entry.kind), (entry.position(), &kind));
            assert_eq!(texts(&read(store, Range::Last, 10)), left);
            assert_eq!(acts(store, 1), [act]);
        }
        let refused = ask(store, Command::Record { act: act(Deed::Delete { id: 1 }), nonce: None });
        assert!(matches!(refused[..], [Outcome::Refused { why: Refusal::NoSuchMessage, .. }]), "{refused:?}");
        assert_eq!(acts(store, 10).len(), 2, "what was not done is not logged");
    });
}

#[test]
fn the_acts_in_force_are_bounded_and_make_place_when_they_are_over() {
    on_each(10, |store| {
        let mute = |n: usize, until| act(Deed::Mute { name: format!("user {n}").into(), until });
        let over = Until::Time(at(7));
        let submit = |store: &mut dyn Store, act| store.submit(ConnId::new(1, 1), Command::Record { act, nonce: None });
        for n in 0..acts::IN_FORCE_MAX - 1 {
            // A store with a thread refuses commands when too many wait.
            if n % 1000 == 0 {
                drain(store);
            }
            submit(store, mute(n, Until::Ever));
        }
        drain(store);
        submit(store, mute(20_000, over));
        drain(store);
        assert_eq!(
            ask(store, Command::Record { act: mute(1, Until::Ever), nonce: None }).len(),
            2,
            "it takes its place"
        );
        assert_eq!(ask(store, Command::Record { act: mute(30_000, Until::Ever), nonce: None }).len(), 2, "one is over");
        let refused = ask(store, Command::Record { act: mute(40_000, Until::Ever), nonce: None });
        assert!(matches!(refused[..], [Outcome::Refused { why: Refusal::TooManyActs, .. }]), "{refused:?}");
        ask(store, Command::Record { act: act(Deed::Unmute { name: "user 7".into() }), nonce: None });
        assert_eq!(ask(store, Command::Record { act: mute(40_000, Until::Ever), nonce: None }).len(), 2);
    });
}

/// Waits until all that was submitted is done.
fn drain(store: &mut dyn Store) {
    store.submit(ConnId::new(9, 9), Command::ListRooms);
    store.flush();
    let deadline = Instant::now() + WITHIN;
    loop {
        match store.take() {
            Some((_, Outcome::Rooms(_))) => return,
            Some((_, outcome)) => assert!(!matches!(outcome, Outcome::Refused { .. }), "{outcome:?}"),
            None => {
                assert!(Instant::now() < deadline, "no outcome");
                std::thread::sleep(Duration::from_micros(100));
            }
        }
    }
}

fn claim(store: &mut dyn Store, name: &str, looks: [&str; 2], millis: u64) -> Claim {
    let command = Command::Claim { name: name.into(), looks: looks.map(Box::from), signer: 7, at: at(millis) };
    match &ask(store, command)[..] {
        [Outcome::Claimed { name: claimed, claim }] if **claimed == *name => *claim,
        other => panic!("{other:?}"),
    }
}

fn free(store: &mut dyn Store, name: &str) {
    let deed = Deed::Free { name: name.into(), until: Until::Ever };
    assert_eq!(ask(store, Command::Record { act: act(deed), nonce: None }).len(), 2);
}

#[test]
fn a_name_is_claimed_once_with_all_that_looks_like_it() {
    on_each(10, |store| {
        assert_eq!(claim(store, "Ivan", ["ivan", "lvan"], 1), Claim::New);
        for (name, looks) in [("Ivan", ["ivan", "lvan"]), ("ivan", ["ivan", "ivan"]), ("lvan", ["lvan", "lvan"])] {
            assert_eq!(claim(store, name, looks, 2), Claim::Taken, "{name}");
        }
        assert_eq!(claim(store, "ann", ["ann", "ann"], 3), Claim::New, "two looks may be the same");
        assert_eq!(claim(store, "a\0'", ["a\0'", "😀"], 3), Claim::New);
        assert_eq!(claim(store, "a", ["a", "a"], 3), Claim::New);
    });
}

#[test]
fn a_claim_under_another_secret_does_not_count() {
    on_each(10, |store| {
        let claim = |signer: u64| {
            let command = Command::Claim { name: "ann".into(), looks: ["ann".into(), "aun".into()], signer, at: at(1) };
            matches!(ask(store, command)[..], [Outcome::Claimed { claim: Claim::New, .. }])
        };
        assert_eq!([1, 1, u64::MAX, u64::MAX].map(claim), [true, false, true, false]);
    });
}

#[test]
fn a_freed_name_may_be_claimed_again() {
    on_each(10, |store| {
        claim(store, "Ivan", ["ivan", "lvan"], 1);
        free(store, "lvan");
        assert_eq!(claim(store, "lvan", ["lvan", "lvan"], 3), Claim::Taken, "only the name itself is freed");
        free(store, "Ivan");
        assert_eq!(claim(store, "lvan", ["lvan", "lvan"], 5), Claim::New);
        assert_eq!(claim(store, "Ivan", ["ivan", "lvan"], 6), Claim::Taken);
    });
}
