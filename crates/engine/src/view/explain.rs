//! Why an account has a post in its feeds, or has not: what a backend's support answers with.

use crate::feed::post::Post;
use crate::feed::rules::{Decision, Subject, decide, decide_list};
use crate::feed::store::disk::DiskError;
use crate::view::View;
use crate::view::feed_ref::FeedRef;
use crate::view::hidden::Hidden;
use schemars::JsonSchema;
use serde::Serialize;
use slackwater_order::place::PostId;
use slackwater_order::time::Time;

/// Why an account has a post in its feeds, or has not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "Explained")]
pub struct Explanation {
    /// The backend's id of the account.
    pub account: String,
    /// Its home, then its lists.
    pub feeds: Vec<ExplainedFeed>,
    /// Why clients of Mastodon's API do not see it, whatever feed has it: `left out: mastodon.ids is "ref", and it was sent
    /// without Ref`. Null if they do.
    pub mastodon: Option<String>,
}

/// Why one feed shows a post, or does not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ExplainedFeed {
    /// `home`, or `list:<id>`.
    pub feed: String,
    /// Whether it shows the post now.
    pub shows: bool,
    /// Why, as a sentence's end: `not in home: a reply to someone you do not follow`.
    pub why: String,
}

impl View {
    /// Explains a post to an account; none if the account is unknown. `original` is what the post boosts.
    pub fn explain(
        &self,
        account: &str,
        post: &Post,
        original: Option<&Post>,
        now: Time,
    ) -> Result<Option<Explanation>, DiskError> {
        let decisions: Vec<(String, Decision)> = {
            let graph = self.graph.read();
            let Some(of) = graph.account(account).and_then(|number| graph.get(number)) else {
                return Ok(None);
            };
            let subject = Subject::new(post, original, &graph);
            let home = ("home".to_owned(), decide(&subject, of));
            let lists = of
                .lists()
                .map(|(id, list)| (format!("list:{id}"), decide_list(&subject, of, list)));
            std::iter::once(home).chain(lists).collect()
        };
        let mut feeds = Vec::with_capacity(decisions.len());
        for (feed, decision) in decisions {
            let (shows, why) = match decision {
                Decision::Out(why) => (false, why.words()),
                Decision::In(because) => match self.hides(account, &feed, post.id, now)? {
                    Some(why) => (false, why.words()),
                    None => (true, because.words()),
                },
            };
            let place = if shows { "in" } else { "not in" };
            let why = format!("{place} {feed}: {why}");
            feeds.push(ExplainedFeed { feed, shows, why });
        }
        Ok(Some(Explanation {
            account: account.to_owned(),
            feeds,
            mastodon: None,
        }))
    }

    /// Why a feed does not show what belongs in it, if it does not.
    fn hides(
        &self,
        account: &str,
        feed: &str,
        id: PostId,
        now: Time,
    ) -> Result<Option<Hidden>, DiskError> {
        let snapshot = match FeedRef::of_account(account, feed) {
            Some(feed_ref) => self.snapshot(&feed_ref, None, now)?,
            None => None,
        };
        Ok(snapshot.and_then(|snapshot| snapshot.hides(id)))
    }
}
