//! The accounts in the order of their ids, in pages: for people who pick one.

use super::{Account, AccountIx, Graph};
use std::collections::BTreeMap;

impl Graph {
    /// Of the accounts of which anything is in force, whose id is above `after` and which `matches`: the `limit` lowest by id,
    /// ascending. Every account is looked at, and no more than `limit` are held.
    pub fn accounts_by_id(
        &self,
        after: Option<&str>,
        limit: usize,
        matches: impl Fn(&Account) -> bool,
    ) -> Vec<AccountIx> {
        let mut lowest: BTreeMap<&str, AccountIx> = BTreeMap::new();
        for (number, of) in self.accounts.iter().enumerate() {
            let id = of.id();
            let is_above = after.is_none_or(|after| after < id);
            let highest = lowest.last_key_value().map(|(highest, _)| *highest);
            // Most of many accounts would only be dropped again: they need not be searched.
            let is_low = lowest.len() < limit || highest.is_some_and(|highest| id < highest);
            if of.is_gone() || !is_above || !is_low || !matches(of) {
                continue;
            }
            lowest.insert(id, AccountIx::from_number(number));
            if limit < lowest.len() {
                lowest.pop_last();
            }
        }
        lowest.into_values().collect()
    }

    /// Whether an account's id or the id of its actor contains `word`, which is in lower case, in any case of its own.
    pub fn is_named(&self, of: &Account, word: &str) -> bool {
        let actor = of.actor().map_or("", |actor| self.name(actor));
        [of.id(), actor]
            .iter()
            .any(|name| name.to_lowercase().contains(word))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::relationship::decode;

    fn graph(documents: &[&str]) -> Graph {
        let mut graph = Graph::default();
        for document in documents {
            graph.apply(&decode(None, Some(document.as_bytes())).unwrap());
        }
        graph
    }

    fn ids<'a>(graph: &'a Graph, accounts: &[AccountIx]) -> Vec<&'a str> {
        let of = |account: &AccountIx| graph.get(*account).map_or("", Account::id);
        accounts.iter().map(of).collect()
    }

    #[test]
    fn pages_by_id_have_every_account_once_and_none_that_is_gone() {
        let mut documents: Vec<String> = [4, 2, 5, 1, 3, 6]
            .iter()
            .map(|n| format!(r#"{{"type":"tag","account":"{n}","target":"rust"}}"#))
            .collect();
        documents.push(
            r#"{"type":"account","account":"gone","actor":"https://me.example/gone"}"#.into(),
        );
        documents.push(r#"{"type":"account","account":"gone","removed":true}"#.into());
        let documents: Vec<&str> = documents.iter().map(String::as_str).collect();
        let graph = graph(&documents);
        for limit in 1..8 {
            let mut all: Vec<String> = Vec::new();
            loop {
                let after = all.last().map(String::as_str);
                let page = graph.accounts_by_id(after, limit, |_| true);
                assert!(page.len() <= limit);
                if page.is_empty() {
                    break;
                }
                let page = ids(&graph, &page).into_iter().map(str::to_owned);
                all.extend(page.collect::<Vec<_>>());
            }
            assert_eq!(all, ["1", "2", "3", "4", "5", "6"], "{limit}");
        }
    }

    #[test]
    fn an_account_is_found_by_a_part_of_its_id_or_of_its_actor() {
        let graph = graph(&[
            r#"{"type":"account","account":"7","actor":"https://Home.example/users/Mia"}"#,
            r#"{"type":"tag","account":"mia-2","target":"rust"}"#,
            r#"{"type":"account","account":"9","actor":"https://home.example/users/ana"}"#,
        ]);
        let check = |word: &str, found: &[&str]| {
            let page = graph.accounts_by_id(None, 10, |of| graph.is_named(of, word));
            assert_eq!(ids(&graph, &page), found, "{word}");
        };
        check("mia", &["7", "mia-2"]);
        check("home.example", &["7", "9"]);
        check("", &["7", "9", "mia-2"]);
        check("nobody", &[]);
    }
}
