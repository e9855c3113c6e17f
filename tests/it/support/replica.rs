//! A reader who catches up: a copy of a feed, kept by asking what changed.

use super::instance::Door;
use serde_json::Value;
use std::collections::BTreeMap;

/// A copy of one account's home feed.
pub(crate) struct Replica {
    account: String,
    /// By id: the entries as they were told last.
    entries: BTreeMap<u64, Value>,
    pub(crate) cursor: String,
    /// Every change told, in the order told.
    pub(crate) told: Vec<Value>,
}

impl Replica {
    /// Begins with the whole feed, and the cursor its first page gave.
    pub(crate) fn read(door: &Door, account: &str) -> Replica {
        let page = door.get(&format!("/v1/accounts/{account}/feeds/home?limit=80"));
        assert_eq!(page.status, 200, "{}", page.text);
        let cursor = page.json()["cursor"].as_str().expect("a cursor").to_owned();
        let home = door.home(account);
        Replica {
            account: account.to_owned(),
            entries: home
                .into_iter()
                .map(|entry| (id_of(&entry), entry))
                .collect(),
            cursor,
            told: Vec::new(),
        }
    }

    /// Asks what changed until there is no more, a few at a time. The status of the last answer.
    pub(crate) fn catch_up(&mut self, door: &Door) -> u16 {
        loop {
            let path = format!(
                "/v1/accounts/{}/feeds/home/changes?limit=3&cursor={}",
                self.account, self.cursor
            );
            let answer = door.get(&path);
            if answer.status != 200 {
                return answer.status;
            }
            let told = answer.json();
            for change in told["changes"].as_array().expect("changes") {
                let id = id_of(change);
                if change["kind"] == "remove" {
                    self.entries.remove(&id);
                } else {
                    assert_eq!(id_of(&change["entry"]), id);
                    self.entries.insert(id, change["entry"].clone());
                }
                self.told.push(change.clone());
            }
            self.cursor = told["cursor"].as_str().expect("a cursor").to_owned();
            if told["more"] == false {
                return 200;
            }
        }
    }

    /// The feed as this reader has it, newest first.
    pub(crate) fn entries(&self) -> Vec<Value> {
        self.entries.values().rev().cloned().collect()
    }
}

/// The id of an entry or a change.
pub(crate) fn id_of(of: &Value) -> u64 {
    let id = of["id"].as_str().and_then(|id| id.parse().ok());
    id.unwrap_or_else(|| panic!("no id: {of}"))
}
