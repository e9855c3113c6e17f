//! Rows of local accounts and of moderators into relations, and keys of rows that are gone into removals.

use super::rows::{AccountRow, ProfileRow, RelationRow, RelationTable};
use super::uris::Instance;
use serde_json::{Value, json};
use slackwater_engine::relationship::{Action, INSTANCE, Relation, Replies};
use slackwater_order::time::Time;

/// A local account, as its user's choices say.
pub fn account(row: &ProfileRow, instance: &Instance) -> Option<Relation> {
    let user = row.user.as_ref()?;
    if row.account.domain.is_some() || row.is_suspended {
        return None;
    }
    Some(Relation::Account {
        account: row.account.id.to_string(),
        actor: instance.actor(&row.account),
        languages: languages(user.chosen_languages.clone()),
        patience: None,
        aggregate_boosts: aggregates_boosts(user.settings.as_deref()),
    })
}

/// Whether the boosts of one post show as one: Mastodon's default, unless the user chose otherwise.
fn aggregates_boosts(settings: Option<&str>) -> bool {
    let settings: Option<Value> = settings.and_then(|text| serde_json::from_str(text).ok());
    settings.and_then(|settings| settings.get("aggregate_reblogs")?.as_bool()) != Some(false)
}

/// A follow.
pub fn follow(
    by: i64,
    target: &AccountRow,
    boosts: bool,
    codes: Option<Vec<String>>,
    instance: &Instance,
) -> Relation {
    Relation::Follow {
        account: by.to_string(),
        target: instance.actor(target),
        boosts,
        languages: languages(codes),
    }
}

/// A mute.
pub fn mute(by: i64, target: &AccountRow, until: Option<Time>, instance: &Instance) -> Relation {
    Relation::Mute {
        account: by.to_string(),
        target: instance.actor(target),
        until,
    }
}

/// A block, as each of the two has it if it is local: one blocks, the other is blocked.
pub fn block(by: &AccountRow, target: &AccountRow, instance: &Instance) -> Vec<Relation> {
    let blocks = by.domain.is_none().then(|| Relation::Block {
        account: by.id.to_string(),
        target: instance.actor(target),
    });
    let blocked = target.domain.is_none().then(|| Relation::BlockedBy {
        account: target.id.to_string(),
        target: instance.actor(by),
    });
    blocks.into_iter().chain(blocked).collect()
}

/// A block of a domain.
pub fn domain_block(by: i64, domain: &str) -> Relation {
    Relation::DomainBlock {
        account: by.to_string(),
        target: domain.to_owned(),
    }
}

/// A hashtag that is followed.
pub fn tag(by: i64, name: &str) -> Relation {
    Relation::Tag {
        account: by.to_string(),
        target: name.to_owned(),
    }
}

/// A list. Its policy: 0 shows answers to its members, 1 to anybody who is followed, 2 to nobody.
pub fn list(owner: i64, id: i64, title: &str, replies_policy: i32, is_exclusive: bool) -> Relation {
    Relation::List {
        account: owner.to_string(),
        target: id.to_string(),
        title: title.to_owned(),
        replies: match replies_policy {
            1 => Replies::Followed,
            2 => Replies::None,
            _ => Replies::List,
        },
        exclusive: is_exclusive,
    }
}

/// A member of a list. One whose follow is only requested shows nothing so far, and is none.
pub fn list_member(
    owner: i64,
    list: i64,
    member: &AccountRow,
    has_follow: bool,
    instance: &Instance,
) -> Option<Relation> {
    (has_follow || member.id == owner).then(|| Relation::ListMember {
        account: owner.to_string(),
        list: list.to_string(),
        target: instance.actor(member),
    })
}

/// What moderators did to an account; none if nothing is in force.
pub fn moderation_of_account(row: &ProfileRow, instance: &Instance) -> Option<Relation> {
    let action = match (row.is_suspended, row.is_silenced) {
        (true, _) => Action::Suspend,
        (false, true) => Action::Limit,
        (false, false) => return None,
    };
    Some(Relation::Moderation {
        account: INSTANCE.to_owned(),
        target: instance.actor(&row.account),
        action,
    })
}

/// What moderators did to a domain: 0 limits it, 1 suspends it; of any other number no feed goes by it.
pub fn moderation_of_domain(domain: &str, severity: Option<i32>) -> Option<Relation> {
    let action = match severity {
        Some(0) => Action::Limit,
        Some(1) => Action::Suspend,
        _ => return None,
    };
    Some(Relation::Moderation {
        account: INSTANCE.to_owned(),
        target: domain.to_owned(),
        action,
    })
}

/// The relations that a row is, of local accounts.
pub fn of_row(table: RelationTable, row: &RelationRow, instance: &Instance) -> Vec<Relation> {
    let by = row.by.as_ref();
    let local = by.filter(|by| by.domain.is_none());
    let target = row.target.as_ref();
    let one = match table {
        RelationTable::Blocks => {
            let both = by.zip(target);
            return both
                .map(|(by, target)| block(by, target, instance))
                .unwrap_or_default();
        }
        RelationTable::Follows => local.zip(target).map(|(by, target)| {
            follow(
                by.id,
                target,
                row.boosts != Some(false),
                row.languages.clone(),
                instance,
            )
        }),
        RelationTable::Mutes => local
            .zip(target)
            .map(|(by, target)| mute(by.id, target, row.until.map(Time::from_millis), instance)),
        RelationTable::AccountDomainBlocks => local
            .zip(row.domain.as_deref())
            .map(|(by, domain)| domain_block(by.id, domain)),
        RelationTable::TagFollows => local
            .zip(row.tag.as_deref())
            .map(|(by, name)| tag(by.id, name)),
        RelationTable::Lists => local.zip(row.list).map(|(by, id)| {
            let title = row.title.as_deref().unwrap_or_default();
            let replies = row.replies_policy.unwrap_or(0);
            list(by.id, id, title, replies, row.exclusive == Some(true))
        }),
        RelationTable::ListAccounts => {
            local
                .zip(row.list)
                .zip(target)
                .and_then(|((by, list), target)| {
                    list_member(by.id, list, target, row.has_follow == Some(true), instance)
                })
        }
        RelationTable::DomainBlocks => row
            .domain
            .as_deref()
            .and_then(|domain| moderation_of_domain(domain, row.severity)),
    };
    one.into_iter().collect()
}

/// Codes as relations have them. Mastodon has some that are none, and one that it cannot have is left out.
fn languages(codes: Option<Vec<String>>) -> Vec<String> {
    let mut codes: Vec<String> = codes
        .unwrap_or_default()
        .iter()
        .map(|code| code.to_ascii_lowercase())
        .collect();
    codes.retain(|code| !code.is_empty());
    codes.sort();
    codes.dedup();
    codes
}

/// The document that removes a relation.
pub fn removal(relation: &Relation) -> Value {
    let mut document = serde_json::to_value(relation).unwrap_or(Value::Null);
    if let Some(fields) = document.as_object_mut() {
        fields.retain(|name, _| ["type", "account", "target", "list"].contains(&name.as_str()));
        fields.insert("removed".to_owned(), json!(true));
    }
    document
}
