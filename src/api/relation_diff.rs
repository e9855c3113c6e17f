//! A whole set of an account's relations against those in force: what to append so that the set is what is in force. Pure.

use super::append_body::relation;
use super::rejections::{Rejection, RejectionKind};
use super::responses::Replaced;
use slackwater_engine::record::{NewRecord, Topic};
use slackwater_engine::relationship::{Key, Kind, Relation, decode};
use slackwater_order::time::Time;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

/// Relations by their keys: those of one account.
pub type RelationSet = BTreeMap<Key, Relation>;

/// The types of relation that a request is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Types {
    /// All of them. A set of all says nothing of `ordering`, which readers choose, unless it has one.
    All,
    /// These.
    Only(Vec<Kind>),
}

impl Types {
    /// From a list of names with commas between. Errors: a reason that names all there are.
    pub fn parse(names: &str) -> Result<Types, String> {
        let kinds: Result<Vec<_>, _> = names.split(',').map(|it| Kind::named(it.trim())).collect();
        Ok(Types::Only(kinds?))
    }

    /// Whether relations of this type are among them.
    pub fn include(&self, kind: Kind) -> bool {
        match self {
            Types::All => true,
            Types::Only(kinds) => kinds.contains(&kind),
        }
    }
}

/// A line of a set: the relation and its key. Errors: the document is no relation, is a removal, belongs to another account or is
/// of a type that the request is not about.
pub fn member(line: &[u8], account: &str, types: &Types) -> Result<(Key, Relation), Rejection> {
    // The decoder of single documents has the reasons.
    relation(line, Time::default())?;
    let refuse = |reason: String| Err(RejectionKind::Relation.with(reason));
    let change = match decode(None, Some(line)) {
        Ok(change) => change,
        Err(reason) => return refuse(reason),
    };
    let (key, Some(relation)) = (change.key, change.relation) else {
        return refuse("a removal: leave out of the set what is to be removed".to_owned());
    };
    if key.account != account {
        return refuse(format!(
            "account is {:?}: the path says {account:?}",
            key.account
        ));
    }
    if key.kind == Kind::MuteEnd {
        return refuse(
            "a mute_end, which is no part of a set: leave out the mute instead".to_owned(),
        );
    }
    if !types.include(key.kind) {
        return refuse(format!(
            "a {}: the request is about other types, leave it out or add it to `type`",
            key.kind.name()
        ));
    }
    Ok((key, relation))
}

/// A set from its members, each with its line. Errors: two lines have one key.
pub fn set(members: Vec<(usize, (Key, Relation))>) -> Result<RelationSet, String> {
    let mut set = RelationSet::new();
    for (line, (key, relation)) in members {
        match set.entry(key) {
            Entry::Vacant(place) => drop(place.insert(relation)),
            Entry::Occupied(there) => {
                return Err(format!(
                    "line {line}: {} is in the set already, send it once",
                    there.key()
                ));
            }
        }
    }
    Ok(set)
}

