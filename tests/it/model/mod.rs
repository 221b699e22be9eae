//! The state model: whatever people, forge, network, database and time do, and in whatever order, the rules and the
//! protocol hold at each single write.
//!
//! * `plan`: what can happen, drawn by chance. `run` tells it, one act after the other.
//! * `world` and `forge`: the forge in memory, behind its port. `scene`: what is about to go wrong. `store`: a true
//!   store, watched.
//! * `law` and `book`: what must hold, written down a second time, and checked at each write, lease and deed.
//!
//! Histories are drawn from a seed, and one that fails is made as short as it can be. How many and which, the
//! environment says: `COUNTERSIGN_MODEL_CASES`, `COUNTERSIGN_MODEL_SEED`.

mod book;
mod forge;
mod law;
mod plan;
mod run;
mod scene;
mod store;
mod world;

use plan::plans;
use proptest::test_runner::{Config, RngSeed, TestCaseError, TestRunner};
use run::Run;

/// As many as end within some seconds.
const CASES: u32 = 40;
const SEED: u64 = 1;

#[test]
fn whatever_happens_the_rules_hold() {
    let cases = told("CASES").unwrap_or(u64::from(CASES));
    let seed = told("SEED").unwrap_or(SEED);
    let config = Config {
        cases: u32::try_from(cases).unwrap(),
        rng_seed: RngSeed::Fixed(seed),
        failure_persistence: None,
        max_shrink_time: 60_000,
        ..Config::default()
    };
    let told = TestRunner::new(config).run(&plans(), |plan| Run::tell(&plan).map_err(TestCaseError::fail));
    if let Err(wrong) = told {
        panic!("COUNTERSIGN_MODEL_SEED={seed} COUNTERSIGN_MODEL_CASES={cases}: {wrong}");
    }
}

#[expect(clippy::disallowed_methods, reason = "how more of them are asked for")]
fn told(name: &str) -> Option<u64> {
    std::env::var(format!("COUNTERSIGN_MODEL_{name}")).ok().map(|number| number.parse().unwrap())
}
