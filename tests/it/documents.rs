//! The documents, held against what they are about: links, paths, commands, configurations, answers, and the first steps.

use crate::support::document::{Document, root};
use crate::support::instance::{self, Instance, binary};
use crate::support::wait_for;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tempfile::TempDir;

/// The folders of the repository that a path in a document may lead into.
const FOLDERS: &[&str] = &[
    "src", "tests", "crates", "docs", "benches", "schemas", ".ci",
];
/// What the configurations in documents take from the environment.
const SECRETS: &[&str] = &[
    "SLACKWATER_TOKEN",
    "SLACKWATER_JWT_KEY",
    "SLACKWATER_COMPARE_TOKEN",
    "SLACKWATER_CLUSTER",
    "SLACKWATER_CURSOR_KEY",
];

#[test]
fn a_link_leads_to_a_file_that_exists_and_to_a_heading_in_it() {
    check(|document| {
        let folder = document.path.parent().unwrap();
        let is_broken = |link: &&str| {
            let (file, heading) = link.split_once('#').unwrap_or((link, ""));
            let path = match file {
                "" => document.path.clone(),
                file => folder.join(file),
            };
            let leads = match heading {
                "" => root().join(path).exists(),
                heading => Document::read(path).is_some_and(|it| it.has(heading)),
            };
            !leads
        };
        let links = document.links().into_iter().filter(is_broken);
        links.map(str::to_owned).collect()
    });
}

#[test]
fn a_path_of_the_repository_exists() {
    let is_in_path = |c: char| c.is_ascii_alphanumeric() || "_./-".contains(c);
    check(|document| {
        let folders = [root(), root().join(document.path.parent().unwrap())];
        let words = document.code();
        let words = words.iter().flat_map(|code| code.split(|c| !is_in_path(c)));
        let is_path = |word: &&str| {
            word.split_once('/')
                .is_some_and(|(first, _)| FOLDERS.contains(&first))
        };
        let exists = |word: &&str| {
            let path = word.trim_end_matches('.');
            folders.iter().any(|folder| folder.join(path).exists())
        };
        let missing = words.filter(is_path).filter(|word| !exists(word));
        missing.map(str::to_owned).collect()
    });
}

#[test]
fn a_cargo_command_names_targets_packages_and_features_that_exist() {
    let manifest: toml::Table = read("Cargo.toml").parse().unwrap();
    let is_there = |flag: &str, name: &str| {
        let exists = |path: String| root().join(path).exists();
        match flag {
            "--test" => exists(format!("tests/{name}/main.rs")),
            "--bench" => exists(format!("benches/{name}.rs")),
            "--bin" => name == "slackwater",
            "--features" => manifest["features"].get(name).is_some(),
            "-p" => {
                let crates = std::fs::read_dir(root().join("crates")).unwrap();
                let mut manifests = crates.map(|it| it.unwrap().path().join("Cargo.toml"));
                let line = format!("name = \"{name}\"");
                manifests.any(|path| std::fs::read_to_string(path).unwrap().contains(&line))
            }
            _ => true,
        }
    };
    // What stands behind `--test it` is a module of it.
    let is_module = |words: &[String]| match words[2].strip_suffix("::") {
        Some(name) if words[..2] == ["--test", "it"] => {
            root().join(format!("tests/it/{name}.rs")).exists()
        }
        _ => true,
    };
    let is_fuzzed = |name: &String| {
        let target = format!("fuzz/fuzz_targets/{name}.rs");
        root().join(target).exists()
    };
    check(|document| {
        let mut wrong = Vec::new();
        // `tests/run` hands its arguments on.
        let alone = document.flags().filter(|words| words[0] == "--features");
        let commands = document.commands("cargo").chain(document.commands("run"));
        for command in commands.chain(alone) {
            let ours = command.split(|word| word == "--").next().unwrap();
            let targets = |pair: &[String]| is_there(&pair[0], &pair[1]);
            let is_fuzz = ours.iter().any(|word| word == "fuzz");
            let are_there = ours.windows(2).all(targets) && ours.windows(3).all(is_module);
            if !are_there || is_fuzz && !ours.iter().any(is_fuzzed) {
                wrong.push(command.join(" "));
            }
        }
        wrong
    });
}

