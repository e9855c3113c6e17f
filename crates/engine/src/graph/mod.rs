//! Who follows, mutes and blocks whom, kept small: names are held once, edges are numbers. Pure.

pub mod account_list;
pub mod apply;
pub mod hold_index;
pub mod lists;
pub mod moderation;
pub mod versions;

use crate::record::offsets::{LogPos, Offsets};
use crate::relationship::Patience;
use hashbrown::HashMap;
use hold_index::HoldIndex;
use lists::Lists;
use moderation::ModerationTable;
use slackwater_order::time::Time;
use std::collections::BTreeSet;
use xxhash_rust::xxh3::xxh3_64;

/// A local account, by number: the order in which they were first heard of by this process. Never stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountIx(u32);

impl AccountIx {
    /// From its number; accounts past 2^32 - 1 share the last.
    pub fn from_number(number: usize) -> AccountIx {
        AccountIx(u32::try_from(number).unwrap_or(u32::MAX))
    }

    /// Its number, from 0 without gaps.
    pub const fn number(self) -> usize {
        self.0 as usize
    }
}

/// An actor anywhere, by number. Only actors that some relation names have one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ActorIx(u32);

impl ActorIx {
    fn number(self) -> usize {
        self.0 as usize
    }
}

/// One account and what it wants.
#[derive(Debug, Default)]
pub struct Account {
    id: Box<str>,
    /// Its account record was removed, and nothing was said of it since.
    is_gone: bool,
    actor: Option<ActorIx>,
    follows: Vec<ActorIx>,
    /// Follows that are not plain: boosts off, or only some languages.
    options: HashMap<ActorIx, FollowOptions>,
    mutes: Vec<ActorIx>,
    blocks: Vec<ActorIx>,
    blocked_by: Vec<ActorIx>,
    domain_blocks: Vec<Box<str>>,
    /// Hashtags it follows.
    tags: Vec<Box<str>>,
    /// Few accounts have any.
    lists: Option<Box<Lists>>,
    /// As its account record says, and as its ordering record does, which wins.
    patience: [Option<Patience>; 2],
    /// Every boost of a post is wanted, whatever was shown below it.
    wants_repeats: bool,
    /// The newest record that changed what belongs in its feeds.
    newest_relation: Option<LogPos>,
}

/// How a fan-out goes about an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FanOutClass {
    /// It has nothing but plain follows: what reaches every follower reaches it.
    Plain,
    /// It has wishes beyond plain follows: each post is decided for it alone.
    Particular,
    /// It has not been seen for long and has no feeds: nothing is decided for it.
    Inactive,
}

/// What a follow asks for beyond the plain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FollowOptions {
    /// Boosts by the followed are wanted.
    pub boosts: bool,
    /// Only these languages, lower case; none named means all.
    pub languages: Vec<String>,
}

/// Boosts and every language.
pub static PLAIN: FollowOptions = FollowOptions {
    boosts: true,
    languages: Vec::new(),
};

/// All relations of this node's accounts.
#[derive(Debug, Default)]
pub struct Graph {
    accounts: Vec<Account>,
    by_id: HashMap<Box<str>, AccountIx>,
    actors: HashMap<Box<str>, ActorIx>,
    names: Vec<Box<str>>,
    /// By account: how a fan-out goes about it. Beside the accounts, not in them, so that a fan-out to plain followers
    /// touches one byte of each.
    fan_out_classes: Vec<FanOutClass>,
    /// By actor: the accounts that follow it, ascending.
    followers: Vec<Vec<AccountIx>>,
    /// By actor: the accounts it is the actor of, ascending.
    owners: HashMap<ActorIx, Vec<AccountIx>>,
    /// By hashtag: the accounts that follow it, ascending.
    tag_followers: HashMap<Box<str>, Vec<AccountIx>>,
    /// By actor: the accounts that have it on a list, ascending.
    listers: HashMap<ActorIx, Vec<AccountIx>>,
    /// What the instance does to actors and domains.
    moderation: ModerationTable,
    /// When the mutes end that do.
    mute_ends: HashMap<(AccountIx, ActorIx), Time>,
    mutes_by_end: BTreeSet<(Time, AccountIx, ActorIx)>,
    /// Whom feeds wait for.
    waits: HoldIndex,
    /// Of each partition, the offset after the newest record about whom the instance limits or suspends.
    newest_moderation: Offsets,
    /// By hash of an account's id: the partition that has spoken of its relations, or [`SEVERAL`]. Who shares a hash
    /// shares the partitions, which does no harm.
    partitions: HashMap<u64, i32>,
}

