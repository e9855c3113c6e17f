//! Rows of the outbox put together by what they are about: posts, accounts, and relations. Pure.

use super::mapping::rows::RelationTable;
use super::outbox::{Noted, OldKeys};
use slackwater_order::time::Time;
use std::collections::{BTreeMap, BTreeSet};

/// What was noted, by what it is about.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Batch {
    /// By Mastodon's id of the post.
    pub posts: BTreeMap<i64, PostNotes>,
    /// By Mastodon's id of the account.
    pub accounts: BTreeMap<i64, AccountNotes>,
    /// In their order.
    pub relations: Vec<RelationNote>,
    /// Rows of mentions whose posts are still to be found out.
    pub mentions: Vec<PartNote>,
    /// Rows of media, likewise.
    pub media: Vec<PartNote>,
    /// Rows of users, likewise of accounts.
    pub users: Vec<PartNote>,
    /// The numbers of the rows that are about none of these.
    pub others: Vec<i64>,
}

/// What was noted of a post.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PostNotes {
    /// The numbers of the rows.
    pub numbers: Vec<i64>,
    /// When it was inserted, and whether Mastodon fetched it.
    pub inserted: Option<(Time, bool)>,
    /// The keys it had before the last change of them, or when it went.
    pub old: OldKeys,
    /// Whether its row went.
    pub is_gone: bool,
    /// When the last of this was noted.
    pub at: Time,
}

/// What was noted of an account.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AccountNotes {
    /// The numbers of the rows.
    pub numbers: Vec<i64>,
    /// The keys that it had, if they have changed or its row went.
    pub old: OldKeys,
    /// Whether its row went.
    pub is_gone: bool,
    /// When the last of this was noted.
    pub at: Time,
}

/// A row that is a part of something else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartNote {
    /// The id of the row.
    pub id: i64,
    /// The number of the row in the outbox.
    pub seq: i64,
    /// When it was noted.
    pub at: Time,
}

/// A row of a relation that has changed.
#[derive(Clone, Debug, PartialEq)]
pub struct RelationNote {
    /// The number of the row in the outbox.
    pub seq: i64,
    /// Which table.
    pub table: RelationTable,
    /// The id of its row.
    pub id: i64,
    /// The keys it had, if they have changed or it went.
    pub old: OldKeys,
}

impl Batch {
    /// The batch of these rows, which are in the order of their numbers.
    pub fn of(rows: Vec<Noted>) -> Batch {
        let mut batch = Batch::default();
        for row in rows {
            batch.add(row);
        }
        batch
    }

    fn add(&mut self, row: Noted) {
        if let Some(table) = RelationTable::named(&row.table) {
            self.relations.push(RelationNote {
                seq: row.seq,
                table,
                id: row.id,
                old: row.old,
            });
            return;
        }
        let of_post = row.old.number("status_id");
        let part = PartNote {
            id: row.id,
            seq: row.seq,
            at: row.at,
        };
        match row.table.as_str() {
            "statuses" => {
                let notes = self.posts.entry(row.id).or_default();
                notes.numbers.push(row.seq);
                notes.at = row.at;
                notes.is_gone |= row.is_gone;
                if let Some(fetched) = row.fetched {
                    notes.inserted = Some((row.at, fetched));
                }
                if !row.old.is_empty() {
                    notes.old = row.old;
                }
            }
            "statuses_tags" => self.part_of(row.id, row.seq, row.at),
            "mentions" | "media_attachments" if of_post.is_some() => {
                self.part_of(of_post.unwrap_or_default(), row.seq, row.at);
                // Of media that moved to another post, that one too.
                if row.table == "media_attachments" && !row.is_gone {
                    self.media.push(part);
                }
            }
            "mentions" => self.mentions.push(part),
            "media_attachments" => self.media.push(part),
            "accounts" => {
                let notes = self.accounts.entry(row.id).or_default();
                notes.numbers.push(row.seq);
                notes.at = row.at;
                notes.is_gone |= row.is_gone;
                if !row.old.is_empty() {
                    notes.old = row.old;
                }
            }
            "users" => match row.old.number("account_id") {
                Some(account) => self.user_of(account, row.seq, row.at),
                None => self.users.push(part),
            },
            _ => self.others.push(row.seq),
        }
    }

