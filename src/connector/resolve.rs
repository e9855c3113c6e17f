//! What was noted, read back and said: the activities and relations that bring the log up to what Mastodon has now.

mod relations;

use super::account_relations::relations_of_accounts;
use super::batch::{AccountNotes, Batch, PostNotes};
use super::database::{Database, ToSql, Type};
use super::mapping::post::{Telling, activity};
use super::mapping::removal::{self, RemovedPost};
use super::mapping::rows::{AccountRow, ProfileRow, RelationRow, RelationTable, StatusRow};
use super::mapping::uris::Instance;
use super::mapping::{MappedActivity, actor, relation};
use super::read_back::{PartTable, Queries, ReadBackError};
use crate::api::append_body::PlaceRule;
use serde_json::Value;
use slackwater_engine::relationship::{Action, INSTANCE, Relation};
use slackwater_order::time::Time;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// How long a local post may be without a `uri`, which a second statement of Mastodon's gives it.
pub const URI_WAIT: Duration = Duration::from_secs(60);

/// What is already in the log, as far as it spares work.
pub trait Known {
    /// Whether a post with this id is known.
    fn has_post(&self, uri: &str) -> bool;
    /// The id of what a post answers, as it was last read.
    fn answers(&self, uri: &str) -> Option<String>;
    /// Whether the document of an actor is known.
    fn has_actor(&self, uri: &str) -> bool;
    /// Whether a local account is in force.
    fn has_account(&self, account: i64) -> bool;
    /// Whether moderators' decision about an actor or a domain is in force, or may be on its way.
    fn has_moderation(&self, target: &str) -> bool;
    /// What posts must have so that they get a place.
    fn places(&self) -> PlaceRule;
    /// Moderators' decision about an actor or a domain is sent.
    fn note_moderation(&self, target: &str);
}

/// What is said of a batch.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Said {
    /// Documents of relations, and of their removals, in their order.
    pub relations: Vec<Value>,
    /// Activities, in their order.
    pub activities: Vec<MappedActivity>,
    /// The rows of the outbox that are said by this: to be removed.
    pub numbers: BTreeSet<i64>,
    /// The rows of the outbox that wait for a `uri`.
    pub waiting: BTreeSet<i64>,
    /// How many rows named somebody of whom nothing is left.
    pub unresolved: usize,
}

/// An account whose row is gone.
struct GoneAccount {
    /// What its ids were made of.
    account: AccountRow,
    /// Other rows of the same actor: Mastodon made one of two, so that nobody is gone.
    doubles: Vec<i64>,
}

/// Everything that is needed to read a batch back.
#[derive(Clone, Copy)]
pub struct Resolver<'a, K> {
    /// A connection, within a transaction.
    pub database: &'a Database,
    /// The queries of this version of Mastodon.
    pub queries: &'a Queries,
    /// Which instance.
    pub instance: &'a Instance,
    /// What is in the log.
    pub known: &'a K,
    /// Now.
    pub now: Time,
}

