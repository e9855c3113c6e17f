//! One post, one account: is it in the account's home, and why. Pure; every rule is a function of what is so now,
//! never of when it was learned.
//!
//! The order of the rules is that of Mastodon's feed manager; the first that applies decides.

use super::kept::{Post, State};
use crate::graph::{Account, ActorIx, Graph};
use crate::order::verdict::Shown;
use crate::post::Visibility;

/// Whether a post is in a home feed, with the reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It is in.
    In(Because),
    /// It is not.
    Out(Why),
}

/// Why a post is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Because {
    /// The account wrote it.
    Own,
    /// The account follows its author.
    Followed,
}

/// Why a post is not in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// It was deleted or undone, or only a stub of it is left.
    Gone,
    /// It was too late, and its origin's posts are dropped then.
    TooLate,
    /// The account does not follow its author.
    NotFollowed,
    /// It was addressed to others.
    NotAddressed,
    /// The follow is for other languages.
    OtherLanguage,
    /// It boosts a post that is unknown so far.
    OriginalUnknown,
    /// It boosts a post that is gone.
    OriginalGone,
    /// It boosts a post this account may not see.
    OriginalNotAddressed,
    /// The account blocks its author, whom it boosts, or someone it mentions.
    Blocked,
    /// The account mutes its author, whom it boosts, or someone it mentions.
    Muted,
    /// The account blocks the domain of its author, or of whom it boosts.
    DomainBlocked,
    /// The follow is without boosts.
    BoostsOff,
}

impl Why {
    /// Whether it is for what became of the post it boosts.
    pub fn is_of_the_original(self) -> bool {
        matches!(
            self,
            Why::OriginalGone | Why::OriginalUnknown | Why::OriginalNotAddressed
        )
    }
}

/// A post as the rules look at it: names looked up once, whatever the number of accounts asked about.
#[derive(Debug)]
pub struct Subject<'a> {
    /// Its author, if any relation names them.
    pub author: Option<ActorIx>,
    post: &'a Post,
    /// The author of what it boosts.
    original: Option<Original<'a>>,
    /// Those it mentions, and whom its original mentions, as far as any relation names them.
    mentions: Vec<ActorIx>,
    /// Those it is addressed to or mentions; only looked up where the visibility makes it matter.
    audience: Vec<ActorIx>,
}

#[derive(Debug)]
struct Original<'a> {
    author: Option<ActorIx>,
    post: &'a Post,
    /// Those the original is addressed to or mentions; looked up where its visibility makes it matter.
    audience: Vec<ActorIx>,
}

impl<'a> Subject<'a> {
    /// Looks up whom `post` names. `original` is what it boosts, if that is known.
    pub fn new(post: &'a Post, original: Option<&'a Post>, graph: &Graph) -> Subject<'a> {
        let known = |ids: &[String]| {
            ids.iter()
                .filter_map(|id| graph.actor(id))
                .collect::<Vec<_>>()
        };
        let mut mentions = known(&post.body.mentions);
        mentions.extend(
            original
                .iter()
                .flat_map(|original| known(&original.body.mentions)),
        );
        Subject {
            author: graph.actor(&post.body.author),
            post,
            original: original.map(|original| Original {
                author: graph.actor(&original.body.author),
                audience: audience(original, graph),
                post: original,
            }),
            mentions,
            audience: audience(post, graph),
        }
    }
}

/// Those a post is addressed to, as far as any relation names them; empty where its visibility names nobody.
fn audience(post: &Post, graph: &Graph) -> Vec<ActorIx> {
    let ids: [&[String]; 2] = match post.body.visibility {
        Visibility::Public | Visibility::Unlisted | Visibility::Private => [&[], &[]],
        Visibility::Limited => [&post.body.mentions, &post.body.addressed],
        Visibility::Direct => [&post.body.mentions, &[]],
    };
    ids.into_iter()
        .flatten()
        .filter_map(|id| graph.actor(id))
        .collect()
}