/// More than one partition.
const SEVERAL: i32 = -1;

impl Account {
    /// The backend's id of it.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Its own actor, once an account record said so.
    pub fn actor(&self) -> Option<ActorIx> {
        self.actor
    }

    /// Whether the boosts of one post are shown to it as one.
    pub fn aggregates_boosts(&self) -> bool {
        !self.wants_repeats
    }

    /// How a fan-out goes about it while it is awake.
    fn fan_out_class(&self) -> FanOutClass {
        let has_wishes = !self.options.is_empty()
            || self.excludes_anybody()
            || !self.blocked_by.is_empty()
            || self.lists().any(|(_, list)| list.is_exclusive());
        if has_wishes {
            FanOutClass::Particular
        } else {
            FanOutClass::Plain
        }
    }

    /// The newest record that changed what belongs in its feeds; none if none is known.
    pub fn newest_relation(&self) -> Option<LogPos> {
        self.newest_relation
    }

    /// Whether it was removed, and nothing was said of it since.
    pub fn is_gone(&self) -> bool {
        self.is_gone
    }

    /// Those it follows, ascending.
    pub fn follows(&self) -> &[ActorIx] {
        &self.follows
    }

    /// How it follows `actor`; none if it does not.
    pub fn follow(&self, actor: ActorIx) -> Option<&FollowOptions> {
        self.follows.binary_search(&actor).ok()?;
        Some(self.options.get(&actor).unwrap_or(&PLAIN))
    }

    /// Whether it mutes or blocks anybody at all.
    pub fn excludes_anybody(&self) -> bool {
        !(self.mutes.is_empty() && self.blocks.is_empty() && self.domain_blocks.is_empty())
    }

    /// Whether it mutes `actor`.
    pub fn mutes(&self, actor: ActorIx) -> bool {
        self.mutes.binary_search(&actor).is_ok()
    }

    /// Whether it blocks `actor`.
    pub fn blocks(&self, actor: ActorIx) -> bool {
        self.blocks.binary_search(&actor).is_ok()
    }

    /// Whether `actor` blocks it.
    pub fn is_blocked_by(&self, actor: ActorIx) -> bool {
        self.blocked_by.binary_search(&actor).is_ok()
    }

    /// The hashtags it follows, ascending.
    pub fn tags(&self) -> impl Iterator<Item = &str> {
        self.tags.iter().map(|tag| &**tag)
    }

    /// Whether it follows one of these hashtags.
    pub fn follows_a_tag(&self, tags: &[String]) -> bool {
        let follows = |tag: &String| {
            self.tags
                .binary_search_by(|there| (**there).cmp(tag))
                .is_ok()
        };
        !self.tags.is_empty() && tags.iter().any(follows)
    }

    /// Whether it blocks the domain `origin`.
    pub fn blocks_domain(&self, origin: &str) -> bool {
        self.domain_blocks
            .binary_search_by(|there| (**there).cmp(origin))
            .is_ok()
    }
}

impl Graph {
    /// An account by the backend's id; none if nothing is known of it, or it was removed.
    pub fn account(&self, id: &str) -> Option<AccountIx> {
        let account = self.by_id.get(id).copied()?;
        self.get(account).filter(|of| !of.is_gone).map(|_| account)
    }

    /// An account by the backend's id, also if it was removed.
    pub fn account_even_gone(&self, id: &str) -> Option<AccountIx> {
        self.by_id.get(id).copied()
    }