    /// A part of a post has changed.
    pub fn part_of(&mut self, post: i64, number: i64, at: Time) {
        let notes = self.posts.entry(post).or_default();
        notes.numbers.push(number);
        notes.at = notes.at.max(at);
    }

    /// The user of an account has changed.
    pub fn user_of(&mut self, account: i64, number: i64, at: Time) {
        let notes = self.accounts.entry(account).or_default();
        notes.numbers.push(number);
        notes.at = notes.at.max(at);
    }

    /// Every number in it.
    pub fn numbers(&self) -> BTreeSet<i64> {
        let posts = self.posts.values().flat_map(|notes| &notes.numbers);
        let accounts = self.accounts.values().flat_map(|notes| &notes.numbers);
        let parts = self.mentions.iter().chain(&self.media).chain(&self.users);
        posts
            .chain(accounts)
            .chain(&self.others)
            .copied()
            .chain(parts.map(|note| note.seq))
            .chain(self.relations.iter().map(|note| note.seq))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn noted(
        seq: i64,
        table: &str,
        id: i64,
        is_gone: bool,
        old: Value,
        fetched: Option<bool>,
    ) -> Noted {
        Noted {
            seq,
            table: table.to_owned(),
            id,
            is_gone,
            old: OldKeys::new(old),
            fetched,
            at: Time::from_millis(seq * 10),
        }
    }

    /// A failure means that a row of the outbox is removed without having been told, or is never removed.
    #[test]
    fn every_row_is_about_something_and_has_its_number_there() {
        let rows = vec![
            noted(1, "statuses", 5, false, Value::Null, Some(false)),
            noted(2, "mentions", 71, false, Value::Null, None),
            noted(3, "statuses_tags", 5, false, Value::Null, None),
            noted(
                4,
                "media_attachments",
                81,
                false,
                json!({"status_id": null}),
                None,
            ),
            noted(
                5,
                "media_attachments",
                82,
                true,
                json!({"status_id": 6}),
                None,
            ),
            noted(
                6,
                "mentions",
                72,
                true,
                json!({"status_id": 5, "account_id": 2}),
                None,
            ),
            noted(7, "statuses", 5, false, json!({"uri": null}), None),
            noted(
                8,
                "statuses",
                6,
                true,
                json!({"uri": "u", "deleted_at": "2026"}),
                None,
            ),
            noted(9, "accounts", 2, false, json!({"username": "ana"}), None),
            noted(10, "users", 3, false, Value::Null, None),
            noted(11, "users", 4, true, json!({"account_id": 2}), None),
            noted(
                12,
                "follows",
                9,
                true,
                json!({"account_id": 2, "target_account_id": 3}),
                None,
            ),
            noted(13, "another", 1, false, Value::Null, None),
        ];
        let batch = Batch::of(rows);
        assert_eq!(batch.numbers(), (1..=13).collect());
        let five = &batch.posts[&5];
        assert_eq!(five.inserted, Some((Time::from_millis(10), false)));
        assert_eq!(five.numbers, [1, 3, 6, 7]);
        assert_eq!(five.at, Time::from_millis(70));
        assert!(!five.is_gone);
        let six = &batch.posts[&6];
        assert!(six.is_gone && six.old.has("deleted_at"));
        assert_eq!(six.inserted, None);
        assert_eq!(batch.accounts[&2].numbers, [9, 11]);
        assert_eq!(batch.relations[0].table, RelationTable::Follows);
        assert_eq!(batch.others, [13]);
    }
}
