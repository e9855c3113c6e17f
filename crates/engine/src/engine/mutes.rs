//! Mutes that end by their time. A mute and its end are two records, each under its own key, and both together say whether the account
//! mutes: an end ends the mute that was to end then, whichever of them is read first, and no renewal.

use crate::feed::store::disk::DiskError;
use crate::feed::store::{Store, relation_key, stored_change};
use crate::graph::versions::Stamp;
use crate::record::{NewRecord, Topic};
use crate::relationship::{Change, Key, Kind, Relation};
use slackwater_order::time::Time;

/// What is in force of a change, by all that is stored.
pub(super) struct InForce {
    /// The change as it counts.
    pub(super) change: Change,
    /// The record by which a mute has ended before it was read.
    pub(super) ended_by: Option<Stamp>,
}

/// What is in force by a change that counts: of a mute and of its end, whether there is a mute, which both say together.
pub(super) fn in_force(store: &Store, change: &Change) -> Result<InForce, DiskError> {
    let key = &change.key;
    let row_of = |kind| {
        let key = Key {
            kind,
            ..key.clone()
        };
        (
            store.versions(&relation_key(&key.account, &key.to_bytes())),
            key,
        )
    };
    let ends = match (key.kind, &change.relation) {
        (Kind::MuteEnd, _) => {
            let (mute, key) = row_of(Kind::Mute);
            let mute = stored_change(&key.to_bytes(), mute?.document())?;
            let change = in_force(store, &mute)?.change;
            return Ok(InForce {
                change,
                ended_by: None,
            });
        }
        (Kind::Mute, Some(mute)) => mute.ends_at(),
        _ => None,
    };
    let mut in_force = InForce {
        change: change.clone(),
        ended_by: None,
    };
    let Some(ends) = ends else {
        return Ok(in_force);
    };
    let (end, key) = row_of(Kind::MuteEnd);
    let end = end?;
    let Some(said) = end.effective() else {
        return Ok(in_force);
    };
    let document = said.document.as_deref();
    let end = document.map(|document| stored_change(&key.to_bytes(), Some(document)));
    let end = end.transpose()?.and_then(|end| end.relation);
    if matches!(end, Some(Relation::MuteEnd { until, .. }) if until == ends) {
        in_force.change.relation = None;
        in_force.ended_by = Some(said.stamp);
    }
    Ok(in_force)
}

/// The record that ends the mute which was to end then. A removal of the mute would end a renewal too, if that was appended first.
pub(super) fn mute_end((key, until): &(Key, Time), now: Time) -> Option<NewRecord> {
    let end = Relation::MuteEnd {
        account: key.account.clone(),
        target: key.target.clone(),
        until: *until,
    };
    Some(NewRecord {
        topic: Topic::Relationships,
        partition_by: key.account.clone().into_bytes(),
        key: key.to_bytes(),
        value: Some(serde_json::to_vec(&end).ok()?),
        headers: Vec::new(),
        timestamp: now,
    })
}
