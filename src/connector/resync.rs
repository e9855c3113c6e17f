//! All relations compared with those in force, and the difference said: the first import of relations, and what heals drift later.
//!
//! It goes account by account, a page of them in one transaction with the lock of the one connector. What changes after a page was read
//! is noted in the outbox and said later, so nothing that is said here outlives it.

use super::account_relations::relations_of_accounts;
use super::database::{Database, DatabaseError, ToSql, Type};
use super::drain::{DrainError, Sink};
use super::mapping::relation;
use super::mapping::rows::{RelationRow, RelationTable};
use super::mapping::uris::Instance;
use super::outbox;
use super::read_back::{Queries, ReadBackError};
use crate::api::relation_diff::{self, RelationSet, Types};
use slackwater_engine::relationship::{INSTANCE, Kind};
use slackwater_engine::view::View;
use slackwater_order::time::Time;
use std::collections::{BTreeMap, BTreeSet};

/// Accounts compared in one transaction.
const ACCOUNTS_PAGE: i64 = 100;

/// What a resync found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Differences {
    /// Local accounts compared.
    pub accounts: usize,
    /// Relations that were not in force.
    pub added: usize,
    /// Relations that were in force otherwise.
    pub changed: usize,
    /// Relations that were in force and are none.
    pub removed: usize,
}

/// Mastodon's side of a comparison, and ours.
#[derive(Clone, Copy)]
pub struct Sides<'a> {
    /// A connection.
    pub database: &'a Database,
    /// The queries of this version of Mastodon.
    pub queries: &'a Queries,
    /// Which instance.
    pub instance: &'a Instance,
    /// What is in force here.
    pub view: &'a View,
    /// Where the difference goes.
    pub sink: &'a Sink,
    /// The time.
    pub now: Time,
}

/// A resync that goes on from page to page.
#[derive(Debug)]
pub struct Resync {
    after: i64,
    seen: BTreeSet<String>,
    /// What was found so far.
    pub differences: Differences,
}

/// What a step came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Another connector has the outbox.
    Elsewhere,
    /// There is more.
    Going,
    /// All is compared.
    Done,
}

impl Default for Resync {
    fn default() -> Resync {
        Resync {
            after: i64::MIN,
            seen: BTreeSet::new(),
            differences: Differences::default(),
        }
    }
}

impl Resync {
    /// Compares the next page of accounts; after the last the moderation, and the accounts that Mastodon has no more.
    pub async fn step(&mut self, sides: &Sides<'_>) -> Result<Step, DrainError> {
        let work = self.locked_step(sides);
        let step = outbox::in_turn(sides.database, work).await?;
        Ok(step.unwrap_or(Step::Elsewhere))
    }

    async fn locked_step(&mut self, sides: &Sides<'_>) -> Result<Step, DrainError> {
        let Sides {
            database,
            queries,
            instance,
            ..
        } = *sides;
        let ids = local_accounts(database, self.after).await?;
        let Some(last) = ids.last() else {
            self.rest(sides).await?;
            return Ok(Step::Done);
        };
        self.after = *last;
        let profiles = queries
            .profiles(database, &ids.iter().copied().collect())
            .await?;
        let mut wanted =
            relations_of_accounts(database, queries, instance, &ids, &profiles).await?;
        for id in ids {
            let account = id.to_string();
            let set = wanted.remove(&account).unwrap_or_default();
            self.seen.insert(account.clone());
            self.differences.accounts += 1;
            self.say(&account, &set, sides).await?;
        }
        Ok(Step::Going)
    }

    async fn rest(&mut self, sides: &Sides<'_>) -> Result<(), DrainError> {
        let moderation = moderation(sides).await?;
        self.say(INSTANCE, &moderation, sides).await?;
        self.seen.insert(INSTANCE.to_owned());
        let known: Vec<String> = {
            let graph = sides.view.graph.read();
            graph.account_ids().map(str::to_owned).collect()
        };
        for account in known {
            if !self.seen.contains(&account) {
                self.say(&account, &RelationSet::new(), sides).await?;
            }
        }
        Ok(())
    }

    /// Appends what makes this set be in force. The patience that an account chose is none of Mastodon's.
    async fn say(
        &mut self,
        account: &str,
        wanted: &RelationSet,
        sides: &Sides<'_>,
    ) -> Result<(), DrainError> {
        let Sides {
            view, sink, now, ..
        } = *sides;
        let in_force = tokio::task::block_in_place(|| view.relations(account, now));
        let in_force = in_force.map_err(DrainError::Store)?;
        let guard = sink.in_flight.enter();
        let kinds = Kind::WRITTEN_BY_BACKENDS
            .into_iter()
            .filter(|kind| *kind != Kind::Ordering || wanted.is_empty());
        let types = Types::Only(kinds.collect());
        // With the types named no set is refused for what it lacks.
        let Ok((records, replaced)) = relation_diff::diff(&in_force, wanted, &types, guard.at)
        else {
            return Ok(());
        };
        self.differences.added += replaced.added;
        self.differences.changed += replaced.changed;
        self.differences.removed += replaced.removed;
        if !records.is_empty() {
            sink.append(records).await?;
        }
        Ok(())
    }
}

/// Accounts with a user, above this id.
async fn local_accounts(database: &Database, after: i64) -> Result<Vec<i64>, DatabaseError> {
    let query = "SELECT a.id FROM public.accounts a WHERE a.domain IS NULL AND a.id > $1 \
                 AND EXISTS (SELECT FROM public.users u WHERE u.account_id = a.id) ORDER BY a.id LIMIT $2";
    let parameters: [(&(dyn ToSql + Sync), Type); 2] =
        [(&after, Type::INT8), (&ACCOUNTS_PAGE, Type::INT8)];
    let rows = database.rows(query, &parameters).await?;
    Ok(rows.iter().filter_map(|row| row.try_get(0).ok()).collect())
}

/// What moderators did to accounts and domains.
async fn moderation(sides: &Sides<'_>) -> Result<RelationSet, ReadBackError> {
    let Sides {
        database,
        queries,
        instance,
        ..
    } = *sides;
    let query =
        "SELECT id FROM public.accounts WHERE silenced_at IS NOT NULL OR suspended_at IS NOT NULL";
    let failed = |source| ReadBackError::Query {
        table: "accounts",
        source,
    };
    let rows = database.rows(query, &[]).await.map_err(failed)?;
    let ids: BTreeSet<i64> = rows.iter().filter_map(|row| row.try_get(0).ok()).collect();
    let profiles = queries.profiles(database, &ids).await?;
    let of_accounts = profiles
        .values()
        .filter_map(|row| relation::moderation_of_account(row, instance));
    let query = queries.of_relations(RelationTable::DomainBlocks, "true");
    let rows: BTreeMap<i64, RelationRow> = queries
        .read(database, RelationTable::DomainBlocks.name(), &query, &[])
        .await?;
    let of_domains = rows
        .values()
        .flat_map(|row| relation::of_row(RelationTable::DomainBlocks, row, instance));
    let all = of_accounts.chain(of_domains);
    Ok(all
        .filter_map(|relation| Some((relation.key().ok()?, relation)))
        .collect())
}
