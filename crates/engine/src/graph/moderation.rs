//! What the instance does to actors and domains. Pure.

use crate::graph::Graph;
use crate::relationship::Action;
use hashbrown::HashMap;

/// How an author stands with the instance; the worse counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum ModerationState {
    /// Nothing was said.
    #[default]
    Open,
    /// Out of public and tag feeds, and of homes that follow only the tag.
    Limited,
    /// Out of every feed.
    Suspended,
}

/// What is in force, by domain or actor id.
#[derive(Debug, Default)]
pub(super) struct ModerationTable {
    by_target: HashMap<Box<str>, Action>,
}

impl From<Action> for ModerationState {
    fn from(action: Action) -> ModerationState {
        match action {
            Action::Limit => ModerationState::Limited,
            Action::Suspend => ModerationState::Suspended,
        }
    }
}

impl Graph {
    /// How the actor `id`, whose host is `origin`, stands: as itself, its domain or one above that does.
    pub fn standing(&self, id: &str, origin: &str) -> ModerationState {
        let said = &self.moderation.by_target;
        if said.is_empty() {
            return ModerationState::Open;
        }
        let of = |target: &str| {
            said.get(target)
                .copied()
                .map_or(ModerationState::Open, ModerationState::from)
        };
        domains(origin).map(of).fold(of(id), ModerationState::max)
    }

    /// What is done to this very target.
    pub fn moderated(&self, target: &str) -> Option<Action> {
        self.moderation.by_target.get(target).copied()
    }

    /// Does something to a target, or with none ends it. Whether that changed anything.
    pub(super) fn moderate(&mut self, target: &str, action: Option<Action>) -> bool {
        let said = &mut self.moderation.by_target;
        match action {
            Some(action) => said.insert(target.into(), action) != Some(action),
            None => said.remove(target).is_some(),
        }
    }
}

/// Whether what is done to `target` (a domain or an actor id) is done to the actor `id`, whose host is `origin`.
pub fn is_meant(target: &str, id: &str, origin: &str) -> bool {
    target == id || domains(origin).any(|domain| domain == target)
}

/// A domain and those above it, most specific first. A port is no part of a domain.
fn domains(origin: &str) -> impl Iterator<Item = &str> {
    let host = origin.rsplit_once(':').map_or(origin, |(host, port)| {
        if port.bytes().all(|byte| byte.is_ascii_digit()) {
            host
        } else {
            origin
        }
    });
    std::iter::successors(Some(host), |domain| {
        domain.split_once('.').map(|(_, above)| above)
    })
    .chain((host != origin).then_some(origin))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANA: &str = "https://a.social.example/users/ana";

    fn standing(said: &[(&str, Action)]) -> ModerationState {
        let mut graph = Graph::default();
        for (target, action) in said {
            graph.moderate(target, Some(*action));
        }
        graph.standing(ANA, "a.social.example")
    }

    #[test]
    fn an_author_stands_as_the_worst_said_of_it_its_domain_or_one_above() {
        use Action::{Limit, Suspend};
        for (said, expected) in [
            (&[][..], ModerationState::Open),
            (&[(ANA, Limit)], ModerationState::Limited),
            (&[("a.social.example", Limit)], ModerationState::Limited),
            (&[("social.example", Suspend)], ModerationState::Suspended),
            (
                &[("social.example", Suspend), (ANA, Limit)],
                ModerationState::Suspended,
            ),
            (&[("b.social.example", Suspend)], ModerationState::Open),
            (&[("ocial.example", Suspend)], ModerationState::Open),
            (
                &[("https://a.social.example/users/bob", Suspend)],
                ModerationState::Open,
            ),
        ] {
            assert_eq!(standing(said), expected, "{said:?}");
        }
    }

    #[test]
    fn a_port_is_no_part_of_a_domain() {
        let mut graph = Graph::default();
        graph.moderate("social.example", Some(Action::Limit));
        assert_eq!(
            graph.standing("https://social.example:8443/ana", "social.example:8443"),
            ModerationState::Limited
        );
        assert!(is_meant("social.example:8443", "x", "social.example:8443"));
    }
}
