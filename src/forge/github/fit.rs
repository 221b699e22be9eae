//! Texts of ours within GitHub's limits.

/// The text, cut to at most `most` characters. The hidden marker behind it stays whole: by it the text is found
/// again.
pub(super) fn fit(text: &str, most: usize) -> String {
    const CUT: &str = "…";
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let (words, marker) = match text.rfind("\n\n<!-- ").and_then(|at| text.split_at_checked(at)) {
        Some((words, marker)) if marker.chars().count() < most => (words, marker),
        Some(_) | None => (text, ""),
    };
    let room = most.saturating_sub(marker.chars().count() + CUT.chars().count());
    words.chars().take(room).chain(CUT.chars()).chain(marker.chars()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_fits_stays_as_it_is() {
        assert_eq!(fit("äöü", 3), "äöü");
    }

    #[test]
    fn a_long_text_is_cut_between_characters_and_keeps_its_marker() {
        assert_eq!(fit("äöüß", 3), "äö…");
        let text = format!("{}\n\n<!-- countersign:card -->", "ä".repeat(100));
        let cut = fit(&text, 50);
        assert_eq!(cut.chars().count(), 50);
        assert!(cut.starts_with("ää") && cut.ends_with("ä…\n\n<!-- countersign:card -->"));
    }

    #[test]
    fn a_marker_that_is_too_long_itself_is_cut_as_well() {
        assert_eq!(fit(&format!("ab\n\n<!-- {}", "x".repeat(50)), 5).chars().count(), 5);
    }
}
