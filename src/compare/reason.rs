//! The reason of each difference, or that it has none. Pure: what was looked up is an argument.

use super::home::{OurPost, TheirPost};
use super::relations::{Relations, denial, rule_named};
use schemars::JsonSchema;
use serde::Serialize;
use slackwater_engine::feed::rules::{Excluded, Included};
use slackwater_engine::view::hidden::Hidden;
use slackwater_order::place::PostId;
use slackwater_order::time::{Time, millis_of};
use std::time::Duration;

/// How long a post may take from one side to the other: Mastodon's queue, and the way through its outbox.
pub const ON_ITS_WAY_MAX: Duration = Duration::from_secs(60);
/// Mastodon puts nothing into the homes of those who have not signed in for this long (`USER_ACTIVE_DAYS`, by default).
pub const FED_FOR: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// Mastodon puts no post into homes that it looked up and that is older than this.
const LOOKED_UP_MAX: Duration = Duration::from_secs(6 * 60 * 60);

/// One post that is in one home and not in the other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Difference {
    /// The home that has it.
    pub only_in: Side,
    /// Mastodon's id of it; null if Mastodon has none.
    pub id: Option<String>,
    /// Its place and id here; null if it is not known here.
    pub place: Option<String>,
    /// The kind of reason; null if the difference has none.
    pub reason: Option<Reason>,
    /// The reason in words, or what is known of a difference without one.
    pub why: String,
}

/// The home that has a post.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// Mastodon's.
    Mastodon,
    /// The one here.
    Here,
}

/// The kind of a reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// A rule keeps it out of home here.
    Rule,
    /// Home here is held for a patient reader, and its horizon has not reached the post.
    Held,
    /// Boosts of one post within a day are shown as one here, those close to each other are in Mastodon.
    ShownOnce,
    /// Home here ends above it.
    BelowEnd,
    /// It came within the last minute.
    OnItsWay,
    /// It was deleted meanwhile, or hidden.
    Gone,
    /// It is older than posts are kept here.
    TooOld,
    /// Mastodon looked it up hours after it was written, and puts no such post into homes.
    LookedUp,
    /// It is there for a hashtag that is followed, of which Mastodon adds posts only as they come.
    Hashtag,
    /// Mastodon puts nothing into the homes of those who have not signed in for a week.
    NotFed,
    /// It did not come from Mastodon, which has no id of it.
    NoId,
}

/// What is known here of a post.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// Nothing.
    Unknown,
    /// That it is gone: this is how.
    Gone(String),
    /// The post.
    There {
        /// Its place.
        place: PostId,
        /// When this instance received it.
        arrived: Time,
        /// Whether home shows it.
        shows: bool,
        /// Why, or why not.
        why: String,
    },
}

/// When the reader was last seen in Mastodon before its home was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SignIn {
    /// Nobody asked.
    #[default]
    Unknown,
    /// Never.
    Never,
    /// Then.
    At(Time),
}

/// What is so of all posts of one comparison.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Circumstances {
    /// The reader's id.
    pub account: String,
    /// When Mastodon's home began to be read; the one here was read after it.
    pub read_at: Time,
    /// The horizon of the home here when it was read.
    pub horizon: Option<Time>,
    /// The lowest place that is compared, if the home here goes on below it.
    pub lowest_place: Option<PostId>,
    /// How long changes in Mastodon's database wait at present.
    pub lag: Duration,
    /// How long posts are kept here, at least.
    pub posts_keep: Duration,
    /// When the reader was last seen in Mastodon.
    pub sign_in: SignIn,
}

impl Side {
    /// In words: what follows "only in".
    pub const fn words(self) -> &'static str {
        match self {
            Side::Mastodon => "Mastodon's home",
            Side::Here => "the home here",
        }
    }
}

impl Circumstances {
    /// Whether something of this moment may be on one side only since it is on its way.
    fn is_on_its_way(&self, at: Time) -> bool {
        self.read_at.minus(ON_ITS_WAY_MAX).minus(self.lag) <= at
    }

    fn is_too_old(&self, at: Time) -> bool {
        at < self.read_at.minus(self.posts_keep)
    }

    fn is_fed(&self) -> bool {
        match self.sign_in {
            SignIn::Unknown => true,
            SignIn::Never => false,
            SignIn::At(at) => self.read_at.minus(FED_FOR) <= at,
        }
    }
}

