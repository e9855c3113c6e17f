//! Every relation of local accounts, as Mastodon has them now.

use super::database::{Database, ToSql, Type};
use super::mapping::relation;
use super::mapping::rows::{ProfileRow, RelationRow, RelationTable};
use super::mapping::uris::Instance;
use super::read_back::{Queries, ReadBackError};
use crate::api::relation_diff::RelationSet;
use slackwater_engine::relationship::Relation;
use std::collections::{BTreeMap, BTreeSet};

/// Every relation of these accounts, by account.
pub async fn relations_of_accounts(
    database: &Database,
    queries: &Queries,
    instance: &Instance,
    ids: &[i64],
    profiles: &BTreeMap<i64, ProfileRow>,
) -> Result<BTreeMap<String, RelationSet>, ReadBackError> {
    let mut sets: BTreeMap<String, RelationSet> = BTreeMap::new();
    let mut put = |relation: Relation| {
        if let Ok(key) = relation.key() {
            sets.entry(key.account.clone())
                .or_default()
                .insert(key, relation);
        }
    };
    // Of who is suspended nothing is said: their feeds are read by nobody.
    let accounts: BTreeMap<i64, Relation> = profiles
        .iter()
        .filter_map(|(id, row)| Some((*id, relation::account(row, instance)?)))
        .collect();
    let ids: Vec<i64> = ids
        .iter()
        .copied()
        .filter(|id| accounts.contains_key(id))
        .collect();
    let is_of_page: BTreeSet<String> = ids.iter().map(i64::to_string).collect();
    accounts.into_values().for_each(&mut put);
    for table in RelationTable::ALL {
        let condition = match table {
            RelationTable::DomainBlocks => continue,
            RelationTable::Blocks => "r.account_id = ANY ($1) OR r.target_account_id = ANY ($1)",
            RelationTable::ListAccounts => "l.account_id = ANY ($1)",
            _ => "r.account_id = ANY ($1)",
        };
        let query = queries.of_relations(table, condition);
        let parameters: [(&(dyn ToSql + Sync), Type); 1] = [(&ids, Type::INT8_ARRAY)];
        let rows: BTreeMap<i64, RelationRow> = queries
            .read(database, table.name(), &query, &parameters)
            .await?;
        for relation in rows
            .values()
            .flat_map(|row| relation::of_row(table, row, instance))
        {
            if relation
                .key()
                .is_ok_and(|key| is_of_page.contains(&key.account))
            {
                put(relation);
            }
        }
    }
    Ok(sets)
}