/// The records that make `wanted` be in force where `in_force` is, of these types, and how many of each kind they are. Removals
/// come first, and then the rest in the order of their types, so that a list comes before its members. Errors: a reason why the
/// set cannot be the whole of an account.
pub fn diff(
    in_force: &RelationSet,
    wanted: &RelationSet,
    types: &Types,
    now: Time,
) -> Result<(Vec<NewRecord>, Replaced), String> {
    let has = |set: &RelationSet, kind| set.keys().any(|key| key.kind == kind);
    let is_of_nobody = *types == Types::All
        && !wanted.is_empty()
        && has(in_force, Kind::Account)
        && !has(wanted, Kind::Account);
    if is_of_nobody {
        return Err(
            "the set has no document of type account, which would remove the account and all it has: send that too, name the \
             types that are meant (?type=follow), or send an empty set to remove the account"
                .to_owned(),
        );
    }
    let is_meant = |key: &Key| {
        types.include(key.kind)
            && (key.kind != Kind::Ordering
                || *types != Types::All
                || wanted.is_empty()
                || has(wanted, Kind::Ordering))
    };
    let mut records = Vec::new();
    let mut replaced = Replaced::default();
    // A removed account forgets all that was said of it before, so its own document goes last.
    for key in in_force.keys().rev().filter(|key| is_meant(key)) {
        if !wanted.contains_key(key) {
            replaced.removed += 1;
            records.push(record(key, None, now));
        }
    }
    for (key, relation) in wanted {
        // One that has ended by itself is as good as removed.
        if relation.has_ended(now) || in_force.get(key) == Some(relation) {
            continue;
        }
        match in_force.contains_key(key) {
            true => replaced.changed += 1,
            false => replaced.added += 1,
        }
        let document = serde_json::to_vec(relation).map_err(|error| error.to_string())?;
        records.push(record(key, Some(document), now));
    }
    Ok((records, replaced))
}