#[test]
fn a_command_of_ours_has_the_flags_it_is_called_with() {
    let help_of = |subcommand: &str| {
        let words = subcommand.split(' ');
        let help = succeeds(Command::new(binary()).args(words).arg("--help"));
        let words = help.unwrap_or_default().replace([',', '\n'], " ");
        words.split(' ').map(str::to_owned).collect::<BTreeSet<_>>()
    };
    let ours = [
        "serve",
        "demo",
        "check",
        "copy-log",
        "trace",
        "tune",
        "token",
        "mastodon install",
        "mastodon uninstall",
        "mastodon check",
        "mastodon delays",
        "mastodon compare",
        "doctor",
        "completions",
        "man",
        "dead-letters list",
        "dead-letters show",
        "dead-letters replay",
    ];
    let helps: BTreeMap<_, _> = ours.into_iter().map(|name| (name, help_of(name))).collect();
    check(|document| {
        let behind_cargo = document.commands("cargo").filter_map(|command| {
            let (cargo, ours) = command.split_at(command.iter().position(|word| word == "--")?);
            (cargo.first()? == "run").then(|| ours[1..].to_vec())
        });
        let calls = document.commands("slackwater").chain(behind_cargo);
        let is_wrong = |call: &Vec<String>| {
            let Some((name, rest)) = call.split_first() else {
                return false;
            };
            let is_flag = |word: &&String| word.starts_with('-') && *word != "-";
            let name = match (name.as_str(), rest.first()) {
                ("mastodon" | "dead-letters", Some(deed)) => format!("{name} {deed}"),
                (name, _) => name.to_owned(),
            };
            let help = helps.get(name.as_str());
            !help.is_some_and(|help| rest.iter().filter(is_flag).all(|flag| help.contains(flag)))
        };
        // A flag that stands alone is one of some subcommand, or of cargo.
        let is_nowhere = |flag: &Vec<String>| {
            flag[0] != "--features" && !helps.values().any(|help| help.contains(&flag[0]))
        };
        let wrong = calls.filter(is_wrong);
        let wrong = wrong.chain(document.flags().filter(is_nowhere));
        wrong.map(|words| words.join(" ")).collect()
    });
}

#[test]
fn the_first_steps_and_all_that_is_done_with_curl_succeed() {
    let dir = TempDir::new().unwrap();
    let instance = Instance::start(dir.path(), &instance::built_in(""));
    let mut steps = 0;
    check(|document| {
        let mut failed = Vec::new();
        for block in document.blocks_of("sh") {
            if !block.text.contains("curl") {
                continue;
            }
            steps += 1;
            let strict = "curl() { command curl -sS --fail-with-body --noproxy '*' \"$@\"; }\n";
            let script = block
                .text
                .replace("http://127.0.0.1:8787", instance.door.base());
            match succeeds(
                Command::new("sh")
                    .arg("-ec")
                    .arg(format!("{strict}{script}")),
            ) {
                Ok(answer) if !answer.contains("\"rejected\":[{") => {}
                Ok(answer) | Err(answer) => failed.push(format!("{script}{answer}")),
            }
        }
        failed
    });
    assert!(4 <= steps, "{steps} steps");
    wait_for("the post of the first steps in home", || {
        let page = instance.door.get("/v1/accounts/7/feeds/home").json();
        (page["entries"][0]["ref"] == "4711").then_some(())
    });
}

#[test]
fn a_metric_is_one_of_the_list() {
    let listed = crate::metrics::listed();
    check(|document| {
        let is_unknown = |name: &&String| {
            let suffixes = ["_bucket", "_sum", "_count"];
            let stem = suffixes.iter().find_map(|suffix| name.strip_suffix(suffix));
            !listed.contains_key(*name) && !stem.is_some_and(|stem| listed.contains_key(stem))
        };
        let spans = document.spans.iter();
        let names = spans.filter(|span| span.starts_with("slackwater_"));
        names.filter(is_unknown).cloned().collect()
    });
}

#[test]
fn a_configuration_is_accepted_and_a_key_is_one_of_the_shipped_file() {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("documented.toml");
    let keys = shipped_keys();
    let tables: BTreeSet<&str> = keys
        .iter()
        .map(|key| key.split('.').next().unwrap())
        .collect();
    check(|document| {
        let mut wrong = Vec::new();
        for block in document.blocks_of("toml") {
            std::fs::write(&file, &block.text).unwrap();
            // Each is another's: the secret of nodes is no token.
            let secrets = SECRETS.iter().enumerate();
            let secrets = secrets.map(|(n, name)| (name, format!("{n}123456789abcdef").repeat(4)));
            let mut check = Command::new(binary());
            check.arg("check").arg(&file).envs(secrets);
            check.env(
                "SLACKWATER_DATABASE",
                "postgres://slackwater@localhost/mastodon",
            );
            wrong.extend(succeeds(&mut check).err());
        }
        let is_key = |span: &&String| {
            let is_name = |part: &str| part.chars().all(|c| c.is_ascii_lowercase() || c == '_');
            let table = span.split('.').next().unwrap_or_default();
            span.contains('.') && span.split('.').all(is_name) && tables.contains(table)
        };
        let named = document.spans.iter().filter(is_key);
        wrong.extend(named.filter(|key| !keys.contains(*key)).cloned());
        wrong
    });
}

