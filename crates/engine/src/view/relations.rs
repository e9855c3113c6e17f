//! The relations of an account that are in force.

use super::View;
use crate::feed::store::disk::DiskError;
use crate::feed::store::{relation_key, stored_change};
use crate::relationship::{Key, Kind, Relation};
use slackwater_order::time::Time;
use std::collections::BTreeMap;

impl View {
    /// The relations of an account that are in force at `now`, in the order of their types and then of their targets. A mute
    /// that has ended by then, or was ended by a record, is none of them, and its end is none of them. `_instance` has the moderation.
    /// None, if nothing is known of the account.
    pub fn relations(
        &self,
        account: &str,
        now: Time,
    ) -> Result<BTreeMap<Key, Relation>, DiskError> {
        let prefix = relation_key(account, format!("{account}/").as_bytes());
        let mut relations = BTreeMap::new();
        let mut mute_ends = Vec::new();
        for (key, document) in self.store.relation_documents(&prefix)? {
            let key = key.get(2..).unwrap_or_default();
            let change = stored_change(key, Some(&document))?;
            match change.relation {
                Some(Relation::MuteEnd { target, until, .. }) => mute_ends.push((target, until)),
                Some(relation) if !relation.has_ended(now) => {
                    relations.insert(change.key, relation);
                }
                _ => {}
            }
        }
        for (target, end) in mute_ends {
            let kind = Kind::Mute;
            let account = account.to_owned();
            let mute = Key {
                account,
                kind,
                target,
            };
            let ends = relations.get(&mute).and_then(Relation::ends_at);
            if ends == Some(end) {
                relations.remove(&mute);
            }
        }
        Ok(relations)
    }
}
