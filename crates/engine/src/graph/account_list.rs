//! The accounts in the order of their ids, in pages: for people who pick one.

use super::{Account, AccountIx, Graph};
use std::collections::BTreeMap;
use std::ops::Range;

/// The lowest accounts by id above some id, as many as a page has room for.
#[derive(Debug)]
pub struct AccountPage {
    after: Option<String>,
    limit: usize,
    lowest: BTreeMap<Box<str>, AccountIx>,
}

impl AccountPage {
    /// An empty page of at most `limit` accounts, for those above `after`.
    pub fn new(after: Option<String>, limit: usize) -> AccountPage {
        AccountPage {
            after,
            limit,
            lowest: BTreeMap::new(),
        }
    }

    /// Its accounts, ascending by id.
    pub fn accounts(&self) -> Vec<AccountIx> {
        self.lowest.values().copied().collect()
    }
}

impl Graph {
    /// Looks at the accounts of these numbers, and puts into `page` those of which anything is in force and which `matches`. When all
    /// numbers were looked at, the page is right for what was so then. There may be millions, so that this goes in steps.
    pub fn fill_page(
        &self,
        page: &mut AccountPage,
        numbers: Range<usize>,
        matches: impl Fn(&Account) -> bool,
    ) {
        let accounts = self.accounts.get(numbers.clone()).unwrap_or_default();
        for (number, of) in numbers.zip(accounts) {
            let id = of.id();
            let is_above = page.after.as_deref().is_none_or(|after| after < id);
            let highest = page.lowest.last_key_value();
            // Most of many accounts would only be dropped again: they need not be searched.
            let is_low = page.lowest.len() < page.limit
                || highest.is_some_and(|(highest, _)| id < &**highest);
            if of.is_gone() || !is_above || !is_low || !matches(of) {
                continue;
            }
            page.lowest
                .insert(id.into(), AccountIx::from_number(number));
            if page.limit < page.lowest.len() {
                page.lowest.pop_last();
            }
        }
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

    /// In steps of two accounts.
    fn page(
        graph: &Graph,
        after: Option<&str>,
        limit: usize,
        matches: impl Fn(&Account) -> bool,
    ) -> Vec<AccountIx> {
        let mut page = AccountPage::new(after.map(str::to_owned), limit);
        for from in (0..graph.accounts()).step_by(2) {
            let to = graph.accounts().min(from + 2);
            graph.fill_page(&mut page, from..to, &matches);
        }
        page.accounts()
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
                let page = page(&graph, after, limit, |_| true);
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
            let page = page(&graph, None, 10, |of| graph.is_named(of, word));
            assert_eq!(ids(&graph, &page), found, "{word}");
        };
        check("mia", &["7", "mia-2"]);
        check("home.example", &["7", "9"]);
        check("", &["7", "9", "mia-2"]);
        check("nobody", &[]);
    }
}
