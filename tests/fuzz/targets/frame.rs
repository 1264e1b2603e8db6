//! Frame headers: `parse_header`, the encoders, the mask.
#![no_main]

use libfuzzer_sys::fuzz_target;
use squall::ws::frame::{
    CONTROL_BYTES_MAX, HEADER_BYTES_MAX, encode, encode_compressed, encode_masked, parse_header, unmask,
};

/// RSV1: the first frame of a compressed message.
const COMPRESSED: u8 = 0x40;

fuzz_target!(|data: &[u8]| {
    let plain = parse_header(data, false);
    check(data, false);
    check(data, true);
    // Compression takes nothing away and adds one bit.
    assert!(plain.is_err() || plain == parse_header(data, true));
});

fn check(data: &[u8], compression: bool) {
    let whole = parse_header(data, compression);
    // Fewer bytes say the same or not yet; what is refused or found early stays so.
    let mut said = false;
    for end in 0..=data.len().min(HEADER_BYTES_MAX) {
        let early = parse_header(&data[..end], compression);
        assert!(early == whole || !said && early == Ok(None), "{early:?} of {end} bytes");
        said |= early != Ok(None);
    }
    let Ok(Some((header, at))) = whole else { return };
    assert!((2..=HEADER_BYTES_MAX).contains(&at) && header.length >> 63 == 0);
    assert!(!header.compressed || compression && !header.opcode.is_control());
    assert!(!header.opcode.is_control() || header.fin && header.length <= CONTROL_BYTES_MAX as u64);

    let Some(payload) = usize::try_from(header.length).ok().and_then(|length| data[at..].get(..length)) else { return };
    let mut plain = payload.to_vec();
    unmask(&mut plain, header.mask.unwrap_or_default(), 0);
    let mut wire = Vec::new();
    match header.mask {
        Some(mask) => encode_masked(header.opcode, header.fin, mask, &plain, &mut wire),
        None if header.fin && header.compressed => encode_compressed(header.opcode, &plain, &mut wire),
        None if header.fin => encode(header.opcode, &plain, &mut wire),
        None => return,
    }
    wire[0] |= if header.compressed { COMPRESSED } else { 0 };
    assert_eq!(wire, data[..at + payload.len()], "what is parsed is encoded to the same bytes");

    let mask = header.mask.unwrap_or([1, 2, 3, 4]);
    let split = payload.len() * usize::from(data[0]) / 256;
    let mut pieces = plain.clone();
    unmask(&mut pieces[..split], mask, 0);
    unmask(&mut pieces[split..], mask, split);
    let slowly: Vec<u8> = plain.iter().zip(mask.iter().cycle()).map(|(byte, key)| byte ^ key).collect();
    assert_eq!(pieces, slowly);
}
