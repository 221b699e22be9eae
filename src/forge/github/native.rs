//! What GitHub knows a deployment by: the run, the attempt and the environment. It has no number for all three.

use super::decimal::positive;
use crate::domain::id::Native;
use crate::ports::failure::Failure;
use std::fmt;

/// One environment of one attempt of a run. As text `{run}.{attempt}:{environment}`: `4711.2:production`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Spot {
    pub(super) run: i64,
    /// Counted from 1.
    pub(super) attempt: i64,
    /// As GitHub spells it; upper and lower case don't tell environments apart.
    pub(super) environment: String,
}

impl Spot {
    /// Reads back what [`Spot::native`] made.
    pub(super) fn of(native: &Native) -> Result<Self, Failure> {
        let stranger = || Failure::Unreadable(format!("{native} is no deployment of GitHub's"));
        Self::parse(native.as_str()).ok_or_else(stranger)
    }

    fn parse(text: &str) -> Option<Self> {
        let (run, rest) = text.split_once('.')?;
        let (attempt, environment) = rest.split_once(':')?;
        let (run, attempt) = (positive(run)?, positive(attempt)?);
        (!environment.is_empty()).then(|| Self { run, attempt, environment: environment.to_owned() })
    }

    /// For those who needn't understand it.
    pub(super) fn native(&self) -> Native {
        Native::new(self.to_string())
    }

    /// Whether this is the environment's name.
    pub(super) fn is_in(&self, environment: &str) -> bool {
        same_environment(&self.environment, environment)
    }
}

/// Whether two names are one environment's.
pub(super) fn same_environment(one: &str, other: &str) -> bool {
    one.to_lowercase() == other.to_lowercase()
}

impl fmt::Display for Spot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}:{}", self.run, self.attempt, self.environment)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("4711.1:production", 4711, 1, "production")]
    #[case("4711.12:prod/eu west", 4711, 12, "prod/eu west")]
    #[case("9223372036854775807.1:a:b.c:1", i64::MAX, 1, "a:b.c:1")]
    fn a_deployment_is_known_again(
        #[case] text: &str,
        #[case] run: i64,
        #[case] attempt: i64,
        #[case] environment: &str,
    ) {
        let spot = Spot { run, attempt, environment: environment.to_owned() };
        assert_eq!(Spot::of(&Native::new(text)), Ok(spot.clone()));
        assert_eq!(spot.native(), Native::new(text));
    }

    #[rstest]
    #[case("")]
    #[case("4711")]
    #[case("4711:production")]
    #[case("4711.1")]
    #[case("4711.1:")]
    #[case("4711.0:production")]
    #[case("0.1:production")]
    #[case("-1.1:production")]
    #[case("04711.1:production")]
    #[case("9223372036854775808.1:production")]
    fn what_we_did_not_make_is_not_read(#[case] text: &str) {
        assert!(matches!(Spot::of(&Native::new(text)), Err(Failure::Unreadable(_))));
    }

    #[test]
    fn the_case_of_an_environment_does_not_matter() {
        let spot = Spot { run: 1, attempt: 1, environment: "Über-Prod".to_owned() };
        assert!(spot.is_in("über-prod") && !spot.is_in("prod"));
    }
}
