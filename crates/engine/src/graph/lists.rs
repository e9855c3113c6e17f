//! The lists of accounts: their members, and what each wants. Pure.
//!
//! A member may be named before its list is: records of both come in any order. A list shows nothing until it is there.

use crate::graph::Account;
use crate::graph::AccountIx;
use crate::graph::ActorIx;
use crate::graph::Graph;
use crate::graph::insert;
use crate::graph::remove;
use crate::relationship::Replies;
use std::collections::BTreeMap;

/// An account's lists, by the backend's id of each.
pub(super) type Lists = BTreeMap<Box<str>, List>;

/// One list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct List {
    /// What it wants; none while only members were named.
    wants: Option<Wants>,
    members: Vec<ActorIx>,
}

/// What a list wants, of a list that is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wants {
    /// Which replies it shows.
    pub replies: Replies,
    /// Its members are not shown in the home feed.
    pub exclusive: bool,
}

impl List {
    /// Which replies it shows.
    pub fn replies(&self) -> Replies {
        self.wants.map_or(Replies::None, |wants| wants.replies)
    }

    /// Whether its members are not shown in the home feed.
    pub fn is_exclusive(&self) -> bool {
        self.wants.is_some_and(|wants| wants.exclusive)
    }

    /// Its members, ascending.
    pub fn members(&self) -> &[ActorIx] {
        &self.members
    }

    /// Whether `actor` is on it.
    pub fn has(&self, actor: ActorIx) -> bool {
        self.members.binary_search(&actor).is_ok()
    }
}

impl Account {
    /// Its lists that are there, by id.
    pub fn lists(&self) -> impl Iterator<Item = (&str, &List)> {
        self.lists
            .iter()
            .flat_map(|lists| lists.iter())
            .filter(|(_, list)| list.wants.is_some())
            .map(|(id, list)| (&**id, list))
    }

    /// A list of it that is there.
    pub fn list(&self, id: &str) -> Option<&List> {
        let list = self.lists.as_ref()?.get(id)?;
        list.wants.is_some().then_some(list)
    }

    /// Whether `actor` is on one of its exclusive lists.
    pub fn lists_exclusively(&self, actor: ActorIx) -> bool {
        self.lists()
            .any(|(_, list)| list.is_exclusive() && list.has(actor))
    }
}

impl Graph {
    /// Makes a list, changes what it wants, or with none removes it; its members stay named. What it wanted before.
    pub(super) fn set_list(
        &mut self,
        account: AccountIx,
        id: &str,
        wants: Option<Wants>,
    ) -> Option<Wants> {
        let of = self.accounts.get_mut(account.number())?;
        if wants.is_none() && of.lists.is_none() {
            return None;
        }
        let lists = of.lists.get_or_insert_default();
        let list = lists.entry(id.into()).or_default();
        let before = std::mem::replace(&mut list.wants, wants);
        if *list == List::default() {
            lists.remove(id);
        }
        before
    }

    /// Puts an actor on a list, or takes it off. Whether that changed anything.
    pub(super) fn set_list_member(
        &mut self,
        account: AccountIx,
        id: &str,
        actor: ActorIx,
        on: bool,
    ) -> bool {
        let Some(of) = self.accounts.get_mut(account.number()) else {
            return false;
        };
        if on {
            let lists = of.lists.get_or_insert_default();
            let list = lists.entry(id.into()).or_default();
            insert(self.listers.entry(actor).or_default(), account);
            return insert(&mut list.members, actor);
        }
        let Some(lists) = &mut of.lists else {
            return false;
        };
        let Some(list) = lists.get_mut(id) else {
            return false;
        };
        let changed = remove(&mut list.members, &actor);
        if *list == List::default() {
            lists.remove(id);
        }
        if !lists.values().any(|list| list.has(actor)) {
            self.unset_lister(account, actor);
        }
        changed
    }

    pub(super) fn unset_lister(&mut self, account: AccountIx, actor: ActorIx) {
        if let Some(listers) = self.listers.get_mut(&actor) {
            remove(listers, &account);
            if listers.is_empty() {
                self.listers.remove(&actor);
            }
        }
    }
}