/// Why Mastodon's home has a post that the one here does not have; none if the part of home here that is compared ends above it.
/// `is_shown`: Mastodon shows it to the reader when it is asked for by its id, after the homes were read and before `found` was.
pub fn of_theirs(
    post: &TheirPost,
    found: &Found,
    is_shown: bool,
    relations: Option<&Relations>,
    all: &Circumstances,
) -> Option<Difference> {
    let newest = post.id_time().max(post.created.unwrap_or_default());
    let (place, (reason, why)) = match found {
        Found::Unknown if !is_shown => (None, gone("Mastodon does not show it any more")),
        Found::Unknown if all.is_on_its_way(newest) => {
            (None, because(Reason::OnItsWay, "it is not known here yet"))
        }
        Found::Unknown if all.is_too_old(newest) => {
            let why = "it is older than posts are kept here";
            (None, because(Reason::TooOld, why))
        }
        Found::Unknown => (None, unexplained("it is not known here")),
        Found::Gone(how) if is_shown => {
            let why = format!("{how} here, and Mastodon still shows it");
            (None, unexplained(&why))
        }
        Found::Gone(how) => (None, gone(how)),
        Found::There { place, .. } if all.lowest_place.is_some_and(|lowest| *place < lowest) => {
            return None;
        }
        Found::There {
            place,
            arrived,
            shows,
            why,
        } => {
            let judged = match shows {
                true if all.horizon.is_some_and(|horizon| horizon < place.time()) => {
                    because(Reason::Held, "it waited when home here was read")
                }
                true if all.is_on_its_way(*arrived) => {
                    because(Reason::OnItsWay, "it came after home here was read")
                }
                true => unexplained(&format!(
                    "the page of home here lacks it, though it is {why}"
                )),
                false => kept_out(post, *arrived, why, is_shown, relations, all),
            };
            (Some(place.to_string()), judged)
        }
    };
    Some(Difference {
        only_in: Side::Mastodon,
        id: Some(post.id.to_string()),
        place,
        reason,
        why,
    })
}

/// A post that is known here and not shown in home, for the reason `why`.
fn kept_out(
    post: &TheirPost,
    arrived: Time,
    why: &str,
    is_shown: bool,
    relations: Option<&Relations>,
    all: &Circumstances,
) -> (Option<Reason>, String) {
    let is_hidden = |hidden: Hidden| why.strip_prefix("not in home: ") == Some(hidden.words());
    for (hidden, reason) in [
        (Hidden::BelowEnd, Reason::BelowEnd),
        (Hidden::Repeat, Reason::ShownOnce),
        (Hidden::Held, Reason::Held),
    ] {
        if is_hidden(hidden) {
            return because(reason, why);
        }
    }
    if is_hidden(Hidden::BeingPutIn) {
        return match all.is_on_its_way(arrived) {
            true => because(Reason::OnItsWay, why),
            false => unexplained(why),
        };
    }
    if !is_shown {
        return gone("Mastodon does not show it any more");
    }
    match rule_named(why) {
        Some(Excluded::Gone) if all.is_too_old(arrived) => because(Reason::TooOld, why),
        Some(Excluded::Gone) => unexplained(&format!("{why}, and Mastodon still shows it")),
        Some(rule) => match denial(rule, post, &all.account, relations) {
            Some(denial) => unexplained(&format!("{why}, but {denial}")),
            None => because(Reason::Rule, why),
        },
        None => unexplained(why),
    }
}

/// Why the home here has a post that Mastodon's does not have. `is_shown` as for [`of_theirs`]; `shows_otherwise`: Mastodon's home
/// has the same post by another entry.
pub fn of_ours(
    post: &OurPost,
    found: &Found,
    is_shown: bool,
    shows_otherwise: bool,
    all: &Circumstances,
) -> Difference {
    let is_fetched_late = || {
        let delay_ms = post.delay_ms.unwrap_or_default();
        post.is_fetched && millis_of(LOOKED_UP_MAX) < delay_ms
    };
    let (reason, why) = match found {
        _ if post.id.is_none() => because(Reason::NoId, "it was sent without Mastodon's id of it"),
        Found::Unknown => gone("it is not known here any more"),
        Found::Gone(how) => gone(how),
        Found::There {
            shows: false, why, ..
        } => gone(&format!("meanwhile {why}")),
        Found::There { .. } if all.is_on_its_way(post.arrived) => {
            because(Reason::OnItsWay, "Mastodon has it in no home yet")
        }
        Found::There { why, .. } if !is_shown => unexplained(&format!(
            "{why}, and Mastodon does not show it when asked for it by its id"
        )),
        Found::There { .. } if shows_otherwise => because(
            Reason::ShownOnce,
            "Mastodon shows the same post by another entry",
        ),
        Found::There { .. } if !all.is_fed() => because(
            Reason::NotFed,
            "Mastodon puts nothing into this home, whose account has not been seen for a week",
        ),
        Found::There { .. } if is_fetched_late() => because(
            Reason::LookedUp,
            "Mastodon looked it up more than six hours after it was written, and puts no such post into homes",
        ),
        Found::There { why, .. }
            if why.strip_prefix("in home: ") == Some(Included::Tagged.words()) =>
        {
            let why = format!("{why}; Mastodon adds such posts only as they come");
            because(Reason::Hashtag, &why)
        }
        Found::There { why, .. } => unexplained(&format!(
            "{why}, and Mastodon shows it when asked for it by its id"
        )),
    };
    Difference {
        only_in: Side::Here,
        id: post.id.map(|id| id.to_string()),
        place: Some(post.place.to_string()),
        reason,
        why,
    }
}

fn because(reason: Reason, why: &str) -> (Option<Reason>, String) {
    (Some(reason), why.to_owned())
}

fn gone(why: &str) -> (Option<Reason>, String) {
    because(Reason::Gone, why)
}

fn unexplained(why: &str) -> (Option<Reason>, String) {
    (None, why.to_owned())
}

#[cfg(test)]
mod tests;
