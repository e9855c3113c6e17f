//! The known name that a misspelt one is likely to mean. Pure.

/// The one of `known` that `written` is likely to mean: with at most one slip (a letter too many, too few, wrong, or two
/// swapped) for every three letters.
pub fn guess<'a>(written: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let written = written.to_lowercase();
    known
        // The difference in length is a lower bound for the slips, and spares comparing two long names.
        .filter(|word| written.len().abs_diff(word.len()) * 3 <= word.len())
        .map(|word| (strsim::damerau_levenshtein(&written, word), word))
        .filter(|(slips, word)| slips * 3 <= word.chars().count())
        .min_by_key(|(slips, _)| *slips)
        .map(|(_, word)| word)
}

/// The guess as the end of a sentence; empty without one.
pub fn did_you_mean<'a>(written: &str, known: impl Iterator<Item = &'a str>) -> String {
    match guess(written, known) {
        Some(meant) => format!("; did you mean {meant}?"),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guess_is_close_or_not_made() {
        let known = ["reorder_window", "allowed_lateness", "clock_skew", "path"];
        let check = |written: &str, meant: Option<&str>| {
            assert_eq!(guess(written, known.into_iter()), meant, "{written}");
        };
        check("reorder_windw", Some("reorder_window"));
        check("Clock_Skew", Some("clock_skew"));
        check("clokc_skew", Some("clock_skew"));
        check("pth", Some("path"));
        check("ph", None);
        check("patience", None);
        check("late", None);
        check("too_late", None);
        check("auto", None);
        check(&"reorder_window".repeat(100_000), None);
    }
}