/// Decides whether the subject is in `account`'s home.
pub fn decide(subject: &Subject<'_>, account: &Account) -> Decision {
    let post = subject.post;
    if post.state != State::Whole {
        return Decision::Out(Why::Gone);
    }
    if post.shown == Shown::Nowhere {
        return Decision::Out(Why::TooLate);
    }
    if let Some(why) = subject.boosts_nothing() {
        return Decision::Out(why);
    }
    let Some(author) = subject.author else {
        return Decision::Out(Why::NotFollowed);
    };
    if account.actor() == Some(author) {
        return Decision::In(Because::Own);
    }
    let Some(follow) = account.follow(author) else {
        return Decision::Out(Why::NotFollowed);
    };
    if !subject.reaches(account) {
        return Decision::Out(Why::NotAddressed);
    }
    if !subject.opens_to(account) {
        return Decision::Out(Why::OriginalNotAddressed);
    }
    if let Some(language) = &post.body.language
        && !follow.languages.is_empty()
        && !follow.languages.contains(language)
    {
        return Decision::Out(Why::OtherLanguage);
    }
    if account.shuns_anybody()
        && let Some(why) = subject.shunned_by(account)
    {
        return Decision::Out(why);
    }
    if post.body.boost_of.is_some() && !follow.boosts {
        return Decision::Out(Why::BoostsOff);
    }
    Decision::In(Because::Followed)
}

impl Subject<'_> {
    /// Whether every follower without particular wishes gets it, so that they need not be asked one by one.
    pub fn reaches_every_follower(&self) -> bool {
        let open = |visibility| matches!(visibility, Visibility::Public | Visibility::Unlisted);
        let post =
            open(self.post.body.visibility) || self.post.body.visibility == Visibility::Private;
        let original = self
            .original
            .as_ref()
            .is_none_or(|original| open(original.post.body.visibility));
        self.post.state == State::Whole
            && self.post.shown == Shown::InFeeds
            && self.boosts_nothing().is_none()
            && post
            && original
    }

    /// For a boost whose original is unknown or gone: which of the two.
    fn boosts_nothing(&self) -> Option<Why> {
        self.post.body.boost_of.as_ref()?;
        match &self.original {
            None => Some(Why::OriginalUnknown),
            Some(original) => match original.post.state {
                State::Whole => None,
                State::Gone => Some(Why::OriginalGone),
                State::Stub => Some(Why::OriginalUnknown),
            },
        }
    }

    /// Whether the account is among those the post, by an author it follows, was sent to.
    fn reaches(&self, account: &Account) -> bool {
        is_audience(&self.audience, self.post.body.visibility, account)
    }

    /// Whether the boost may show what it boosts: a post that is not open to everybody is shown by its own author's
    /// boost alone, to those it was sent to. Anybody else's would open it to people it was not meant for.
    fn opens_to(&self, account: &Account) -> bool {
        let Some(original) = &self.original else {
            return true;
        };
        match original.post.body.visibility {
            Visibility::Public | Visibility::Unlisted => true,
            visibility => {
                original.author == self.author
                    && is_audience(&original.audience, visibility, account)
            }
        }
    }

    fn shunned_by(&self, account: &Account) -> Option<Why> {
        let boosted = self.original.as_ref().and_then(|original| original.author);
        let named = || {
            self.author
                .into_iter()
                .chain(boosted)
                .chain(self.mentions.iter().copied())
        };
        if named().any(|actor| account.blocks(actor)) {
            return Some(Why::Blocked);
        }
        if named().any(|actor| account.mutes(actor)) {
            return Some(Why::Muted);
        }
        let origins = std::iter::once(self.post.origin.as_str()).chain(
            self.original
                .as_ref()
                .map(|original| original.post.origin.as_str()),
        );
        origins
            .into_iter()
            .any(|origin| account.blocks_domain(origin))
            .then_some(Why::DomainBlocked)
    }
}