    /// An account by number.
    pub fn get(&self, account: AccountIx) -> Option<&Account> {
        self.accounts.get(account.number())
    }

    /// The backend's ids of all accounts of which anything is in force.
    pub fn account_ids(&self) -> impl Iterator<Item = &str> {
        let there = self.accounts.iter().filter(|account| !account.is_gone);
        there.map(|account| &*account.id)
    }

    /// How many accounts there are.
    pub fn accounts(&self) -> usize {
        self.accounts.len()
    }

    /// How many follows there are.
    pub fn follows(&self) -> usize {
        self.followers.iter().map(Vec::len).sum()
    }

    /// An actor's number, if any relation names it.
    pub fn actor(&self, id: &str) -> Option<ActorIx> {
        self.actors.get(id).copied()
    }

    /// An actor's id.
    pub fn name(&self, actor: ActorIx) -> &str {
        self.names.get(actor.number()).map_or("", |name| name)
    }

    /// Whether anybody follows the actor with this id.
    pub fn is_followed(&self, id: &str) -> bool {
        let actor = self.actor(id);
        actor.is_some_and(|actor| !self.followers(actor).is_empty())
    }

    /// The accounts that follow `actor`, ascending.
    pub fn followers(&self, actor: ActorIx) -> &[AccountIx] {
        self.followers
            .get(actor.number())
            .map_or(&[], Vec::as_slice)
    }

    /// How a fan-out goes about an account.
    pub fn fan_out_class(&self, account: AccountIx) -> FanOutClass {
        self.fan_out_classes
            .get(account.number())
            .copied()
            .unwrap_or(FanOutClass::Particular)
    }

    /// Whether an account has no feeds for now.
    pub fn is_inactive(&self, account: AccountIx) -> bool {
        self.fan_out_class(account) == FanOutClass::Inactive
    }

    /// An account has no feeds from now on, until [`Graph::wake`].
    pub fn drop_feeds(&mut self, account: AccountIx) {
        if let Some(fan_out_class) = self.fan_out_classes.get_mut(account.number()) {
            *fan_out_class = FanOutClass::Inactive;
        }
    }

    /// An account has feeds again.
    pub fn wake(&mut self, account: AccountIx) {
        if let (Some(of), Some(fan_out_class)) = (
            self.accounts.get(account.number()),
            self.fan_out_classes.get_mut(account.number()),
        ) {
            *fan_out_class = of.fan_out_class();
        }
    }

    /// The accounts whose own actor is `actor`, ascending.
    pub fn owners(&self, actor: ActorIx) -> &[AccountIx] {
        self.owners.get(&actor).map_or(&[], Vec::as_slice)
    }

    /// The accounts that follow a hashtag, ascending.
    pub fn tag_followers(&self, tag: &str) -> &[AccountIx] {
        self.tag_followers.get(tag).map_or(&[], Vec::as_slice)
    }

    /// The accounts that have `actor` on a list, ascending.
    pub fn listers(&self, actor: ActorIx) -> &[AccountIx] {
        self.listers.get(&actor).map_or(&[], Vec::as_slice)
    }

    /// The account of this id, made if it is new: then the caller makes a home for it.
    pub fn account_or_new(&mut self, id: &str) -> (AccountIx, bool) {
        if let Some(account) = self.by_id.get(id).copied() {
            if let Some(of) = self.accounts.get_mut(account.number()) {
                of.is_gone = false;
            }
            return (account, false);
        }
        let account = AccountIx::from_number(self.accounts.len());
        self.accounts.push(Account {
            id: id.into(),
            ..Account::default()
        });
        self.fan_out_classes.push(FanOutClass::Plain);
        self.by_id.insert(id.into(), account);
        (account, true)
    }

    /// Whether no other partition than this has spoken of the account's relations: then the last read is the newest.
    pub fn is_only_from(&self, account: &str, partition: i32) -> bool {
        self.partitions.get(&xxh3_64(account.as_bytes())) == Some(&partition)
    }

