//! What belongs in a feed, line by line: given relations, when a post comes, then it is in, or out for this reason.
//!
//! | file | what it holds |
//! |---|---|
//! | `visibility` | who could see it: each visibility, in each kind of feed |
//! | `home` | the rules of home, one by one |
//! | `precedence` | where two of them apply, the earlier gives the reason |
//! | `other_feeds` | lists, hashtags, the public feed, moderation |

mod home;
mod other_feeds;
mod precedence;
mod visibility;

use super::*;
use crate::feed::post::example::post;
use crate::relationship::decode;

const ME: &str = "https://here.example/users/me";
const ANA: &str = "https://a.example/users/ana";
const BOB: &str = "https://b.example/users/bob";
const CLEO: &str = "https://c.example/users/cleo";

const IN: Decision = Decision::In(Included::Followed);
const OWN: Decision = Decision::In(Included::Own);
const TAGGED: Decision = Decision::In(Included::Tagged);

fn out(why: Excluded) -> Decision {
    Decision::Out(why)
}

/// Account 7, who is ME, and what it and the instance want.
struct Given {
    graph: Graph,
}

/// The relations of account 7: `follow ANA, block BOB`. More of a document follows its target: `follow ANA "boosts":false`.
/// A member of a list is `member friends ANA`; what the instance does is `limit ANA`, `suspend a.example`.
fn given(relations: &str) -> Given {
    let mut graph = Graph::default();
    let mut say = |document: &str| {
        graph.apply(&decode(None, Some(document.as_bytes())).unwrap());
    };
    say(&format!(
        r#"{{"type":"account","account":"7","actor":"{ME}"}}"#
    ));
    for relation in relations.split(", ").filter(|one| !one.is_empty()) {
        let relation = [("ANA", ANA), ("BOB", BOB), ("CLEO", CLEO), ("ME", ME)]
            .iter()
            .fold(relation.to_owned(), |text, (name, id)| {
                text.replace(name, id)
            });
        let (kind, rest) = relation.split_once(' ').unwrap();
        let (target, more) = rest.split_once(' ').unwrap_or((rest, ""));
        say(&match kind {
            "limit" | "suspend" => format!(
                r#"{{"type":"moderation","account":"_instance","target":"{target}","action":"{kind}"}}"#
            ),
            "member" => format!(
                r#"{{"type":"list_member","account":"7","list":"{target}","target":"{more}"}}"#
            ),
            _ if more.is_empty() => {
                format!(r#"{{"type":"{kind}","account":"7","target":"{target}"}}"#)
            }
            _ => format!(r#"{{"type":"{kind}","account":"7","target":"{target}",{more}}}"#),
        });
    }
    Given { graph }
}

impl Given {
    fn me(&self) -> &Account {
        self.graph.get(self.graph.account("7").unwrap()).unwrap()
    }

    fn home(&self, post: &Post) -> Decision {
        self.home_with(post, None)
    }

    fn home_with(&self, post: &Post, original: Option<&Post>) -> Decision {
        decide(&Subject::new(post, original, &self.graph), self.me())
    }

    fn list(&self, list: &str, post: &Post) -> Decision {
        self.list_with(list, post, None)
    }

    fn list_with(&self, list: &str, post: &Post, original: Option<&Post>) -> Decision {
        let subject = Subject::new(post, original, &self.graph);
        decide_list(&subject, self.me(), self.me().list(list).unwrap())
    }

    /// Whether it is in the feed of its hashtag, and in that as I read it.
    fn tag_feed(&self, post: &Post, original: Option<&Post>) -> (bool, bool) {
        let subject = Subject::new(post, original, &self.graph);
        let as_i_read = is_in_tag_feed(&subject, Some(self.me()));
        (is_in_tag_feed(&subject, None), as_i_read)
    }

    /// Whether it is in the public feed, and in that as I read it.
    fn public_feed(&self, post: &Post, original: Option<&Post>) -> (bool, bool) {
        let subject = Subject::new(post, original, &self.graph);
        let as_i_read = is_in_public_feed(&subject, Some(self.me()));
        (is_in_public_feed(&subject, None), as_i_read)
    }
}

/// Everybody sees it, or nobody does.
const BOTH: (bool, bool) = (true, true);
const NEITHER: (bool, bool) = (false, false);
/// Everybody sees it but me.
const NOT_ME: (bool, bool) = (true, false);

fn boost(by: &str, of: &Post) -> Post {
    let mut boost = post(by);
    boost.body.boost_of = Some(of.body.uri.clone());
    boost
}

fn reply(by: &str, whom: ReplyTarget) -> Post {
    let mut reply = post(by);
    reply.body.in_reply_to = Some("https://x.example/posts/1".to_owned());
    reply.answers.whom = whom;
    reply
}

fn to(actor: &str) -> ReplyTarget {
    ReplyTarget::Actor(actor.to_owned())
}

fn mentioning(by: &str, whom: &str) -> Post {
    let mut post = post(by);
    post.body.mentions = vec![whom.to_owned()];
    post
}

fn tagged(mut post: Post) -> Post {
    post.body.tags = vec!["rust".to_owned()];
    post
}

fn in_language(by: &str, language: &str) -> Post {
    let mut post = post(by);
    post.body.language = Some(language.to_owned());
    post
}

fn sent(visibility: Visibility, mut post: Post) -> Post {
    post.body.visibility = visibility;
    post
}

fn gone(mut post: Post) -> Post {
    post.strip(State::Gone);
    post
}
