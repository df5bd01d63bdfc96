//! Property tests beside a database: seeded, so that a run is a run; `PROPERTY_SEED` and `PROPERTY_CASES` explore.

use proptest::strategy::Strategy;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};

#[expect(
    clippy::disallowed_methods,
    reason = "whoever explores names a seed; the product's settings have nothing to do with it"
)]
fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(
        text.parse()
            .unwrap_or_else(|_| panic!("{name} is {text:?}; it is a whole number")),
    )
}

/// How many rounds `make soak` asks for under this name; none in `make test`, which takes a few.
pub(crate) fn soak(name: &str) -> Option<usize> {
    number(name).map(|rounds| usize::try_from(rounds).unwrap())
}

/// The seed of this run.
pub(crate) fn seed() -> u64 {
    number("PROPERTY_SEED").unwrap_or(20_261_122)
}

/// Tries `test` on so many values, and tells the smallest value that fails.
pub(crate) fn check<S: Strategy>(
    cases: u32,
    strategy: &S,
    test: impl Fn(S::Value) -> Result<(), TestCaseError>,
) where
    S::Value: std::fmt::Debug,
{
    let cases = number("PROPERTY_CASES").map_or(cases, |cases| u32::try_from(cases).unwrap());
    let config = Config {
        cases,
        failure_persistence: None,
        max_shrink_iters: 2_000,
        ..Config::default()
    };
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed().to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    match TestRunner::new_with_rng(config, rng).run(strategy, test) {
        Ok(()) => {}
        Err(TestError::Fail(why, value)) => {
            panic!("seed {}: {why}\nsmallest failing value: {value:#?}", seed())
        }
        Err(TestError::Abort(why)) => panic!("gave up: {why}"),
    }
}
