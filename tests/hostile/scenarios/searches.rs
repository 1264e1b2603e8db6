//! Searches whose askers leave: while they wait in the queue, while the site has not answered, in the middle of its
//! response; by FIN and by reset.

use crate::stage::{Size, Stage};
use crate::swarm::Swarm;
use crate::wire;
use std::io;
use std::rc::Rc;
use std::time::Duration;

const SEARCHES: usize = 1000;
const PAUSE: Duration = Duration::from_millis(5);
/// The default of `--search-max`.
const AT_ONCE: usize = 256;

pub fn attack(stage: &mut Stage, size: Size) -> io::Result<String> {
    let request: Rc<[u8]> = wire::get("/search?wd=squall").into();
    let searches = size.of(SEARCHES);
    let mut swarm = Swarm::new()?;
    let mut askers = Vec::new();
    for _ in 0..searches {
        askers.push(swarm.connect(stage.address, &request, request.len() as u64)?);
    }
    let expected = searches.min(AT_ONCE);
    let mut streaming = 0;
    stage.wait_until(|stage| {
        let _ = swarm.turn(PAUSE);
        streaming = swarm.peers.iter().filter(|(_, peer)| peer.status() == Some(200)).count();
        let open = stage.upstream.as_ref().map_or(0, |site| site.open());
        // Of all of them, those in the queue included, only squall itself knows.
        let fetches = stage.server.counts().map_or(searches, |counts| counts.fetches);
        fetches == searches && open == expected && streaming >= expected / 2
    });
    // Half of them leave one by one, the rest at once; and while one leaves, the next in the queue takes its place.
    let one_by_one = askers.len() / 2;
    while !askers.is_empty() && stage.goes_on() {
        let key = askers.swap_remove(stage.dice.below(askers.len()));
        match stage.dice.below(2) {
            0 => swarm.close(key),
            _ => swarm.reset(key),
        }
        if size == Size::Full && askers.len() > one_by_one {
            swarm.turn(PAUSE)?;
        }
    }
    stage.wait_until(|stage| stage.upstream.as_ref().is_none_or(|site| site.open() == 0));
    let came = stage.upstream.as_ref().map_or(0, |site| site.came());
    Ok(format!(
        "{searches} abandoned, {streaming} of them in the middle of the response, {came} connections to the site"
    ))
}
