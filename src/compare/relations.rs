//! What Mastodon says of its relations, held against what is said here: a reason that Mastodon's own relations deny is none. Pure.

use super::home::TheirPost;
use hashbrown::{HashMap, HashSet};
use serde::Deserialize;
use slackwater_engine::feed::rules::Excluded;

/// An account as Mastodon has it related to the reader (`GET /api/v1/accounts/relationships`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Relation {
    /// Its id.
    pub id: String,
    /// The reader follows it.
    pub following: bool,
    /// With its boosts.
    pub showing_reblogs: bool,
    /// In these languages only; in all if there are none.
    pub languages: Option<Vec<String>>,
    /// The reader blocks it.
    pub blocking: bool,
    /// It blocks the reader.
    pub blocked_by: bool,
    /// The reader mutes it.
    pub muting: bool,
    /// The reader blocks its domain.
    pub domain_blocking: bool,
}

/// What Mastodon says of a reader's relations to those that were asked about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Relations {
    /// By the ids of the accounts.
    pub accounts: HashMap<String, Relation>,
    /// The hashtags that the reader follows, in lower case.
    pub hashtags: HashSet<String>,
}

/// The rule that an explanation names as the reason why home here does not have a post.
pub fn rule_named(why: &str) -> Option<Excluded> {
    let words = why.strip_prefix("not in home: ")?;
    Excluded::ALL.into_iter().find(|rule| rule.words() == words)
}

/// The accounts that Mastodon is to be asked about before a rule is believed to keep a post out.
pub fn accounts_asked(rule: Excluded, post: &TheirPost) -> Vec<String> {
    let author = std::iter::once(post.author.clone());
    let boosted = post.boosted.iter().map(|boosted| boosted.author.clone());
    match rule {
        Excluded::NotFollowed
        | Excluded::OtherLanguage
        | Excluded::BlockedBy
        | Excluded::BoostsOff => author.collect(),
        Excluded::BoostsBlockedBy => boosted.collect(),
        Excluded::DomainBlocked => author.chain(boosted).collect(),
        Excluded::Blocked | Excluded::Muted => {
            let mentions = post.mentions.iter().cloned();
            author.chain(boosted).chain(mentions).collect()
        }
        Excluded::AnswersStranger => post.answers_account.iter().cloned().collect(),
        _ => Vec::new(),
    }
}

/// What Mastodon says that denies a rule, if it does. The post is in Mastodon's home, and Mastodon still shows it. Without
/// relations (the token may not read them) only what the post itself says is held against the rule. `account` is the reader's id.
pub fn denial(
    rule: Excluded,
    post: &TheirPost,
    account: &str,
    relations: Option<&Relations>,
) -> Option<&'static str> {
    match rule {
        Excluded::ParentUnknown if post.answers_post.is_some() => {
            return Some("Mastodon knows what it answers");
        }
        Excluded::ParentGone if post.answers_account.is_some() => {
            return Some("Mastodon knows whom it answers");
        }
        Excluded::OriginalUnknown | Excluded::OriginalGone if post.boosted.is_some() => {
            return Some("Mastodon shows what it boosts");
        }
        Excluded::Suspended => return Some("Mastodon still shows it"),
        _ if post.author == account => return Some("it is the account's own"),
        Excluded::AnswersStranger if post.answers_account.as_deref() == Some(account) => {
            return Some("it answers the account itself");
        }
        _ => {}
    }
    let relations = relations?;
    let asked = accounts_asked(rule, post);
    let asked = asked
        .iter()
        .filter_map(|account| relations.accounts.get(account));
    let mut asked = asked.peekable();
    // Somebody who is gone meanwhile has no relations.
    asked.peek()?;
    let author_of_answer = post.answers_account.as_deref();
    match rule {
        Excluded::NotFollowed if asked.any(|it| it.following) => {
            Some("Mastodon says that its author is followed")
        }
        Excluded::NotFollowed if post.tags.iter().any(|it| relations.hashtags.contains(it)) => {
            Some("Mastodon says that a hashtag it carries is followed")
        }
        Excluded::OtherLanguage if asked.all(|it| it.takes_language(post.language.as_deref())) => {
            Some("Mastodon says that its author is followed for its language")
        }
        Excluded::BoostsOff if asked.all(|it| it.showing_reblogs) => {
            Some("Mastodon says that its author is followed with boosts")
        }
        Excluded::Blocked if !asked.any(|it| it.blocking) => {
            Some("Mastodon says that none of them is blocked")
        }
        Excluded::Muted if !asked.any(|it| it.muting) => {
            Some("Mastodon says that none of them is muted")
        }
        Excluded::DomainBlocked if !asked.any(|it| it.domain_blocking) => {
            Some("Mastodon says that their domains are not blocked")
        }
        Excluded::BlockedBy | Excluded::BoostsBlockedBy if !asked.any(|it| it.blocked_by) => {
            Some("Mastodon says that the account is not blocked")
        }
        // In Mastodon a thread under a stranger's post is its author's own.
        Excluded::AnswersStranger
            if author_of_answer != Some(post.author.as_str()) && asked.any(|it| it.following) =>
        {
            Some("Mastodon says that whom it answers is followed")
        }
        _ => None,
    }
}

impl Relation {
    fn takes_language(&self, language: Option<&str>) -> bool {
        let languages = self.languages.as_deref().unwrap_or_default();
        let is_it = |language: &str| languages.iter().any(|it| it.eq_ignore_ascii_case(language));
        languages.is_empty() || language.is_none_or(is_it)
    }
}