#[test]
fn an_answer_is_json_and_of_the_schema_it_names() {
    check(|document| {
        let mut wrong = Vec::new();
        for block in document.blocks_of("json") {
            let json: Value = match serde_json::from_str(&block.text) {
                Ok(json) => json,
                Err(error) => {
                    wrong.push(format!("{error}: {}", block.text));
                    continue;
                }
            };
            if let Some((_, schema)) = block.info.split_once(' ') {
                let schema: Value =
                    serde_json::from_str(&read(&format!("schemas/{schema}"))).unwrap();
                let errors = jsonschema::validator_for(&schema).unwrap();
                let errors = errors.iter_errors(&json);
                wrong.extend(errors.map(|error| format!("{error}: {}", block.text)));
            }
        }
        wrong
    });
}

#[test]
fn a_promise_names_tests_that_exist() {
    let mut names = BTreeSet::new();
    for folder in ["src", "tests", "crates"] {
        functions_below(&root().join(folder), &mut names);
    }
    let invariants = Document::read("docs/invariants.md".into()).unwrap();
    let is_name = |span: &&String| {
        let is_letter = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        span.contains('_') && span.chars().all(is_letter)
    };
    let tests: Vec<&String> = invariants.spans.iter().filter(is_name).collect();
    assert!(30 <= tests.len(), "{} tests", tests.len());
    let missing: Vec<_> = tests
        .iter()
        .filter(|name| !names.contains(**name))
        .collect();
    assert!(missing.is_empty(), "no such tests: {missing:#?}");
}

#[test]
fn every_mutation_still_applies() {
    let listed = succeeds(
        Command::new("python3")
            .arg(root().join("tests/mutations"))
            .arg("--list"),
    );
    assert!(listed.is_ok(), "{}", listed.unwrap_err());
}

/// Fails with everything that is wrong in any document.
fn check(mut what_is_wrong: impl FnMut(&Document) -> Vec<String>) {
    let mut wrong = Vec::new();
    for path in documents() {
        let document = Document::read(path).unwrap();
        let path = document.path.display().to_string();
        let here = what_is_wrong(&document);
        wrong.extend(here.into_iter().map(|text| format!("{path}: {text}")));
    }
    assert!(
        wrong.is_empty(),
        "wrong in documents:\n{}",
        wrong.join("\n")
    );
}

/// All documents, the README first.
pub(crate) fn documents() -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> = ["README.md", "fuzz/README.md"].map(PathBuf::from).into();
    for folder in ["", "docs", "crates"] {
        for found in std::fs::read_dir(root().join(folder)).unwrap() {
            let path = Path::new(folder).join(found.unwrap().file_name());
            let path = match folder {
                "crates" => path.join("README.md"),
                _ => path,
            };
            let is_document = path.extension().is_some_and(|it| it == "md");
            if is_document && !paths.contains(&path) {
                paths.push(path);
            }
        }
    }
    paths[2..].sort();
    paths
}

/// What it wrote; or, if it failed, all of that.
fn succeeds(command: &mut Command) -> Result<String, String> {
    let Output {
        status,
        stdout,
        stderr,
    } = command.output().expect("a program that starts");
    let text = String::from_utf8_lossy(&stdout).into_owned();
    match status.success() {
        true => Ok(text),
        false => Err(text + &String::from_utf8_lossy(&stderr)),
    }
}

/// The keys of the shipped configuration, those switched off too.
fn shipped_keys() -> BTreeSet<String> {
    let mut keys = BTreeSet::new();
    let mut table = String::new();
    for line in read("slackwater.toml").lines() {
        let line = line.strip_prefix('#').unwrap_or(line);
        if let Some(name) = line.strip_prefix('[') {
            table = name.trim_end_matches(']').to_owned();
            keys.insert(table.clone());
        } else if let Some((key, _)) = line.split_once(" = ") {
            keys.insert(format!("{table}.{key}"));
        }
    }
    keys
}

/// The names of all functions in Rust files below a folder.
pub(crate) fn functions_below(folder: &Path, names: &mut BTreeSet<String>) {
    for found in std::fs::read_dir(folder).unwrap() {
        let path = found.unwrap().path();
        if path.is_dir() {
            functions_below(&path, names);
        } else if path.extension().is_some_and(|it| it == "rs") {
            let text = std::fs::read_to_string(&path).unwrap();
            let after = text.split("fn ").skip(1);
            names.extend(after.filter_map(|rest| Some(rest.split_once('(')?.0.to_owned())));
        }
    }
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}