fn record(key: &Key, value: Option<Vec<u8>>, now: Time) -> NewRecord {
    NewRecord {
        topic: Topic::Relationships,
        partition_by: key.account.clone().into_bytes(),
        key: key.to_bytes(),
        value,
        headers: Vec::new(),
        timestamp: now,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Time = Time::from_millis(1_000_000);

    fn all_members(lines: &[&str], types: &Types) -> Result<RelationSet, String> {
        let members: Result<Vec<_>, Rejection> = lines
            .iter()
            .map(|line| member(line.as_bytes(), "7", types))
            .collect();
        set((1..).zip(members.map_err(|e| e.reason)?).collect())
    }

    /// What is in force after these records, one after the other.
    fn carried_out(in_force: &RelationSet, records: &[NewRecord]) -> RelationSet {
        let mut after = in_force.clone();
        for record in records {
            assert_eq!(record.partition_by, b"7");
            let change = decode(Some(&record.key), record.value.as_deref()).unwrap();
            match change.relation {
                Some(relation) => drop(after.insert(change.key, relation)),
                None if change.key.kind == Kind::Account => after.clear(),
                None => drop(after.remove(&change.key)),
            }
        }
        after
    }

    /// Every pair of sets of these, of each none or one: what is in force before, and what is sent.
    #[test]
    fn what_is_appended_makes_of_any_set_any_other_and_no_more_than_it_takes() {
        let choices: [&[&str]; 4] = [
            &[r#"{"type":"account","account":"7","actor":"https://a.example/7"}"#],
            &[
                r#"{"type":"follow","account":"7","target":"https://b.example/u"}"#,
                r#"{"type":"follow","account":"7","target":"https://b.example/u","boosts":false}"#,
            ],
            &[r#"{"type":"list","account":"7","target":"1","title":"Friends"}"#],
            &[r#"{"type":"list_member","account":"7","list":"1","target":"https://b.example/u"}"#],
        ];
        let mut sets = vec![Vec::new()];
        for of_one in choices {
            let without = sets.clone();
            for line in of_one {
                sets.extend(
                    without
                        .iter()
                        .map(|set| [set.as_slice(), &[*line]].concat()),
                );
            }
        }
        let sets: Vec<RelationSet> = sets
            .iter()
            .map(|lines| all_members(lines, &Types::All).unwrap())
            .collect();
        let account = |set: &RelationSet| set.keys().any(|key| key.kind == Kind::Account);
        for (before, wanted) in sets.iter().flat_map(|a| sets.iter().map(move |b| (a, b))) {
            let made = diff(before, wanted, &Types::All, NOW);
            if account(before) && !account(wanted) && !wanted.is_empty() {
                assert!(made.unwrap_err().contains("?type=follow"));
                continue;
            }
            let (records, replaced) = made.unwrap();
            assert_eq!(&carried_out(before, &records), wanted, "{before:?}");
            assert_eq!(
                records.len(),
                replaced.added + replaced.changed + replaced.removed
            );
            let differ = before
                .iter()
                .filter(|(key, it)| wanted.get(*key) != Some(it))
                .count()
                + wanted
                    .keys()
                    .filter(|key| !before.contains_key(*key))
                    .count();
            assert_eq!(records.len(), differ, "{before:?} {wanted:?}");
        }
    }

    #[test]
    fn of_other_types_nothing_is_removed_and_a_chosen_patience_stays_unless_it_is_meant() {
        let before = all_members(
            &[
                r#"{"type":"account","account":"7","actor":"https://a.example/7"}"#,
                r#"{"type":"ordering","account":"7","patience":"20m"}"#,
                r#"{"type":"follow","account":"7","target":"https://b.example/u"}"#,
                r#"{"type":"mute","account":"7","target":"https://b.example/u"}"#,
            ],
            &Types::All,
        )
        .unwrap();
        let check = |types: &str, wanted: &[&str], left: &[Kind]| {
            let types = match types {
                "" => Types::All,
                names => Types::parse(names).unwrap(),
            };
            let wanted = all_members(wanted, &types).unwrap();
            let (records, _) = diff(&before, &wanted, &types, NOW).unwrap();
            let after = carried_out(&before, &records);
            let kinds: Vec<Kind> = after.keys().map(|key| key.kind).collect();
            assert_eq!(kinds, left, "{types:?}");
        };
        use Kind::{Account, Follow, Mute, Ordering};
        let account = r#"{"type":"account","account":"7","actor":"https://a.example/7"}"#;
        let patience = r#"{"type":"ordering","account":"7","patience":"1m"}"#;
        check("follow", &[], &[Account, Ordering, Mute]);
        check("follow, mute", &[], &[Account, Ordering]);
        check("ordering", &[], &[Account, Follow, Mute]);
        check("", &[account], &[Account, Ordering]);
        check("", &[account, patience], &[Account, Ordering]);
        check("", &[], &[]);
    }

    #[test]
    fn a_mute_that_has_ended_is_none() {
        let ended = r#"{"type":"mute","account":"7","target":"https://b.example/u","until":"1970-01-01T00:16:40Z"}"#;
        let wanted = all_members(&[ended], &Types::All).unwrap();
        let (records, replaced) = diff(&RelationSet::new(), &wanted, &Types::All, NOW).unwrap();
        assert_eq!((records.len(), replaced), (0, Replaced::default()));
        let just_before = Time::from_millis(NOW.millis() - 1);
        let (records, _) = diff(&RelationSet::new(), &wanted, &Types::All, just_before).unwrap();
        assert_eq!(records.len(), 1);
    }

    #[test]
    fn a_set_of_another_account_of_other_types_or_with_something_twice_is_refused() {
        let check = |types: &Types, lines: &[&str], reason: &str| {
            let refused = all_members(lines, types).unwrap_err();
            assert!(refused.contains(reason), "{refused}");
        };
        let follow = r#"{"type":"follow","account":"7","target":"https://b.example/u"}"#;
        let without_boosts =
            r#"{"type":"follow","account":"7","target":"https://b.example/u","boosts":false}"#;
        check(
            &Types::All,
            &[&follow.replace("\"7\"", "\"8\"")],
            "the path says \"7\"",
        );
        check(
            &Types::All,
            &[follow, without_boosts],
            "line 2: 7/follow/https://b.example/u is in the set already",
        );
        check(
            &Types::parse("mute").unwrap(),
            &[follow],
            "the request is about other types",
        );
        let removed =
            r#"{"type":"follow","account":"7","target":"https://b.example/u","removed":true}"#;
        check(&Types::All, &[removed], "leave out of the set");
        check(
            &Types::All,
            &[&follow.replace("target", "tarhet")],
            "did you mean target?",
        );
        assert!(
            Types::parse("follows")
                .unwrap_err()
                .contains("did you mean follow?")
        );
    }
}
