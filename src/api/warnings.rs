//! Warnings of relations that are accepted but have no effect yet, because an account or a list they need is missing.
//!
//! Relations come in any order, so that none is refused because an account is missing; but a mistyped id looks the same.

use super::responses::Warning;
use slackwater_engine::graph::Graph;
use slackwater_engine::record::NewRecord;
use slackwater_engine::relationship::{INSTANCE, Kind};
use std::collections::BTreeMap;

/// The accounts and lists that relations need, each with the first line that needs it and the number of such lines.
#[derive(Debug, Default)]
pub struct Dependencies(BTreeMap<(String, Option<String>), (usize, usize)>);

impl Dependencies {
    /// Those of the records made of these lines.
    pub fn of(records: &[NewRecord], lines: &[usize]) -> Dependencies {
        let mut dependencies = Dependencies::default();
        for (record, line) in records.iter().zip(lines) {
            let key = str::from_utf8(&record.key).unwrap_or_default();
            let mut parts = key.splitn(3, '/');
            let (Some(account), Some(kind), Some(target)) =
                (parts.next(), parts.next(), parts.next())
            else {
                continue;
            };
            // A removal needs nothing.
            if record.value.is_none() || account == INSTANCE || kind == Kind::Account.name() {
                continue;
            }
            dependencies.add(account, None, *line);
            if let (true, Some((list, _))) =
                (kind == Kind::ListMember.name(), target.split_once(' '))
            {
                dependencies.add(account, Some(list), *line);
            }
        }
        dependencies
    }

    fn add(&mut self, account: &str, list: Option<&str>, line: usize) {
        let key = (account.to_owned(), list.map(str::to_owned));
        self.0.entry(key).or_insert((line, 0)).1 += 1;
    }

    /// Those that are missing, by line.
    pub fn warnings(&self, graph: &Graph) -> Vec<Warning> {
        let mut warnings = Vec::new();
        for ((account, list), (line, count)) in &self.0 {
            let of = graph
                .account(account)
                .and_then(|account| graph.get(account));
            let is_known = of.is_some_and(|of| of.actor().is_some());
            let text = match list {
                None if !is_known => format!(
                    "account {account:?} has no account document so far: until one says which actor it is, its own posts \
                     and answers to it are not in its feeds. Is the id right?"
                ),
                Some(list) if of.is_none_or(|of| of.list(list).is_none()) => format!(
                    "account {account:?} has no list {list:?} so far: until a list document comes, nothing shows its \
                     members. Is the id right?"
                ),
                _ => continue,
            };
            let text = match count {
                1 => text,
                count => format!("{text} (Lines like this: {count}.)"),
            };
            warnings.push(Warning { line: *line, text });
        }
        warnings.sort_by_key(|warning| warning.line);
        warnings
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::append_body;
    use slackwater_engine::relationship::decode;
    use slackwater_order::time::Time;

    #[test]
    fn what_rests_on_nothing_is_said_once_by_its_first_line() {
        let body = [
            r#"{"type":"account","account":"7","actor":"https://a.example/u"}"#,
            r#"{"type":"follow","account":"7","target":"https://b.example/u"}"#,
            r#"{"type":"list_member","account":"7","list":"42","target":"https://b.example/u"}"#,
            "",
            "nonsense",
            r#"{"type":"list_member","account":"7","list":"42","target":"https://c.example/u"}"#,
            r#"{"type":"list_member","account":"7","list":"43","target":"https://b.example/u"}"#,
            r#"{"type":"follow","account":"8","target":"https://b.example/u"}"#,
            r#"{"type":"follow","account":"9","target":"https://b.example/u","removed":true}"#,
            r#"{"type":"moderation","account":"_instance","target":"b.example","action":"limit"}"#,
            r#"{"type":"list","account":"7","target":"43"}"#,
        ];
        let body = body.join("\n");
        let now = Time::from_millis(1);
        let parsed =
            append_body::lines(body.as_bytes(), |line| append_body::relation(line, now)).unwrap();
        let dependencies = Dependencies::of(&parsed.records, &parsed.lines);
        let mut graph = Graph::default();
        for record in &parsed.records {
            graph.apply(&decode(Some(&record.key), record.value.as_deref()).unwrap());
        }
        let warnings = dependencies.warnings(&graph);
        let warned: Vec<(usize, bool)> = warnings
            .iter()
            .map(|it| (it.line, it.text.ends_with("(Lines like this: 2.)")))
            .collect();
        assert_eq!(warned, [(3, true), (8, false)], "{warnings:?}");
        assert!(warnings[0].text.contains("no list \"42\""), "{warnings:?}");
        assert!(warnings[1].text.contains("account \"8\""), "{warnings:?}");
    }
}
