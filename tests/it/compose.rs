//! The compose files, as far as they can be held without a container engine. The one that adds Slackwater to a Mastodon's: what it names,
//! what it has in common with ours, and the configuration in it. In ours, the three nodes behind nginx.

use crate::clients::clients;
use crate::support::document::root;
use crate::support::instance::binary;
use serde_json::{Value, json};
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

/// A failure means that three nodes of one machine have one name or one folder, or that nginx asks for others.
#[test]
fn the_profile_of_three_nodes_has_each_with_a_name_an_address_and_a_volume_of_its_own() {
    let ours = read(OURS);
    let services = ours["services"].as_object().unwrap();
    let of_profile = services.iter();
    let of_profile = of_profile.filter(|(_, service)| service["profiles"] == json!(["three"]));
    let names: Vec<&str> = of_profile.map(|(name, _)| name.as_str()).collect();
    let nodes = ["node-a", "node-b", "node-c"];
    assert_eq!(
        names,
        ["nginx", "node-a", "node-b", "node-c", "node-secrets"]
    );
    let nginx = std::fs::read_to_string(root().join("docs/cluster/nginx.conf")).unwrap();
    for (node, name) in nodes.iter().zip(["a", "b", "c"]) {
        let service = &services[*node];
        let environment = &service["environment"];
        assert_eq!(environment["SLACKWATER__CLUSTER__NODE"], name);
        let address = format!("http://{node}:8787");
        assert_eq!(environment["SLACKWATER__CLUSTER__ADVERTISE"], address);
        let data = format!("{node}:/var/lib/slackwater/data");
        assert_eq!(service["volumes"][0], data);
        assert!(ours["volumes"].get(node).is_some());
        assert!(service.get("ports").is_none(), "only nginx is reached");
        assert_eq!(
            services["nginx"]["depends_on"][node]["condition"],
            "service_healthy"
        );
        assert!(nginx.contains(&format!("server {node}:8787 ")), "{node}");
        // Else they are one and the same.
        for key in ["build", "command", "configs", "depends_on", "restart"] {
            assert_eq!(service[key], services["node-a"][key], "{node} {key}");
        }
    }
    assert_eq!(nginx.matches(":8787 ").count(), nodes.len());
    let alone = &services["slackwater"]["ports"];
    assert_eq!(
        &services["nginx"]["ports"], alone,
        "in the place of the one"
    );
    assert_eq!(ours["configs"]["nginx"]["file"], "docs/cluster/nginx.conf");
    let created = services["topics"]["command"][0].as_str().unwrap();
    let topic = "slackwater.nodes --partitions 1 --config cleanup.policy=compact --config segment.ms=600000";
    assert!(created.contains(topic), "{created}");
}

/// The script that makes what nodes have in common, run here; and the configuration that names it.
#[test]
fn the_secrets_of_three_nodes_are_made_once_and_the_configuration_takes_them() {
    let ours = read(OURS);
    let script = ours["services"]["node-secrets"]["command"][0].as_str();
    let dir = TempDir::new().unwrap();
    let here = dir.path().display().to_string();
    // To whom files belong is the image's affair.
    let script = script
        .unwrap()
        .replace("$$", "$")
        .replace("/secrets", &here);
    let (made, owned) = script.split_once("chown").unwrap();
    assert!(owned.contains("10001"), "the user of our image");
    let run = || {
        let mut shell = Command::new("sh");
        assert!(shell.args(["-euc", made]).status().unwrap().success());
        ["cluster", "cursor-key", "token"]
            .map(|name| std::fs::read_to_string(dir.path().join(name)).unwrap())
    };
    let secrets = run();
    for secret in &secrets {
        assert_eq!(secret.len(), 64);
        assert!(secret.bytes().all(|byte| byte.is_ascii_hexdigit()));
    }
    assert!(secrets[0] != secrets[1] && secrets[1] != secrets[2]);
    assert_eq!(run(), secrets, "kept");
    let content = ours["configs"]["node"]["content"].as_str().unwrap();
    let file = dir.path().join("slackwater.toml");
    std::fs::write(&file, content.replace("/run/slackwater", &here)).unwrap();
    let environment = &ours["services"]["node-b"]["environment"];
    let mut check = Command::new(binary());
    check.arg("check").arg(&file);
    for (name, value) in environment.as_object().unwrap() {
        let value = value.as_str().unwrap();
        let value = value.split_once(":-").map_or(value, |(_, or)| or);
        let value = value
            .trim_end_matches('}')
            .replace("/run/slackwater", &here);
        check.env(name, value);
    }
    let checked = check.output().unwrap();
    let said = String::from_utf8_lossy(&checked.stderr);
    assert!(checked.status.success(), "{said}");
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