impl<K: Known> Resolver<'_, K> {
    /// Reads everything back that a batch is about, and says what it is now.
    pub async fn resolve(&self, mut batch: Batch) -> Result<Said, ReadBackError> {
        let numbers = batch.numbers();
        self.find_wholes(&mut batch).await?;
        let posts: BTreeSet<i64> = batch.posts.keys().copied().collect();
        let statuses = self.queries.statuses(self.database, &posts).await?;
        let accounts = self.accounts_of(&batch, &statuses).await?;
        let mut said = Said {
            numbers,
            ..Said::default()
        };
        let gone = self.gone_accounts(&batch, &accounts).await?;
        for (id, notes) in &batch.accounts {
            self.say_account(*id, notes, accounts.get(id), &gone, &mut said);
        }
        self.say_returning(&batch, &accounts, &mut said).await?;
        self.say_relations(&batch, &accounts, &gone, &mut said)
            .await?;
        self.say_renamed(&batch, &accounts, &mut said).await?;
        self.say_posts(&batch, &statuses, &accounts, &mut said)
            .await?;
        Ok(said)
    }

    /// Finds the posts and accounts whose parts have changed.
    async fn find_wholes(&self, batch: &mut Batch) -> Result<(), ReadBackError> {
        for (table, notes) in [
            (PartTable::Mentions, std::mem::take(&mut batch.mentions)),
            (
                PartTable::MediaAttachments,
                std::mem::take(&mut batch.media),
            ),
            (PartTable::Users, std::mem::take(&mut batch.users)),
        ] {
            let ids = notes.iter().map(|note| note.id).collect();
            let wholes = self.queries.wholes(self.database, table, &ids).await?;
            for note in notes {
                match (wholes.get(&note.id), table) {
                    (Some(account), PartTable::Users) => batch.user_of(*account, note.seq, note.at),
                    (Some(post), _) => batch.part_of(*post, note.seq, note.at),
                    // It is gone again, which is noted too, or belongs to nothing yet.
                    (None, _) => {}
                }
            }
        }
        Ok(())
    }

    /// The accounts that anything in the batch is about, as they are now.
    async fn accounts_of(
        &self,
        batch: &Batch,
        statuses: &BTreeMap<i64, StatusRow>,
    ) -> Result<BTreeMap<i64, ProfileRow>, ReadBackError> {
        let mut ids: BTreeSet<i64> = batch.accounts.keys().copied().collect();
        ids.extend(
            batch
                .posts
                .values()
                .filter_map(|notes| notes.old.number("account_id")),
        );
        for note in &batch.relations {
            let old = |column| note.old.number(column);
            ids.extend(
                [old("account_id"), old("target_account_id")]
                    .into_iter()
                    .flatten(),
            );
        }
        let authors = statuses.values().map(|row| &row.account);
        let unknown = authors.filter(|author| !self.known.has_actor(&self.instance.actor(author)));
        ids.extend(unknown.map(|author| author.id));
        self.queries.profiles(self.database, &ids).await
    }

    /// The accounts of the batch whose rows are gone, with the rows that have the same actor and are there.
    async fn gone_accounts(
        &self,
        batch: &Batch,
        accounts: &BTreeMap<i64, ProfileRow>,
    ) -> Result<BTreeMap<i64, GoneAccount>, ReadBackError> {
        let gone = batch
            .accounts
            .iter()
            .filter(|(id, _)| !accounts.contains_key(id));
        let gone: Vec<AccountRow> = gone
            .filter_map(|(id, notes)| notes.old.account(*id))
            .collect();
        let actor_of = |account: &AccountRow| self.instance.actor(account);
        let actors: Vec<String> = gone.iter().map(actor_of).collect();
        let there = self
            .queries
            .accounts_of_actors(self.database, &actors)
            .await?;
        let with_doubles = |account: AccountRow| {
            let actor = actor_of(&account);
            let doubles = there.iter().filter(|(_, of)| **of == actor);
            let doubles = doubles.map(|(id, _)| *id).collect();
            (account.id, GoneAccount { account, doubles })
        };
        Ok(gone.into_iter().map(with_doubles).collect())
    }

    fn say_account(
        &self,
        id: i64,
        notes: &AccountNotes,
        row: Option<&ProfileRow>,
        gone: &BTreeMap<i64, GoneAccount>,
        said: &mut Said,
    ) {
        let Some(row) = row else {
            if !notes.is_gone {
                return;
            }
            let Some(GoneAccount { account, doubles }) = gone.get(&id) else {
                said.unresolved += 1;
                return;
            };
            if account.domain.is_none() {
                said.relations.push(self.without_account(account));
            }
            if doubles.is_empty() {
                said.activities
                    .push(removal::of_account(account, notes.at, self.instance));
            }
            return;
        };
        said.activities
            .push(actor::document(row, notes.at, self.instance));
        if row.account.domain.is_none() {
            let document = match relation::account(row, self.instance) {
                Some(relation) => document_of(&relation),
                None => self.without_account(&row.account),
            };
            said.relations.push(document);
        }
        let target = self.instance.actor(&row.account);
        match relation::moderation_of_account(row, self.instance) {
            Some(moderation) => {
                self.known.note_moderation(&target);
                said.relations.push(document_of(&moderation));
            }
            None if self.known.has_moderation(&target) => said.relations.push(unmoderated(target)),
            None => {}
        }
    }

    /// With a removed account went its relations, of which nothing is noted when it comes back: all are said.
    async fn say_returning(
        &self,
        batch: &Batch,
        accounts: &BTreeMap<i64, ProfileRow>,
        said: &mut Said,
    ) -> Result<(), ReadBackError> {
        let returning: BTreeMap<i64, ProfileRow> = accounts
            .iter()
            .filter(|(id, row)| {
                batch.accounts.contains_key(id)
                    && relation::account(row, self.instance).is_some()
                    && !self.known.has_account(**id)
            })
            .map(|(id, row)| (*id, row.clone()))
            .collect();
        if returning.is_empty() {
            return Ok(());
        }
        let ids: Vec<i64> = returning.keys().copied().collect();
        let (database, queries) = (self.database, self.queries);
        let sets =
            relations_of_accounts(database, queries, self.instance, &ids, &returning).await?;
        let relations = sets.values().flat_map(|set| set.values());
        said.relations.extend(relations.map(document_of));
        Ok(())
    }

    /// Whoever follows, mutes or blocks an account, or has it in a list, has it under the id it has now. What was said of the id before
    /// stays until all relations are compared, so that what was written under it does not leave at once.
    async fn say_renamed(
        &self,
        batch: &Batch,
        accounts: &BTreeMap<i64, ProfileRow>,
        said: &mut Said,
    ) -> Result<(), ReadBackError> {
        let is_renamed = |id: &i64, row: &ProfileRow| {
            let before = batch.accounts.get(id)?.old.account(*id)?;
            (self.instance.actor(&before) != self.instance.actor(&row.account)).then_some(*id)
        };
        let renamed = accounts.iter();
        let renamed: Vec<i64> = renamed
            .filter_map(|(id, row)| is_renamed(id, row))
            .collect();
        if renamed.is_empty() {
            return Ok(());
        }
        for (table, condition) in [
            (RelationTable::Follows, "r.target_account_id = ANY ($1)"),
            (RelationTable::Mutes, "r.target_account_id = ANY ($1)"),
            (
                RelationTable::Blocks,
                "r.target_account_id = ANY ($1) OR r.account_id = ANY ($1)",
            ),
            (RelationTable::ListAccounts, "r.account_id = ANY ($1)"),
        ] {
            let query = self.queries.of_relations(table, condition);
            let parameters: [(&(dyn ToSql + Sync), Type); 1] = [(&renamed, Type::INT8_ARRAY)];
            let rows: BTreeMap<i64, RelationRow> = self
                .queries
                .read(self.database, table.name(), &query, &parameters)
                .await?;
            let relations = rows
                .values()
                .flat_map(|row| relation::of_row(table, row, self.instance));
            said.relations
                .extend(relations.map(|relation| document_of(&relation)));
        }
        Ok(())
    }

    fn without_account(&self, account: &AccountRow) -> Value {
        relation::removal(&Relation::Account {
            account: account.id.to_string(),
            actor: self.instance.actor(account),
            languages: Vec::new(),
            patience: None,
            aggregate_boosts: true,
        })
    }

    async fn say_posts(
        &self,
        batch: &Batch,
        statuses: &BTreeMap<i64, StatusRow>,
        accounts: &BTreeMap<i64, ProfileRow>,
        said: &mut Said,
    ) -> Result<(), ReadBackError> {
        // One author's posts of one moment keep the order in which they came.
        let mut posts: Vec<(&i64, &PostNotes)> = batch.posts.iter().collect();
        posts.sort_by_key(|(_, notes)| notes.numbers.first());
        let needed = self.needed(batch, statuses).await?;
        let mut documented = BTreeSet::new();
        for (id, notes) in posts {
            let Some(row) = statuses.get(id) else {
                self.say_gone(*id, notes, accounts, said);
                continue;
            };
            if row.deleted_at.is_some() {
                let removed = RemovedPost {
                    id: *id,
                    uri: row.uri.clone(),
                    is_boost: row.original.is_some(),
                    account: row.account.clone(),
                    is_deleted: true,
                };
                said.activities
                    .push(removal::of_post(&removed, notes.at, self.instance));
                continue;
            }
            let is_local = row.account.domain.is_none();
            if is_local && row.uri.is_none() && self.now < notes.at.plus(URI_WAIT) {
                for number in &notes.numbers {
                    said.numbers.remove(number);
                    said.waiting.insert(*number);
                }
                continue;
            }
            if documented.insert(row.account.id)
                && let Some(author) = accounts.get(&row.account.id)
                && !batch.accounts.contains_key(&row.account.id)
            {
                said.activities
                    .push(actor::document(author, notes.at, self.instance));
            }
            let row = &self.with_parent(row);
            let telling = match notes.inserted {
                Some((arrived, is_fetched)) => {
                    for refers_to in [&row.parent, &row.original].into_iter().flatten() {
                        if let Some(other) = needed.get(&refers_to.id) {
                            let told = Telling::SentAlong { at: arrived };
                            said.activities.extend(activity(other, told, self.instance));
                        }
                    }
                    Telling::Created {
                        arrived,
                        is_fetched,
                    }
                }
                None => Telling::Changed { at: notes.at },
            };
            said.activities
                .extend(activity(row, telling, self.instance));
        }
        Ok(())
    }

    /// The post with what it answered. With the row of that goes Mastodon's reference to it, though Mastodon decided about the answer when
    /// it came.
    fn with_parent<'r>(&self, row: &'r StatusRow) -> Cow<'r, StatusRow> {
        if !row.reply || row.parent.is_some() {
            return Cow::Borrowed(row);
        }
        let is_boost = row.original.is_some();
        let uri = self
            .instance
            .post(row.id, row.uri.as_deref(), is_boost, &row.account);
        Cow::Owned(StatusRow {
            answered: self.known.answers(&uri),
            ..row.clone()
        })
    }

    /// The parents and originals of posts that came, if the log does not have them.
    async fn needed(
        &self,
        batch: &Batch,
        statuses: &BTreeMap<i64, StatusRow>,
    ) -> Result<BTreeMap<i64, StatusRow>, ReadBackError> {
        let came = statuses.values().filter(|row| {
            batch
                .posts
                .get(&row.id)
                .is_some_and(|notes| notes.inserted.is_some())
        });
        let referred = came.flat_map(|row| row.parent.iter().chain(&row.original));
        let comes_itself = |id: i64| {
            batch
                .posts
                .get(&id)
                .is_some_and(|notes| notes.inserted.is_some())
        };
        let ids: BTreeSet<i64> = referred
            .filter(|post| {
                !comes_itself(post.id) && !self.known.has_post(&self.instance.referred(post))
            })
            .map(|post| post.id)
            .collect();
        let mut needed = self.queries.statuses(self.database, &ids).await?;
        needed.retain(|_, row| row.deleted_at.is_none());
        Ok(needed)
    }

    /// A post whose row is gone: deleted if it was marked so, else only forgotten, unless its author is gone too.
    fn say_gone(
        &self,
        id: i64,
        notes: &PostNotes,
        accounts: &BTreeMap<i64, ProfileRow>,
        said: &mut Said,
    ) {
        // That it went is noted, but not yet to be seen: it is said then.
        if !notes.is_gone {
            return;
        }
        let author = notes
            .old
            .number("account_id")
            .and_then(|author| accounts.get(&author));
        let Some(author) = author else {
            // With its author all they wrote is forgotten, which is said of the author.
            return;
        };
        let removed = RemovedPost {
            id,
            uri: notes.old.text("uri").map(str::to_owned),
            is_boost: notes.old.has("reblog_of_id"),
            account: author.account.clone(),
            is_deleted: notes.old.has("deleted_at"),
        };
        said.activities
            .push(removal::of_post(&removed, notes.at, self.instance));
    }
}

fn document_of(relation: &Relation) -> Value {
    serde_json::to_value(relation).unwrap_or(Value::Null)
}

fn unmoderated(target: String) -> Value {
    relation::removal(&moderation(target))
}

fn moderation(target: String) -> Relation {
    Relation::Moderation {
        account: INSTANCE.to_owned(),
        target,
        action: Action::Limit,
    }
}
