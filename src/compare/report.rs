//! A comparison for machines and for people.

use super::reason::{Difference, Side};
use schemars::JsonSchema;
use serde::Serialize;
use slackwater_order::time::Time;
use std::fmt::Write;

/// Mastodon's own home of an account, and the one here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Comparison {
    /// The account, by Mastodon's id of it.
    pub account: String,
    /// When Mastodon's home began to be read.
    pub read_at: Time,
    /// The time of the oldest post of Mastodon's home that was compared, by its id there.
    pub since: Time,
    /// Posts that are in both.
    pub both: usize,
    /// The least number of those that have to be moved to turn Mastodon's order into the one here.
    pub moved: usize,
    /// Posts that only Mastodon's home has.
    pub only_in_mastodon: usize,
    /// Posts that only the home here has.
    pub only_here: usize,
    /// How many of those have no reason.
    pub unexplained: usize,
    /// Posts that stand below the part of the other home that was compared.
    pub outside: usize,
    /// Whether reasons were held against Mastodon's own relations of the account, where there were such reasons. The token may not
    /// read them if this is false.
    pub relations_checked: bool,
    /// Every post that is in one home and not in the other.
    pub differences: Vec<Difference>,
}

/// A comparison as text: a line for each difference, those without a reason last, then the sum of it.
pub fn text(comparison: &Comparison) -> String {
    let mut text = String::new();
    let has_reason = |difference: &&Difference| difference.reason.is_some();
    let all = &comparison.differences;
    for difference in all.iter().filter(has_reason) {
        line(&mut text, "", difference);
    }
    for difference in all.iter().filter(|it| !has_reason(it)) {
        line(&mut text, "NO REASON  ", difference);
    }
    text.push_str(&summary(comparison));
    if !comparison.relations_checked {
        text.push_str(
            "\nreasons were not held against Mastodon's own relations: the token has neither read nor read:follows",
        );
    }
    text
}

/// The sum of a comparison, in a line.
pub fn summary(comparison: &Comparison) -> String {
    let Comparison {
        account,
        since,
        both,
        moved,
        only_in_mastodon,
        only_here,
        unexplained,
        outside,
        ..
    } = comparison;
    let verdict = match unexplained {
        0 => "every difference has its reason".to_owned(),
        1 => "1 difference has no reason".to_owned(),
        more => format!("{more} differences have no reason"),
    };
    format!(
        "account {account}, since {}: {both} posts in both homes, of which {moved} would move; {only_in_mastodon} only in Mastodon, \
         {only_here} only here; {outside} stand below the part compared; {verdict}",
        since.rfc3339()
    )
}

fn line(text: &mut String, mark: &str, difference: &Difference) {
    let Difference {
        only_in,
        id,
        place,
        why,
        ..
    } = difference;
    let side = match only_in {
        Side::Mastodon => "only in Mastodon",
        Side::Here => "only here       ",
    };
    let name = match (id, place) {
        (Some(id), _) => format!("id {id}"),
        (None, Some(place)) => format!("place {place}"),
        (None, None) => String::new(),
    };
    // Writing to a String does not fail.
    let _ = writeln!(text, "{mark}{side}  {name}  {why}");
}