fn is_audience(audience: &[ActorIx], visibility: Visibility, account: &Account) -> bool {
    match visibility {
        Visibility::Public | Visibility::Unlisted | Visibility::Private => true,
        Visibility::Limited | Visibility::Direct => account
            .actor()
            .is_some_and(|actor| audience.contains(&actor)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feed::kept::example::post;
    use crate::post::relationship::decode;

    const ME: &str = "https://here.example/users/me";
    const ANA: &str = "https://a.example/users/ana";
    const BOB: &str = "https://b.example/users/bob";

    fn boost(by: &str, of: &Post) -> Post {
        let mut boost = post(by);
        boost.body.boost_of = Some(of.body.uri.clone());
        boost
    }

    /// Decides for account 7, who is ME and has these relations: `follow ANA`, say.
    fn decided(relations: &str, post: &Post, original: Option<&Post>) -> Decision {
        let mut graph = Graph::default();
        let own = format!(r#"{{"type":"account","account":"7","actor":"{ME}"}}"#);
        graph.apply(&decode(None, Some(own.as_bytes())).unwrap());
        for relation in relations
            .split(", ")
            .filter(|relation| !relation.is_empty())
        {
            let mut words = relation.split(' ');
            let (kind, target) = (words.next().unwrap(), words.next().unwrap());
            let target = target.replace("ANA", ANA).replace("BOB", BOB);
            let more = words
                .next()
                .map_or(String::new(), |more| format!(",{more}"));
            let document =
                format!(r#"{{"type":"{kind}","account":"7","target":"{target}"{more}}}"#);
            graph.apply(&decode(None, Some(document.as_bytes())).unwrap());
        }
        let account = graph.get(graph.account("7").unwrap()).unwrap();
        decide(&Subject::new(post, original, &graph), account)
    }

    const IN: Decision = Decision::In(Because::Followed);

    fn out(why: Why) -> Decision {
        Decision::Out(why)
    }

    #[test]
    fn a_post_is_in_home_if_its_author_is_followed_or_is_oneself() {
        assert_eq!(decided("follow ANA", &post(ANA), None), IN);
        assert_eq!(decided("", &post(ME), None), Decision::In(Because::Own));
        assert_eq!(
            decided("follow BOB", &post(ANA), None),
            out(Why::NotFollowed)
        );
        assert_eq!(decided("", &post(ANA), None), out(Why::NotFollowed));
    }

    #[test]
    fn who_sees_a_post_is_said_by_its_visibility() {
        use Visibility::{Direct, Limited, Private, Public, Unlisted};
        let nobody: &[&str] = &[];
        let table: [(Visibility, &[&str], &[&str], Decision); 10] = [
            // visibility, mentions, addressed: for a follower
            (Public, nobody, nobody, IN),
            (Unlisted, nobody, nobody, IN),
            (Private, nobody, nobody, IN),
            (Limited, nobody, &[ME], IN),
            (
                Limited,
                nobody,
                &["https://a.example/lists/1"],
                out(Why::NotAddressed),
            ),
            (Limited, nobody, &[BOB], out(Why::NotAddressed)),
            (Direct, &[ME], &[ME], IN),
            (Direct, &[BOB], &[BOB], out(Why::NotAddressed)),
            (Direct, nobody, &[ME], out(Why::NotAddressed)),
            (Direct, nobody, nobody, out(Why::NotAddressed)),
        ];
        for (visibility, mentions, addressed, decision) in table {
            let mut sent = post(ANA);
            sent.body.visibility = visibility;
            sent.body.mentions = mentions.iter().map(|id| (*id).to_owned()).collect();
            sent.body.addressed = addressed.iter().map(|id| (*id).to_owned()).collect();
            assert_eq!(
                decided("follow ANA, follow BOB", &sent, None),
                decision,
                "{visibility:?} {mentions:?} {addressed:?}"
            );
            // Nobody gets in who was not followed, mentioned or not.
            assert_eq!(decided("", &sent, None), out(Why::NotFollowed));
        }
    }

    #[test]
    fn a_block_a_mute_and_a_blocked_domain_keep_out_the_author_and_whom_they_name() {
        let mut mentioning = post(ANA);
        mentioning.body.mentions = vec![BOB.to_owned()];
        let by_bob = post(BOB);
        let boosting = boost(ANA, &by_bob);
        let table: [(&str, &Post, Option<&Post>, Why); 10] = [
            ("follow BOB, block BOB", &by_bob, None, Why::Blocked),
            ("follow BOB, mute BOB", &by_bob, None, Why::Muted),
            (
                "follow BOB, domain_block b.example",
                &by_bob,
                None,
                Why::DomainBlocked,
            ),
            ("follow ANA, block BOB", &mentioning, None, Why::Blocked),
            ("follow ANA, mute BOB", &mentioning, None, Why::Muted),
            (
                "follow ANA, block BOB",
                &boosting,
                Some(&by_bob),
                Why::Blocked,
            ),
            ("follow ANA, mute BOB", &boosting, Some(&by_bob), Why::Muted),
            (
                "follow ANA, domain_block b.example",
                &boosting,
                Some(&by_bob),
                Why::DomainBlocked,
            ),
            (
                "follow BOB, block BOB, mute BOB",
                &by_bob,
                None,
                Why::Blocked,
            ),
            (
                "follow ANA \"boosts\":false, mute BOB",
                &boosting,
                Some(&by_bob),
                Why::Muted,
            ),
        ];
        for (relations, sent, original, why) in table {
            assert_eq!(decided(relations, sent, original), out(why), "{relations}");
        }
        assert_eq!(
            decided("follow ANA, domain_block b.example", &mentioning, None),
            IN,
            "the domain of the mentioned"
        );
        assert_eq!(
            decided("follow BOB, domain_block example", &by_bob, None),
            IN,
            "a domain is not those below it"
        );
    }

    #[test]
    fn a_follow_may_be_without_boosts_or_for_some_languages() {
        let by_bob = post(BOB);
        let boosting = boost(ANA, &by_bob);
        assert_eq!(decided("follow ANA", &boosting, Some(&by_bob)), IN);
        assert_eq!(
            decided("follow ANA \"boosts\":false", &boosting, Some(&by_bob)),
            out(Why::BoostsOff)
        );
        assert_eq!(decided("follow ANA \"boosts\":false", &post(ANA), None), IN);
        let mut german = post(ANA);
        german.body.language = Some("de".to_owned());
        assert_eq!(
            decided("follow ANA \"languages\":[\"en\"]", &german, None),
            out(Why::OtherLanguage)
        );
        assert_eq!(
            decided("follow ANA \"languages\":[\"en\",\"de\"]", &german, None),
            IN
        );
        assert_eq!(
            decided("follow ANA \"languages\":[\"en\"]", &post(ANA), None),
            IN,
            "no language on the post"
        );
    }

    #[test]
    fn a_boost_needs_its_original_and_opens_nothing_to_those_it_was_not_sent_to() {
        let by_bob = post(BOB);
        let boosting = boost(ANA, &by_bob);
        assert_eq!(
            decided("follow ANA", &boosting, None),
            out(Why::OriginalUnknown)
        );
        let mut left = post(BOB);
        left.strip(State::Gone);
        assert_eq!(
            decided("follow ANA", &boosting, Some(&left)),
            out(Why::OriginalGone)
        );
        left.strip(State::Stub);
        assert_eq!(
            decided("follow ANA", &boosting, Some(&left)),
            out(Why::OriginalUnknown)
        );
        let mut private = post(BOB);
        private.body.visibility = Visibility::Private;
        let again = boost(BOB, &private);
        let both = "follow ANA, follow BOB";
        assert_eq!(
            decided(both, &boosting, Some(&private)),
            out(Why::OriginalNotAddressed)
        );
        assert_eq!(decided(both, &again, Some(&private)), IN);
        private.body.visibility = Visibility::Direct;
        assert_eq!(
            decided(both, &again, Some(&private)),
            out(Why::OriginalNotAddressed)
        );
        private.body.mentions = vec![ME.to_owned()];
        assert_eq!(decided(both, &again, Some(&private)), IN);
        assert_eq!(
            decided(both, &boosting, Some(&private)),
            out(Why::OriginalNotAddressed)
        );
    }

    #[test]
    fn what_is_dropped_for_coming_too_late_is_in_no_home_not_even_ones_own() {
        for (author, because) in [(ME, Because::Own), (ANA, Because::Followed)] {
            let mut dropped = post(author);
            let before = decided("follow ANA", &dropped, None);
            assert_eq!(before, Decision::In(because));
            dropped.shown = Shown::Nowhere;
            assert_eq!(decided("follow ANA", &dropped, None), out(Why::TooLate));
            let graph = Graph::default();
            assert!(!Subject::new(&dropped, None, &graph).reaches_every_follower());
        }
    }

    #[test]
    fn what_is_gone_is_in_no_home_not_even_ones_own() {
        let mut gone = post(ME);
        gone.strip(State::Gone);
        assert_eq!(decided("", &gone, None), out(Why::Gone));
    }
}