    /// Whether more than one partition has.
    pub fn is_from_several(&self, account: &str) -> bool {
        self.is_only_from(account, SEVERAL)
    }

    /// A partition has spoken of the account's relations.
    pub fn note_partition(&mut self, account: &str, partition: i32) {
        let account = xxh3_64(account.as_bytes());
        let there = self.partitions.entry(account).or_insert(partition);
        if *there != partition {
            *there = SEVERAL;
        }
    }

    /// The record at `log_pos` changed whom the instance limits or suspends.
    pub fn note_moderation(&mut self, log_pos: LogPos) {
        self.newest_moderation.raise(log_pos.next());
    }

    /// Of each partition, the offset after the newest record that did.
    pub fn newest_moderation(&self) -> &Offsets {
        &self.newest_moderation
    }

    /// The record at `log_pos` changed what belongs in an account's feeds.
    pub fn note_relation(&mut self, account: AccountIx, log_pos: LogPos) {
        if let Some(of) = self.accounts.get_mut(account.number()) {
            of.newest_relation = of.newest_relation.max(Some(log_pos));
        }
    }

    /// Makes `account` follow `actor`, or changes how.
    pub fn set_follow(&mut self, account: AccountIx, actor: &str, how: FollowOptions) {
        let actor = self.actor_or_new(actor);
        let Some(of) = self.accounts.get_mut(account.number()) else {
            return;
        };
        insert(&mut of.follows, actor);
        if how == PLAIN {
            of.options.remove(&actor);
        } else {
            of.options.insert(actor, how);
        }
        if let Some(followers) = self.followers.get_mut(actor.number()) {
            insert(followers, account);
        }
    }

    fn actor_or_new(&mut self, id: &str) -> ActorIx {
        if let Some(actor) = self.actor(id) {
            return actor;
        }
        let actor = ActorIx(u32::try_from(self.names.len()).unwrap_or(u32::MAX));
        self.names.push(id.into());
        self.waits.add_actor(id);
        self.followers.push(Vec::new());
        self.actors.insert(id.into(), actor);
        actor
    }

    fn unset_follow(&mut self, account: AccountIx, actor: ActorIx) {
        let Some(of) = self.accounts.get_mut(account.number()) else {
            return;
        };
        remove(&mut of.follows, &actor);
        of.options.remove(&actor);
        if let Some(followers) = self.followers.get_mut(actor.number()) {
            remove(followers, &account);
        }
    }

    fn set_tag(&mut self, account: AccountIx, tag: &str, on: bool) -> bool {
        let Some(of) = self.accounts.get_mut(account.number()) else {
            return false;
        };
        if on {
            insert(self.tag_followers.entry(tag.into()).or_default(), account);
            return insert(&mut of.tags, tag.into());
        }
        if let Some(followers) = self.tag_followers.get_mut(tag) {
            remove(followers, &account);
            if followers.is_empty() {
                self.tag_followers.remove(tag);
            }
        }
        remove(&mut of.tags, &tag.into())
    }

    fn set_actor(&mut self, account: AccountIx, actor: Option<ActorIx>) {
        let Some(of) = self.accounts.get_mut(account.number()) else {
            return;
        };
        if let Some(before) = std::mem::replace(&mut of.actor, actor)
            && let Some(owners) = self.owners.get_mut(&before)
        {
            remove(owners, &account);
        }
        if let Some(actor) = actor {
            insert(self.owners.entry(actor).or_default(), account);
        }
    }
}

fn insert<T: Ord>(sorted: &mut Vec<T>, item: T) -> bool {
    match sorted.binary_search(&item) {
        Ok(_) => false,
        Err(at) => {
            sorted.insert(at, item);
            true
        }
    }
}

fn remove<T: Ord>(sorted: &mut Vec<T>, item: &T) -> bool {
    match sorted.binary_search(item) {
        Ok(at) => {
            sorted.remove(at);
            true
        }
        Err(_) => false,
    }
}
