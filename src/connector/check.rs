//! What is to be done about a database, in words.

use super::columns::{TABLES, TOKEN_COLUMNS, Version};
use super::database::Place;
use super::inspect::{COUNTED_MAX, Found, Installed, Ours, TriggerState};
use super::install_sql::{self, Level, NOTE_TRIGGER, PLACE_TRIGGER};
use std::time::Duration;

/// How long a row may wait in the outbox before something is wrong: it is read ten times a second.
const LAG_MAX: Duration = Duration::from_secs(5 * 60);

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// It is as it should be.
    Good(String),
    /// It is not; the sentence says what to do.
    ToDo(String),
}

impl Finding {
    /// Whether something is to be done.
    pub fn is_to_do(&self) -> bool {
        matches!(self, Finding::ToDo(_))
    }
}

/// Everything that there is to say of what was found in the database at `place`.
pub fn check(found: &Found, place: &Place) -> Vec<Finding> {
    let mut findings = vec![mastodon(found)];
    findings.extend(missing_columns(found));
    match &found.ours {
        Ours::Absent => findings.push(to_do(
            "nothing of Slackwater's is installed: run `slackwater mastodon install`",
        )),
        Ours::Hidden => findings.push(to_do(&format!(
            "the role {} may not see the schema slackwater: use the role that was given at the installation, or run \
             `slackwater mastodon install --role {}` as the owner of the tables",
            found.asked_by, found.asked_by
        ))),
        Ours::Unfinished => findings.push(to_do(
            "an installation did not end: run `slackwater mastodon install` again; what is there is left as it is",
        )),
        Ours::Installed(installed) => {
            findings.push(version(found, installed));
            findings.extend(triggers(found, installed));
            findings.extend(rights(installed));
            findings.extend(outbox(installed));
            findings.extend(ids(installed));
        }
    }
    if let Some(port) = found.server_port.filter(|port| *port != place.port) {
        findings.push(good(&format!(
            "asked by way of port {}, the server itself has {port}: a pooler or a forwarded port, and nothing here needs a session of its own",
            place.port
        )));
    }
    findings
}

fn mastodon(found: &Found) -> Finding {
    let has = |(table, column): (&str, &str)| {
        found
            .columns
            .get(table)
            .is_some_and(|it| it.contains(column))
    };
    let newest = Version::ALL
        .into_iter()
        .rev()
        .find(|version| has(version.mark()));
    match newest {
        Some(Version::V4_6) => good("Mastodon 4.6 or later, by its tables"),
        Some(version) => good(&format!("Mastodon {version}, by its tables")),
        None if found.columns.contains_key("statuses") => to_do(
            "this Mastodon is older than 4.3, by its tables: that is the oldest that is known here",
        ),
        None => to_do(
            "there are no tables of Mastodon's in the schema public: is this the right database?",
        ),
    }
}

fn missing_columns(found: &Found) -> Option<Finding> {
    if !found.columns.contains_key("statuses") {
        return None;
    }
    let is_there = |table: &str, column: &str| {
        found
            .columns
            .get(table)
            .is_some_and(|it| it.contains(column))
    };
    let read = TABLES.iter().flat_map(|table| {
        // A column that came later is missed only where the version has it by its mark.
        let has = |version: &Version| is_there(version.mark().0, version.mark().1);
        let newest = Version::ALL
            .into_iter()
            .rev()
            .find(has)
            .unwrap_or(Version::V4_3);
        table
            .columns_of(newest)
            .into_iter()
            .map(|column| (table.name, column))
    });
    let asked = TOKEN_COLUMNS
        .iter()
        .flat_map(|(table, columns)| columns.iter().map(|column| (*table, *column)));
    let missing: Vec<String> = read
        .chain(asked)
        .filter(|(table, column)| !is_there(table, column))
        .map(|(table, column)| format!("{table}.{column}"))
        .collect();
    Some(match missing.is_empty() {
        true => good("every column that is read is there"),
        false => to_do(&format!(
            "missing: {}. Mastodon goes on as before and changes are still noted, but what is made of these columns is left out of \
             feeds: look for a newer Slackwater",
            missing.join(", ")
        )),
    })
}

fn version(found: &Found, installed: &Installed) -> Finding {
    let ours = install_sql::VERSION;
    let is_as_ours =
        |name: &str| match (found.functions.get(name), install_sql::function_body(name)) {
            (Some(body), Some(ours)) => body == ours,
            _ => false,
        };
    let changed: Vec<&str> = ["note", "place_id", "token_bearer"]
        .into_iter()
        .filter(|name| !is_as_ours(name))
        .collect();
    if ours < installed.version {
        to_do(&format!(
            "version {} of the SQL is installed, which is newer than {ours} of this program: use the program that installed it",
            installed.version
        ))
    } else if installed.version < ours {
        to_do(&format!(
            "version {} of the SQL is installed and {ours} is the newest: run `slackwater mastodon install` again",
            installed.version
        ))
    } else if changed.is_empty() {
        good(&format!(
            "version {ours} of the SQL is installed, the newest"
        ))
    } else {
        to_do(&format!(
            "missing or not as it was installed: slackwater.{}(): run `slackwater mastodon install` again",
            changed.join("(), slackwater.")
        ))
    }
}

