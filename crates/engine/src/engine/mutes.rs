//! Mutes that end by their time. A mute and its end are two records, each under its own key, and both together say whether the account
//! mutes: an end ends the mute that was to end then, whichever of them is read first, and no renewal.

use crate::feed::store::disk::DiskError;
use crate::feed::store::{Store, relation_key, stored_change};
use crate::graph::versions::{Stamp, Version, Versions};
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
    let as_said = InForce {
        change: change.clone(),
        ended_by: None,
    };
    if !matches!(change.key.kind, Kind::Mute | Kind::MuteEnd) {
        return Ok(as_said);
    }
    let (mute_key, mute) = row(store, &change.key, Kind::Mute)?;
    let Some(mute) = mute.effective() else {
        return Ok(InForce {
            change: Change {
                key: mute_key,
                relation: None,
            },
            ended_by: None,
        });
    };
    let mut in_force = InForce {
        change: Change {
            relation: relation_of(&mute_key, mute)?,
            key: mute_key,
        },
        ended_by: None,
    };
    let Some(ends_at) = in_force
        .change
        .relation
        .as_ref()
        .and_then(Relation::ends_at)
    else {
        return Ok(in_force);
    };
    let (end_key, end) = row(store, &change.key, Kind::MuteEnd)?;
    let Some(end) = end.effective() else {
        return Ok(in_force);
    };
    let is_its_own = matches!(relation_of(&end_key, end)?, Some(Relation::MuteEnd { until, .. }) if until == ends_at);
    // Written by a clock that was ahead: whoever mutes once more until then is not to be let down.
    let is_early = Time::default() < end.stamp.time && end.stamp.time < ends_at;
    let is_void = is_early && end.stamp.is_before(&mute.stamp);
    if is_its_own && !is_void {
        in_force.change.relation = None;
        in_force.ended_by = (change.key.kind == Kind::Mute).then_some(end.stamp);
    }
    Ok(in_force)
}

/// What is known of the relation of this kind with the same account and target, and its key.
fn row(store: &Store, key: &Key, kind: Kind) -> Result<(Key, Versions), DiskError> {
    let key = Key {
        kind,
        ..key.clone()
    };
    let versions = store.versions(&relation_key(&key.account, &key.to_bytes()))?;
    Ok((key, versions))
}

fn relation_of(key: &Key, version: &Version) -> Result<Option<Relation>, DiskError> {
    let Some(document) = &version.document else {
        return Ok(None);
    };
    Ok(stored_change(&key.to_bytes(), Some(document))?.relation)
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
