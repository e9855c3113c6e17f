//! The relations of an account that are in force.

use super::View;
use crate::feed::store::disk::DiskError;
use crate::feed::store::relation_key;
use crate::relationship::{Key, Relation, decode};
use slackwater_order::time::Time;
use std::collections::BTreeMap;

impl View {
    /// The relations of an account that are in force at `now`, in the order of their types and then of their targets. A mute
    /// that has ended by then is none of them. `_instance` has the moderation. None, if nothing is known of the account.
    pub fn relations(
        &self,
        account: &str,
        now: Time,
    ) -> Result<BTreeMap<Key, Relation>, DiskError> {
        let prefix = relation_key(account, format!("{account}/").as_bytes());
        let mut relations = BTreeMap::new();
        for (key, document) in self.store.relation_documents(&prefix)? {
            let key = key.get(2..).unwrap_or_default();
            let change = decode(Some(key), Some(&document))
                .map_err(|_| DiskError::Damaged { tree: "relations" })?;
            if let Some(relation) = change.relation
                && !relation.has_ended(now)
            {
                relations.insert(change.key, relation);
            }
        }
        Ok(relations)
    }
}
