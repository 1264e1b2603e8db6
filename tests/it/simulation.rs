//! The test plays the kernel: a simulated network and clock under the real server, seeded.
//!
//! Bytes are cut anywhere, writes are taken in part, readiness comes late, twice, reordered or for the dead, peers
//! vanish at any moment: that is `world`. Over it, `members` chat and load pages; `fetches` are asked by browsers and
//! by owners outside, and answered by the `sites`. At the end nothing may be left.
//!
//! A failing seed is printed; `SQUALL_SEED=N` replays it, `SQUALL_SEEDS=FROM..TO` runs others than CI does.

mod browsers;
mod fetches;
mod members;
mod owners;
mod sites;
mod world;

const SEEDS: u64 = 2000;

/// Runs the simulation with each of its seeds.
fn simulate_all(simulate: fn(u64)) {
    let number = |text: &str| text.parse().expect("a number");
    let variable = |name| std::env::var(name).ok();
    if let Some(seed) = variable("SQUALL_SEED") {
        return simulate(number(&seed));
    }
    let seeds = variable("SQUALL_SEEDS").map_or(0..SEEDS, |seeds| {
        let (from, to) = seeds.split_once("..").expect("FROM..TO");
        number(from)..number(to)
    });
    for seed in seeds {
        if let Err(panic) = std::panic::catch_unwind(|| simulate(seed)) {
            eprintln!("seed {seed} fails; replay it with SQUALL_SEED={seed}");
            std::panic::resume_unwind(panic);
        }
    }
}

#[test]
fn whatever_the_kernel_does_members_see_the_log_and_nothing_is_left() {
    simulate_all(members::simulate);
}

#[test]
fn whatever_the_sites_do_every_fetch_has_one_end_and_its_own_answer() {
    simulate_all(fetches::simulate);
}
