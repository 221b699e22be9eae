//! Numbers inside of texts that have one spelling each.

/// A number in its one spelling: no sign, no blanks, no zeros in front, at least 1.
pub(super) fn positive(text: &str) -> Option<i64> {
    natural(text).filter(|number| *number > 0)
}

/// As [`positive`], or 0.
pub(super) fn natural(text: &str) -> Option<i64> {
    let number: i64 = text.parse().ok()?;
    (number >= 0 && number.to_string() == text).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("1", Some(1))]
    #[case("9223372036854775807", Some(i64::MAX))]
    #[case("9223372036854775808", None)]
    #[case("-1", None)]
    #[case("+1", None)]
    #[case("-0", None)]
    #[case("01", None)]
    #[case(" 1", None)]
    #[case("1 ", None)]
    #[case("1_0", None)]
    #[case("１", None)]
    #[case("1e3", None)]
    #[case("", None)]
    fn a_number_has_one_spelling(#[case] text: &str, #[case] number: Option<i64>) {
        assert_eq!(positive(text), number);
        assert_eq!(natural(text), number);
    }

    #[test]
    fn nothing_is_a_natural_number_and_not_a_positive_one() {
        assert_eq!((natural("0"), positive("0")), (Some(0), None));
    }
}
