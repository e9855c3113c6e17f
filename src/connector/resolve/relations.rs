//! What was noted of relations, read back and said as it is now.

use super::super::batch::{Batch, RelationNote};
use super::super::database::{ToSql, Type};
use super::super::mapping::relation;
use super::super::mapping::rows::{AccountRow, ProfileRow, RelationRow, RelationTable};
use super::super::outbox::OldKeys;
use super::super::read_back::ReadBackError;
use super::{GoneAccount, Known, Resolver, Said, document_of, moderation};
use slackwater_engine::relationship::Relation;
use std::collections::{BTreeMap, BTreeSet};

impl<K: Known> Resolver<'_, K> {
    /// Relations are said as they are now, whatever was noted of them: of a row that went, what another row with its keys says.
    pub(super) async fn say_relations(
        &self,
        batch: &Batch,
        accounts: &BTreeMap<i64, ProfileRow>,
        gone: &BTreeMap<i64, GoneAccount>,
        said: &mut Said,
    ) -> Result<(), ReadBackError> {
        let account = |id: i64| {
            let there = accounts.get(&id).map(|row| row.account.clone());
            there.or_else(|| gone.get(&id).map(|gone| gone.account.clone()))
        };
        for table in RelationTable::ALL {
            let notes: Vec<&RelationNote> = batch
                .relations
                .iter()
                .filter(|note| note.table == table)
                .collect();
            if notes.is_empty() {
                continue;
            }
            let ids: BTreeSet<i64> = notes.iter().map(|note| note.id).collect();
            let mut now = self.queries.relations(self.database, table, &ids).await?;
            let keys = self.old_keys(table, &notes, gone).await?;
            now.extend(keys.there);
            let mut removed = Vec::new();
            for note in notes.iter().filter(|note| !note.old.is_empty()) {
                match self.relations_of_keys(table, note, &keys.tags, &keys.owners, &account) {
                    Some(relations) => removed.extend(relations),
                    None => said.unresolved += 1,
                }
            }
            let in_force: Vec<Relation> = now
                .values()
                .flat_map(|row| relation::of_row(table, row, self.instance))
                .collect();
            removed.extend(
                now.values()
                    .filter_map(|row| self.relation_without(table, row)),
            );
            let keys: BTreeSet<String> = in_force.iter().filter_map(key_of).collect();
            removed.retain(|relation| key_of(relation).is_some_and(|key| !keys.contains(&key)));
            for relation in &in_force {
                if let Relation::Moderation { target, .. } = relation {
                    self.known.note_moderation(target);
                }
            }
            said.relations.extend(removed.iter().map(relation::removal));
            said.relations.extend(in_force.iter().map(document_of));
        }
        Ok(())
    }

    /// What is there now of the keys that rows had, also between other rows of the same actors.
    async fn old_keys(
        &self,
        table: RelationTable,
        notes: &[&RelationNote],
        gone: &BTreeMap<i64, GoneAccount>,
    ) -> Result<OldRelations, ReadBackError> {
        let mut old = OldRelations::default();
        let keys = || {
            notes
                .iter()
                .map(|note| &note.old)
                .filter(|keys| !keys.is_empty())
        };
        let with_doubles = |id: i64| {
            let doubles = gone.get(&id).map_or(&[][..], |gone| &gone.doubles);
            std::iter::once(id).chain(doubles.iter().copied())
        };
        let pairs = |one: &str, other: &str| -> (Vec<i64>, Vec<i64>) {
            keys()
                .filter_map(|keys| Some((keys.number(one)?, keys.number(other)?)))
                .flat_map(|(one, other)| with_doubles(other).map(move |other| (one, other)))
                .flat_map(|(one, other)| with_doubles(one).map(move |one| (one, other)))
                .unzip()
        };
        let (ones, others, condition) = match table {
            RelationTable::Follows | RelationTable::Mutes | RelationTable::Blocks => {
                let (ones, others) = pairs("account_id", "target_account_id");
                (ones, others, "(r.account_id, r.target_account_id)")
            }
            RelationTable::ListAccounts => {
                let (lists, members) = pairs("list_id", "account_id");
                old.owners = self.queries.owners_of_lists(self.database, &lists).await?;
                (lists, members, "(r.list_id, r.account_id)")
            }
            RelationTable::TagFollows => {
                let (accounts, tags) = pairs("account_id", "tag_id");
                old.tags = self.queries.names_of_tags(self.database, &tags).await?;
                (accounts, tags, "(r.account_id, r.tag_id)")
            }
            // An id or a domain is the whole key.
            RelationTable::Lists
            | RelationTable::AccountDomainBlocks
            | RelationTable::DomainBlocks => {
                return self
                    .old_domains(table, keys())
                    .await
                    .map(|there| OldRelations { there, ..old });
            }
        };
        let condition =
            format!("{condition} IN (SELECT * FROM unnest($1::bigint[], $2::bigint[]))");
        let query = self.queries.of_relations(table, &condition);
        let parameters: [(&(dyn ToSql + Sync), Type); 2] =
            [(&ones, Type::INT8_ARRAY), (&others, Type::INT8_ARRAY)];
        old.there = self
            .queries
            .read(self.database, table.name(), &query, &parameters)
            .await?;
        Ok(old)
    }

    async fn old_domains<'k>(
        &self,
        table: RelationTable,
        keys: impl Iterator<Item = &'k OldKeys>,
    ) -> Result<BTreeMap<i64, RelationRow>, ReadBackError> {
        let domains: Vec<String> = keys
            .filter_map(|keys| keys.text("domain"))
            .map(str::to_owned)
            .collect();
        if domains.is_empty() || table == RelationTable::Lists {
            return Ok(BTreeMap::new());
        }
        let query = self.queries.of_relations(table, "r.domain = ANY ($1)");
        let parameters: [(&(dyn ToSql + Sync), Type); 1] = [(&domains, Type::TEXT_ARRAY)];
        self.queries
            .read(self.database, table.name(), &query, &parameters)
            .await
    }

    /// The relations that the keys of a row meant; none if nothing is left of somebody whom they name.
    fn relations_of_keys(
        &self,
        table: RelationTable,
        note: &RelationNote,
        tags: &BTreeMap<i64, String>,
        owners: &BTreeMap<i64, i64>,
        account: &dyn Fn(i64) -> Option<AccountRow>,
    ) -> Option<Vec<Relation>> {
        let number = |column| note.old.number(column);
        let row = match table {
            RelationTable::Follows | RelationTable::Mutes | RelationTable::Blocks => RelationRow {
                by: Some(account(number("account_id")?)?),
                target: Some(account(number("target_account_id")?)?),
                ..RelationRow::default()
            },
            RelationTable::ListAccounts => RelationRow {
                by: Some(AccountRow {
                    id: *owners.get(&number("list_id")?)?,
                    ..AccountRow::default()
                }),
                target: Some(account(number("account_id")?)?),
                list: number("list_id"),
                has_follow: Some(true),
                ..RelationRow::default()
            },
            RelationTable::TagFollows => RelationRow {
                by: Some(account(number("account_id")?)?),
                tag: Some(tags.get(&number("tag_id")?)?.clone()),
                ..RelationRow::default()
            },
            RelationTable::AccountDomainBlocks => RelationRow {
                by: Some(account(number("account_id")?)?),
                domain: Some(note.old.text("domain")?.to_owned()),
                ..RelationRow::default()
            },
            RelationTable::Lists => RelationRow {
                by: Some(AccountRow {
                    id: number("account_id")?,
                    ..AccountRow::default()
                }),
                list: Some(note.id),
                ..RelationRow::default()
            },
            RelationTable::DomainBlocks => {
                let domain = note.old.text("domain")?;
                let is_in_force = self.known.has_moderation(domain);
                return Some(
                    is_in_force
                        .then(|| moderation(domain.to_owned()))
                        .into_iter()
                        .collect(),
                );
            }
        };
        Some(relation::of_row(table, &row, self.instance))
    }

    /// What a row that is there may have been, and is no more: a domain that was moderated, a member of a list that was followed.
    fn relation_without(&self, table: RelationTable, row: &RelationRow) -> Option<Relation> {
        match table {
            RelationTable::DomainBlocks => {
                let domain = row.domain.clone()?;
                self.known
                    .has_moderation(&domain)
                    .then(|| moderation(domain))
            }
            RelationTable::ListAccounts => {
                let followed = RelationRow {
                    has_follow: Some(true),
                    ..row.clone()
                };
                relation::of_row(table, &followed, self.instance).pop()
            }
            _ => None,
        }
    }
}

/// What is there of the keys that rows had, and what they name.
#[derive(Default)]
struct OldRelations {
    there: BTreeMap<i64, RelationRow>,
    tags: BTreeMap<i64, String>,
    owners: BTreeMap<i64, i64>,
}

fn key_of(relation: &Relation) -> Option<String> {
    relation.key().ok().map(|key| key.to_string())
}
