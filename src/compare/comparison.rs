//! One comparison: both homes read, held against each other, and every difference looked up on both sides.

use super::difference::{differences, shows_nearby};
use super::error::CompareError;
use super::home::TheirPost;
use super::mastodon::Mastodon;
use super::reason::{Circumstances, Difference, Found, SignIn, of_ours, of_theirs};
use super::relations::{Relations, accounts_asked, rule_named};
use super::report::Comparison;
use super::slackwater::{PostName, Slackwater};
use crate::clock;
use std::collections::BTreeSet;
use std::time::Duration;

/// The most posts of each home that are compared: as long as Mastodon keeps a home.
pub const POSTS_MAX: usize = 800;
/// Posts of each home that are compared if nobody says how many.
pub const POSTS_DEFAULT: usize = 400;
/// How much further the homes are read, to see what stands just below the part compared: two orders do not end at the same post,
/// and Mastodon leaves a boost out if one of the forty entries below it shows the same post when it comes. Others may have come
/// between since.
const FURTHER: usize = 60;

/// What is to be compared.
#[derive(Clone, Debug)]
pub struct Question {
    /// The account, by Mastodon's id of it: letters, digits, `_`, `.` and `-`.
    pub account: String,
    /// How many posts of each home are compared, at most [`POSTS_MAX`].
    pub posts_max: usize,
    /// How long posts are kept here, at least.
    pub posts_keep: Duration,
    /// When the account was last seen in Mastodon, asked before its token is used: that counts as being seen.
    pub sign_in: SignIn,
    /// Whether posts come from Mastodon's database, which the service then has to follow.
    pub has_database: bool,
}

/// Compares. What changes meanwhile is told apart by the order of the questions: Mastodon's home before the one here, then whether
/// Mastodon still shows what is in one of them only, and only then what is known of it here.
pub async fn compare(
    question: &Question,
    mastodon: &Mastodon,
    here: &Slackwater,
) -> Result<Comparison, CompareError> {
    let account = question.account.as_str();
    let posts_max = question.posts_max.clamp(1, POSTS_MAX);
    here.is_ready().await?;
    let lag = match question.has_database {
        true => here.lag().await?,
        false => Duration::ZERO,
    };
    let of = mastodon.account().await?;
    if of != account {
        let account = account.to_owned();
        return Err(CompareError::TokenOfAnother { account, of });
    }

    let read_at = clock::now();
    let theirs = mastodon.home(posts_max + FURTHER).await?;
    let ours = here.home(account, posts_max + FURTHER).await?;
    let (ours, horizon) = (ours.home, ours.horizon);
    let Some(last) = theirs.posts.iter().take(posts_max).next_back() else {
        return Err(CompareError::NothingThere(account.to_owned()));
    };
    let since = last.id_time();
    let found = differences(&theirs, &ours, posts_max);
    let only_theirs: Vec<&TheirPost> = pick(&theirs.posts, &found.only_theirs);
    let only_ours = pick(&ours.posts, &found.only_ours);

    let ids = only_theirs.iter().map(|post| post.id);
    let ids = ids.chain(only_ours.iter().filter_map(|post| post.id));
    let shown = mastodon.shown(&ids.collect::<Vec<_>>()).await?;
    let names = only_theirs.iter().map(|post| PostName::Ref(post.id));
    let names = names.chain(only_ours.iter().map(|post| PostName::Place(post.place)));
    let mut known = here.explained(account, names.collect()).await?;
    let known_ours = known.split_off(only_theirs.len().min(known.len()));
    let denials = denials(&only_theirs, &known, mastodon).await?;

    let all = Circumstances {
        account: account.to_owned(),
        read_at,
        horizon,
        lowest_place: found.lowest_place,
        lag,
        posts_keep: question.posts_keep,
        sign_in: question.sign_in,
    };
    let mut outside = found.outside;
    let mut differences: Vec<Difference> = Vec::new();
    for (post, known) in only_theirs.iter().zip(&known) {
        let is_shown = shown.contains(&post.id);
        match of_theirs(post, known, is_shown, denials.relations.as_ref(), &all) {
            Some(difference) => differences.push(difference),
            None => outside += 1,
        }
    }
    let only_in_mastodon = differences.len();
    for (post, known) in only_ours.iter().zip(&known_ours) {
        let is_shown = post.id.is_some_and(|id| shown.contains(&id));
        let shows_otherwise = shows_nearby(&theirs, post, FURTHER);
        differences.push(of_ours(post, known, is_shown, shows_otherwise, &all));
    }
    Ok(Comparison {
        account: account.to_owned(),
        read_at,
        since,
        both: found.both,
        moved: found.moved,
        only_in_mastodon,
        only_here: differences.len() - only_in_mastodon,
        unexplained: differences.iter().filter(|it| it.reason.is_none()).count(),
        outside,
        relations_checked: denials.were_readable,
        differences,
    })
}

/// What Mastodon says of relations that reasons here rest on.
struct Denials {
    relations: Option<Relations>,
    /// Whether the token may read them, as far as there was anything to ask.
    were_readable: bool,
}

async fn denials(
    posts: &[&TheirPost],
    known: &[Found],
    mastodon: &Mastodon,
) -> Result<Denials, CompareError> {
    let mut asked = BTreeSet::new();
    for (post, found) in posts.iter().zip(known) {
        if let Found::There { why, .. } = found
            && let Some(rule) = rule_named(why)
        {
            asked.extend(accounts_asked(rule, post));
        }
    }
    if asked.is_empty() {
        return Ok(Denials {
            relations: None,
            were_readable: true,
        });
    }
    let asked: Vec<String> = asked.into_iter().collect();
    let relations = mastodon.relations(&asked).await?;
    Ok(Denials {
        were_readable: relations.is_some(),
        relations,
    })
}

fn pick<'a, P>(posts: &'a [P], indexes: &[usize]) -> Vec<&'a P> {
    indexes.iter().filter_map(|nth| posts.get(*nth)).collect()
}
