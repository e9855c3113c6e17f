//! The table of columns in docs/mastodon.md, held against the list that is read and the pretend Mastodon of each version.

use crate::support::postgres::{Database, Version};
use slackwater::connector::columns::{self, TABLES};
use std::collections::BTreeSet;

#[test]
fn the_documented_columns_are_those_that_are_read() {
    let document = include_str!("../../../docs/mastodon.md");
    let documented: Vec<&str> = document
        .lines()
        .skip_while(|line| !line.starts_with("| table | since"))
        .skip(2)
        .take_while(|line| line.starts_with('|'))
        .collect();
    let expected: Vec<String> = TABLES
        .iter()
        .map(|table| {
            let name = if table.is_noted {
                format!("**{}**", table.name)
            } else {
                table.name.to_owned()
            };
            let columns = table.columns.iter().map(|column| format!("`{column}`"));
            let later = table
                .later
                .iter()
                .map(|(column, since)| format!("`{column}` (since {since})"));
            format!(
                "| {name} | {} | {} |",
                table.since,
                columns.chain(later).collect::<Vec<_>>().join(", ")
            )
        })
        .collect();
    assert_eq!(documented, expected);
}

/// A failure means that what is said of a version of Mastodon is not what is tested with.
#[test]
fn each_pretend_mastodon_has_the_columns_of_its_version_and_none_of_a_later() {
    for (version, known) in Version::ALL.into_iter().zip(columns::Version::ALL) {
        let database = Database::mastodon(version);
        let mut client = database.connect();
        let all = "SELECT table_name || '.' || column_name FROM information_schema.columns WHERE table_schema = 'public'";
        let there: BTreeSet<String> = client
            .query(all, &[])
            .unwrap()
            .iter()
            .map(|row| row.get(0))
            .collect();
        for table in TABLES {
            let of_version = table.columns_of(known);
            for column in table.all_columns() {
                let name = format!("{}.{column}", table.name);
                assert_eq!(
                    there.contains(&name),
                    of_version.contains(&column),
                    "{name} in {known}"
                );
            }
        }
        for later in columns::Version::ALL {
            let (table, column) = later.mark();
            assert_eq!(
                there.contains(&format!("{table}.{column}")),
                later <= known,
                "the mark of {later} in {known}"
            );
        }
    }
}
