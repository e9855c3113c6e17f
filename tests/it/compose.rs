//! The compose file that adds Slackwater to a Mastodon's, as far as it can be held without a container engine: what it names, what it
//! has in common with ours, and the configuration in it.

use crate::clients::clients;
use crate::support::document::root;
use crate::support::instance::binary;
use serde_json::Value;
use std::collections::BTreeMap;
use std::process::Command;
use tempfile::TempDir;

const OURS: &str = "docker-compose.yml";
const BESIDE: &str = "docs/compose.mastodon.yml";
/// The names in the compose file that Mastodon has in its repository, from 4.3 on.
const MASTODONS_SERVICES: [&str; 5] = ["db", "redis", "web", "streaming", "sidekiq"];
const MASTODONS_NETWORKS: [&str; 2] = ["external_network", "internal_network"];

#[test]
fn the_service_beside_a_mastodon_is_the_one_of_our_own_compose_file_with_mastodons_names() {
    let (ours, beside) = (read(OURS), read(BESIDE));
    let service = &beside["services"]["slackwater"];
    let own = &ours["services"]["slackwater"];
    assert_eq!(
        keys(&beside["services"]),
        ["slackwater"],
        "nothing of Mastodon's is changed"
    );
    let more: Vec<_> = keys(service)
        .into_iter()
        .filter(|key| own.get(key).is_none())
        .collect();
    assert_eq!(more, ["networks"], "else it has the keys of ours");
    for key in ["restart", "command", "configs", "ports", "volumes"] {
        assert_eq!(service[key], own[key], "{key}");
    }
    // Both are built from the checkout: there is no image to be fetched.
    assert_eq!(own["build"], ".");
    let source = variables(service["build"].as_str().unwrap());
    assert_eq!(source, ["SLACKWATER_SOURCE"]);
    assert_eq!(keys(&beside["volumes"]), ["slackwater"]);
    for needed in keys(&service["depends_on"]) {
        assert!(MASTODONS_SERVICES.contains(&needed), "{needed}");
    }
    for network in service["networks"].as_array().unwrap() {
        assert!(
            MASTODONS_NETWORKS.contains(&network.as_str().unwrap()),
            "{network}"
        );
    }
}

#[test]
fn both_compose_files_are_as_the_specification_has_them() {
    let mut check = Command::new(clients().join("python/bin/check-jsonschema"));
    check.args(["--builtin-schema", "vendor.compose-spec"]);
    let done = check
        .args([OURS, BESIDE].map(|path| root().join(path)))
        .output();
    let done = done.expect("check-jsonschema, which tests/run installs");
    let said = String::from_utf8_lossy(&done.stdout);
    assert!(done.status.success(), "{said}");
}

#[test]
fn what_is_to_be_filled_in_is_said_at_its_head() {
    let text = std::fs::read_to_string(root().join(BESIDE)).unwrap();
    let head: String = text
        .lines()
        .take_while(|line| line.starts_with('#'))
        .collect();
    let named = variables(&text);
    assert_eq!(named.len(), 4, "{named:?}");
    for name in named {
        assert!(head.contains(&format!("{name}=")), "{name}");
    }
    let file = head.split(':').find(|it| it.contains("docs/compose"));
    let path = file.and_then(|it| it.split(['#', ' ']).next()).unwrap();
    let path = path.strip_prefix("slackwater/").unwrap();
    assert_eq!(path, BESIDE, "from beside a checkout");
}

#[test]
fn the_configuration_in_it_is_accepted_at_both_levels() {
    let beside = read(BESIDE);
    let content = beside["configs"]["slackwater"]["content"].as_str().unwrap();
    let (start, rest) = content.split_once("${").unwrap();
    let (_, end) = rest.split_once('}').unwrap();
    let look = format!("{start}social.example{end}");
    let serve: Vec<&str> = look
        .lines()
        .map(|line| match line.strip_prefix('#') {
            Some(key) if !key.starts_with(' ') => key,
            _ => line,
        })
        .collect();
    let serve = serve.join("\n");
    assert_eq!(
        look.matches("\n#").count() - serve.matches("\n#").count(),
        4
    );
    for (host, service) in [("upstream", "web:3000"), ("streaming", "streaming:4000")] {
        assert!(
            serve.contains(&format!("\n{host} = \"http://{service}\"")),
            "{serve}"
        );
    }
    let environment = &beside["services"]["slackwater"]["environment"];
    let secrets: BTreeMap<_, _> = keys(environment)
        .into_iter()
        .map(|name| match name {
            "SLACKWATER_DATABASE" => (name, "postgres://slackwater:x@db:5432/mastodon_production"),
            _ => (name, "0123456789abcdef0123456789abcdef"),
        })
        .collect();
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("slackwater.toml");
    for config in [look, serve] {
        std::fs::write(&file, &config).unwrap();
        let checked = Command::new(binary())
            .arg("check")
            .arg(&file)
            .envs(&secrets)
            .output();
        let checked = checked.unwrap();
        let said = String::from_utf8_lossy(&checked.stderr);
        assert!(checked.status.success(), "{said}\n{config}");
    }
}

/// A failure means that `docker compose up` refuses to start, or that the token of an earlier `.env` is another one.
#[test]
fn ours_needs_no_token_prepared_and_takes_one_that_is() {
    let ours = read(OURS);
    let content = ours["configs"]["slackwater"]["content"].as_str().unwrap();
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("slackwater.toml");
    std::fs::write(&file, content).unwrap();
    const NAME: &str = "SLACKWATER__AUTH__SERVICE_TOKENS";
    let value = ours["services"]["slackwater"]["environment"][NAME].as_str();
    let (start, made) = value.unwrap().split_once(":-").unwrap();
    assert_eq!(start, "${SLACKWATER_TOKEN");
    let made = made.strip_suffix('}').unwrap();
    assert!(made.starts_with("made:/var/lib/slackwater/data/"), "{made}");
    for token in [made, "0123456789abcdef0123456789abcdef"] {
        let mut check = Command::new(binary());
        let checked = check
            .arg("check")
            .arg(&file)
            .env(NAME, token)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&checked.stderr);
        assert!(checked.status.success(), "{said}");
    }
}

/// A file of YAML as JSON, by the reader that comes with the clients.
pub(crate) fn read(path: &str) -> Value {
    const SCRIPT: &str =
        "import json, sys, yaml; json.dump(yaml.safe_load(open(sys.argv[1])), sys.stdout)";
    let mut python = Command::new(clients().join("python/bin/python"));
    let done = python.args(["-c", SCRIPT]).arg(root().join(path)).output();
    let done = done.expect("python, which tests/run installs");
    assert!(
        done.status.success(),
        "{}",
        String::from_utf8_lossy(&done.stderr)
    );
    serde_json::from_slice(&done.stdout).unwrap()
}

fn keys(of: &Value) -> Vec<&str> {
    let keys = of.as_object().expect("a mapping").keys();
    keys.map(String::as_str).collect()
}

/// The variables that a text takes from the environment.
fn variables(text: &str) -> Vec<&str> {
    let found = text.split("${").skip(1);
    found
        .map(|rest| rest.split([':', '}']).next().unwrap())
        .collect()
}