fn triggers(found: &Found, installed: &Installed) -> Vec<Finding> {
    let tables = TABLES
        .iter()
        .filter(|table| table.is_noted && found.columns.contains_key(table.name));
    let mut wanted: Vec<(&str, &str)> = tables.map(|table| (table.name, NOTE_TRIGGER)).collect();
    let state = |(table, name): (&str, &str)| {
        found
            .triggers
            .get(&(table.to_owned(), name.to_owned()))
            .copied()
    };
    let place = ("statuses", PLACE_TRIGGER);
    let level = match (installed.level, state(place)) {
        (Level::Look, None) => Some(good("level look: no id of Mastodon's is changed")),
        (Level::Look, Some(_)) => Some(to_do(
            "there is a trigger that changes ids, but look is the level that was installed: run `slackwater mastodon install --serve`, \
             or `slackwater mastodon uninstall --only-ids`",
        )),
        (Level::Serve, _) => {
            wanted.push(place);
            Some(good(
                "level serve: posts get ids of the time they were written",
            ))
        }
    };
    let named = |wrong: &dyn Fn(Option<TriggerState>) -> bool| -> Vec<String> {
        let wrong = wanted.iter().filter(|trigger| wrong(state(**trigger)));
        wrong
            .map(|(table, name)| format!("{name} on {table}"))
            .collect()
    };
    let missing = named(&|state| state.is_none());
    let disabled = named(&|state| state == Some(TriggerState::Disabled));
    let again = match installed.level {
        Level::Look => "run `slackwater mastodon install` again",
        Level::Serve => "run `slackwater mastodon install --serve` again",
    };
    let mut findings: Vec<Finding> = level.into_iter().collect();
    if !missing.is_empty() {
        findings.push(to_do(&format!(
            "triggers are missing: {}: {again}",
            missing.join(", ")
        )));
    }
    if !disabled.is_empty() {
        findings.push(to_do(&format!(
            "triggers are disabled: {}: {again}",
            disabled.join(", ")
        )));
    }
    if missing.is_empty() && disabled.is_empty() {
        findings.push(good(&format!("all {} triggers are there", wanted.len())));
    }
    findings
}

fn rights(installed: &Installed) -> Vec<Finding> {
    let Installed { role, .. } = installed;
    if !installed.has_role {
        return vec![to_do(&format!(
            "the role {role} is gone: run `slackwater mastodon install` again"
        ))];
    }
    let mut findings = Vec::new();
    let words = |names: &std::collections::BTreeSet<String>| {
        names.iter().cloned().collect::<Vec<_>>().join(", ")
    };
    if !installed.unreadable.is_empty() {
        findings.push(to_do(&format!(
            "the role {role} may not read {}: run `slackwater mastodon install --role {role}` again",
            words(&installed.unreadable)
        )));
    }
    if !installed.unusable.is_empty() {
        findings.push(to_do(&format!(
            "the role {role} may not use what is its own, or it is gone: {}: run `slackwater mastodon install --role {role}` again",
            words(&installed.unusable)
        )));
    }
    if let Some(owner) = &installed.not_noting {
        findings.push(to_do(&format!(
            "nothing is noted: slackwater.note() belongs to {owner}, which may not write to slackwater.outbox. Give both the same owner"
        )));
    }
    if findings.is_empty() {
        findings.push(good(&format!("the role {role} may read what it needs")));
    }
    findings
}

fn outbox(installed: &Installed) -> Vec<Finding> {
    let Some(outbox) = installed.outbox else {
        return vec![to_do("the outbox cannot be read by the role that asks")];
    };
    if outbox.is_overflowed {
        return vec![to_do(&format!(
            "the outbox was full ({} rows and more that nobody had read): changes since then are in no row. Start Slackwater, which \
             compares everything anew and clears this",
            outbox.rows_max
        ))];
    }
    let rows = match outbox.rows <= COUNTED_MAX {
        true => outbox.rows.to_string(),
        false => format!("more than {COUNTED_MAX}"),
    };
    vec![match outbox.lag {
        None => good("the outbox is empty"),
        Some(lag) => {
            let waited = humantime::format_duration(Duration::from_secs(lag.as_secs()));
            match lag <= LAG_MAX {
                true => good(&format!(
                    "the outbox has {rows} rows, the oldest for {waited}"
                )),
                false => to_do(&format!(
                    "the outbox has {rows} rows, the oldest for {waited}: nobody reads it. Is Slackwater running, with `mastodon.database`? \
                     Past {} rows nothing more is noted",
                    outbox.rows_max
                )),
            }
        }
    }]
}

fn ids(installed: &Installed) -> Option<Finding> {
    let late = installed.late_posts?;
    Some(match (late.all, late.by_arrival) {
        (0, _) => good("no late post came lately whose id could be looked at"),
        (all, 0) => good(&format!(
            "the last {all} late posts have ids of the time they were written"
        )),
        (all, wrong) => to_do(&format!(
            "{wrong} of the last {all} late posts have ids of the time they arrived: was the trigger away for a while? If it goes on, \
             report it"
        )),
    })
}

fn good(what: &str) -> Finding {
    Finding::Good(what.to_owned())
}

fn to_do(what: &str) -> Finding {
    Finding::ToDo(what.to_owned())
}
