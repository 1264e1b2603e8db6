//! The signed cookie: what is signed verifies, what is forged never does, and it is found among others.
#![no_main]

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use libfuzzer_sys::fuzz_target;
use sha2::Sha256;
use squall::site::cookie::{Signed, Signer, find, set_cookie};
use squall_fuzz::cuts::take_plan;

const SECRET: &[u8] = b"a secret that no input holds: 4b414fcb46b1b73b";
const NAME: &str = "username";
const THEN: u64 = 1_700_000_000;
const DAY: u64 = 24 * 3600;

fuzz_target!(|data: &[u8]| {
    let Some((options, cuts, bytes)) = take_plan(data) else { return };
    let signer = Signer::new(SECRET);
    let signed = signer.sign(NAME, bytes, THEN);
    check_signed(&signer, &signed, bytes);
    check_found(&signed, bytes, options & 1 == 0);
    check_forged(&signer, &signed, bytes, cuts.0);
    check_nonsense_of_an_owner(&signer, bytes);
});

fn check_signed(signer: &Signer, signed: &str, value: &[u8]) {
    assert!(signed.bytes().all(|byte| byte.is_ascii_graphic() && !b"\";,\\".contains(&byte)));
    for (now, good) in [(THEN, true), (0, true), (THEN + 30 * DAY, true), (THEN + 30 * DAY + 1, false)] {
        assert_eq!(signer.verify(NAME, signed, now).map(|signed| signed.value).as_deref(), good.then_some(value));
    }
    assert_eq!(signer.verify("usernam", signed, THEN), None);
    assert_eq!(Signer::new(&SECRET[1..]).verify(NAME, signed, THEN), None);
}

/// Whatever a browser sends before it: the last cookie of this name is meant. What follows is kept in order by `;`.
fn check_found(signed: &str, noise: &[u8], quoted: bool) {
    let ours = if quoted { format!("{NAME}=\"{signed}\"") } else { format!("{NAME}={signed}") };
    let before = [noise, b"; ", ours.as_bytes()].concat();
    assert_eq!(find([before.as_slice()].into_iter(), NAME).as_deref(), Some(signed));
    assert_eq!(find([noise, ours.as_bytes()].into_iter(), NAME).as_deref(), Some(signed));
    let field = set_cookie(NAME, signed, quoted);
    assert_eq!(field.split("; ").next(), Some(format!("{NAME}={signed}").as_str()));
    // Anything at all is read without harm.
    find([noise, noise].into_iter(), "");
    find([noise].into_iter(), NAME);
}

/// One byte changed, some bytes taken away, or something put in front, behind or in place of it: never a cookie.
fn check_forged(signer: &Signer, signed: &str, bytes: &[u8], places: &[u8]) {
    let mut forged = Vec::new();
    if let Ok(text) = str::from_utf8(bytes) {
        forged.extend([text.to_owned(), format!("{text}{signed}"), format!("{signed}{text}")]);
    }
    for (n, &place) in places.iter().enumerate() {
        let at = usize::from(place) * signed.len() / 256;
        let mut changed = signed.as_bytes().to_vec();
        changed[at] = changed[at].wrapping_add(1 + n as u8) & 0x7f;
        forged.extend(String::from_utf8(changed));
        forged.extend([signed[..at].to_owned(), signed[at..].to_owned()]);
    }
    for text in forged.iter().filter(|text| *text != signed) {
        assert_eq!(signer.verify(NAME, text, THEN), None, "{text:?}");
    }
}

/// Only an owner of the secret comes past the signature; nonsense is still no cookie, and does no harm.
fn check_nonsense_of_an_owner(signer: &Signer, bytes: &[u8]) {
    let Ok(message) = str::from_utf8(bytes) else { return };
    let message = format!("2|{message}|");
    let mut signed = message.clone();
    let mac = Hmac::<Sha256>::new_from_slice(SECRET).expect("any length will do").chain_update(&message).finalize();
    mac.into_bytes().iter().for_each(|byte| signed.push_str(&format!("{byte:02x}")));
    if let Some(Signed { value, .. }) = signer.verify(NAME, &signed, THEN) {
        // Lengths may have zeros in front, as in Tornado.
        let ending = format!(":{}|", STANDARD.encode(value));
        assert!(message.contains(&format!(":{NAME}|")) && message.ends_with(&ending));
    }
}
