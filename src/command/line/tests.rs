//! The command line as a whole: no command is without help, an example, a page or completions.

use super::*;
use clap::CommandFactory;
use std::collections::BTreeSet;

/// Every command that does something, by its words.
fn commands() -> Vec<(Vec<String>, clap::Command)> {
    let mut found = Vec::new();
    let mut left = vec![(Vec::new(), CommandLine::command())];
    while let Some((words, command)) = left.pop() {
        if !command.has_subcommands() {
            found.push((words, command));
            continue;
        }
        for inner in command.get_subcommands() {
            let mut words = words.clone();
            words.push(inner.get_name().to_owned());
            left.push((words, inner.clone()));
        }
    }
    found
}

/// The arguments of each command in an example: up to where a shell does something with what it writes.
fn examples(help: &str) -> Vec<Vec<String>> {
    let of = |line: &str| {
        let parts = line.split(['|', '>']);
        let ours = parts
            .map(str::trim)
            .filter(|part| part.starts_with("slackwater "));
        ours.map(words).collect::<Vec<_>>()
    };
    help.lines()
        .filter(|line| line.starts_with("  slackwater "))
        .flat_map(of)
        .collect()
}

/// Words as a shell takes them, with single quotes.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (nth, part) in line.split('\'').enumerate() {
        match nth % 2 {
            0 => words.extend(part.split_whitespace().map(str::to_owned)),
            _ => words.push(part.to_owned()),
        }
    }
    words
}

#[test]
fn the_command_line_is_sound() {
    CommandLine::command().debug_assert();
    assert!(16 < commands().len(), "{}", commands().len());
}

#[test]
fn every_command_has_an_example_and_each_of_them_is_one_of_it() {
    for (path, command) in commands() {
        let name = path.join(" ");
        let help = command.get_after_help().map(ToString::to_string);
        let examples = examples(&help.unwrap_or_default());
        assert!(!examples.is_empty(), "{name} has no example");
        for example in &examples {
            let parsed = CommandLine::try_parse_from(example);
            assert!(parsed.is_ok(), "{example:?}: {}", parsed.unwrap_err());
        }
        let is_of_it = |example: &Vec<String>| example.get(1..=path.len()) == Some(path.as_slice());
        assert!(examples.iter().any(is_of_it), "{name}: {examples:?}");
    }
}

#[test]
fn every_command_has_a_page_and_completions() {
    let dir = tempfile::tempdir().unwrap();
    crate::command::man::man(dir.path()).unwrap();
    let entries = std::fs::read_dir(dir.path()).unwrap();
    let pages: BTreeSet<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    let mut scripts = Vec::new();
    for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
        let mut script = Vec::new();
        let mut command = CommandLine::command();
        clap_complete::generate(shell, &mut command, "slackwater", &mut script);
        scripts.push(String::from_utf8(script).unwrap());
    }
    for (path, command) in commands() {
        let page = format!("slackwater-{}.1", path.join("-"));
        assert!(pages.contains(&page), "{page} in {pages:?}");
        let text = std::fs::read_to_string(dir.path().join(&page)).unwrap();
        assert!(text.contains("Examples:"), "{page}");
        for script in &scripts {
            let flags = command.get_arguments().filter_map(|it| it.get_long());
            for word in flags.chain(path.iter().map(String::as_str)) {
                assert!(script.contains(word), "{word} of {path:?}");
            }
        }
    }
}
