//! Prometheus and Grafana, as docs/prometheus and docs/grafana set them up: the real Prometheus scrapes the real service, and every query
//! of the dashboard has an answer.

use crate::metrics::{LATE, listed, note, two_readers};
use crate::support::cluster::Nodes;
use crate::support::document::{Document, root};
use crate::support::instance::{self, Door, Instance, OFTEN};
use crate::support::prometheus::{Prometheus, program};
use crate::support::wait_for;
use crate::support::watcher::Stream;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;
use tempfile::TempDir;

const ALERTS: &str = "docs/prometheus/alerts.yml";
const DASHBOARD: &str = "docs/grafana/slackwater.json";
const TOKEN: &str = "a-token-that-is-as-long-as-tokens-have-to-be";
/// How long the traffic pauses between posts: a few for each scrape.
const PAUSE: Duration = Duration::from_millis(50);

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The configuration that is shipped, for this service, scraped so often that a test need not wait. Without a file of a token none is
/// sent: a service that asks for none takes none.
fn config(door: &Door, token: Option<&Path>) -> String {
    const FILE: &str = "/run/secrets/slackwater-token";
    let mut config = read("docs/prometheus/prometheus.yml");
    let mut replace = |shipped: &str, here: &str| {
        assert!(config.contains(shipped), "{shipped}");
        config = config.replace(shipped, here);
    };
    replace("slackwater:8787", door.base().trim_start_matches("http://"));
    replace("15s", "200ms");
    replace("alerts.yml", &root().join(ALERTS).display().to_string());
    match token {
        Some(token) => replace(FILE, &token.display().to_string()),
        None => {
            replace("    authorization:\n", "");
            replace(&format!("      credentials_file: {FILE}\n"), "");
        }
    }
    config
}

/// Runs promtool; what it wrote, if it found nothing wrong.
fn promtool(arguments: &[&str], input: &str) -> String {
    let mut command = Command::new(program("promtool"));
    let command = command.args(arguments).current_dir(root());
    let command = command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(input.as_bytes()).unwrap();
    drop(stdin);
    let done = child.wait_with_output().unwrap();
    let said = [done.stdout, done.stderr].map(|it| String::from_utf8_lossy(&it).into_owned());
    let said = said.concat();
    assert!(done.status.success(), "{arguments:?}: {said}");
    said
}

/// The queries of the dashboard: the panel, and an expression for services that are scraped every 200 milliseconds. Those of nodes among
/// others are by themselves.
fn queries(of_nodes: bool) -> Vec<(String, String)> {
    let dashboard: Value = serde_json::from_str(&read(DASHBOARD)).unwrap();
    let mut queries = Vec::new();
    let mut is_in_row = false;
    for panel in dashboard["panels"].as_array().unwrap() {
        if panel["type"] == "row" {
            is_in_row = panel["title"].as_str().unwrap().starts_with("Nodes");
        }
        if is_in_row != of_nodes {
            continue;
        }
        for target in panel["targets"].as_array().into_iter().flatten() {
            let expression = target["expr"].as_str().unwrap();
            let expression = expression.replace("$instance", ".*");
            let expression = expression.replace("$__rate_interval", "10s");
            assert!(!expression.contains('$'), "{expression}");
            queries.push((panel["title"].as_str().unwrap().to_owned(), expression));
        }
    }
    queries
}

/// The names of metrics in an expression.
fn names(expression: &str) -> BTreeSet<String> {
    let words = expression.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let is_ours = |word: &&str| word.starts_with("slackwater_") || word.starts_with("process_");
    words.filter(is_ours).map(str::to_owned).collect()
}

/// Whether somebody who looks for it finds it in docs/metrics.md.
fn is_listed(name: &str) -> bool {
    let listed = listed();
    let suffixes = ["_bucket", "_sum", "_count"];
    let stem = suffixes.iter().find_map(|suffix| name.strip_suffix(suffix));
    listed.contains_key(name) || stem.is_some_and(|stem| listed.contains_key(stem))
}

/// Posts that come in time and late, one that nobody can use, and readers with and without patience, until it is over.
fn traffic(door: &Door, is_over: &Receiver<()>) {
    let mut stream = Stream::open(door, "/v1/accounts/7/feeds/home/stream", &[]).unwrap();
    let mut n = 0;
    while is_over.recv_timeout(PAUSE) == Err(RecvTimeoutError::Timeout) {
        n += 1;
        let posts = [
            note(LATE, 3 * n, Duration::from_secs(1)),
            note(LATE, 3 * n + 1, Duration::from_secs(600)),
            note(LATE, 3 * n + 2, Duration::from_secs(100 * 24 * 3600)),
        ];
        door.post_lines("/v1/activities", &posts);
        let refused = door.post("/v1/activities", "application/x-ndjson", "{}");
        assert_eq!(refused.status, 202, "{}", refused.text);
        let newest = format!("\"{LATE}/{}\"", 3 * n);
        wait_for("the newest post", || {
            let home = door.get("/v1/accounts/7/feeds/home");
            home.text.contains(&newest).then_some(())
        });
        assert_eq!(door.get("/v1/accounts/8/feeds/home").status, 200);
        while !stream.text().to_string().contains(&newest) {}
    }
}

/// A failure means that a panel stays empty, or that a number is called by another name there than here.
#[test]
fn every_query_of_the_dashboard_has_an_answer_from_a_running_service() {
    let dir = TempDir::new().unwrap();
    let instance = Instance::start(dir.path(), &instance::built_in(OFTEN));
    instance.wait_until_ready();
    two_readers(&instance.door);
    let prometheus = Prometheus::start(&config(&instance.door, None));
    let (end, is_over) = channel();
    let queries = queries(false);
    assert!(70 < queries.len(), "{} queries", queries.len());
    std::thread::scope(|scope| {
        let door = &instance.door;
        let posting = scope.spawn(move || traffic(door, &is_over));
        // The traffic ends when this goes, also where the test fails.
        let _end: Sender<()> = end;
        for (panel, expression) in &queries {
            wait_for(&format!("numbers for {panel:?}: {expression}"), || {
                assert!(!posting.is_finished(), "nobody posts any more");
                let numbers = prometheus.query(expression);
                numbers.iter().any(|it| it.is_finite()).then_some(())
            });
        }
        // What the service says of itself is what was done.
        for name in [
            "slackwater_posts_placed_total{verdict=\"in_time\"}",
            "slackwater_posts_placed_total{verdict=\"too_late\"}",
            "slackwater_stream_posts_behind_total",
            "slackwater_rejected_lines_total{reason=\"activity\"}",
        ] {
            assert!(0.0 < prometheus.query(name)[0], "{name}");
        }
        every_rule_is_evaluated(&prometheus);
    });
}

/// A failure means that an operator of several nodes looks at an empty panel.
#[test]
fn every_query_about_nodes_has_an_answer_from_running_nodes() {
    let mut nodes = Nodes::start(3, "");
    let targets: Vec<&str> = (0..3).map(|at| nodes.door(at).base()).collect();
    let targets = targets.join("\", \"").replace("http://", "");
    let config = config(nodes.door(0), None);
    let first = nodes.door(0).base().trim_start_matches("http://");
    let prometheus = Prometheus::start(&config.replace(first, &targets));
    wait_for("a scrape of each", || {
        (prometheus.query("slackwater_nodes") == [3.0; 3]).then_some(())
    });
    let unserved = "sum(slackwater_shards{state=\"serves\"})";
    assert_eq!(prometheus.query(unserved), [8.0]);
    nodes.nodes[2].kill9();
    let queries = queries(true);
    assert!(10 < queries.len(), "{} queries", queries.len());
    let mut n = 0;
    for (panel, expression) in &queries {
        wait_for(&format!("numbers for {panel:?}: {expression}"), || {
            for account in 0..8 {
                n += 1;
                let target = format!("https://tide.example/users/{n}");
                let follow =
                    json!({"type": "follow", "account": account.to_string(), "target": target});
                nodes
                    .door(n % 2)
                    .post_lines("/v1/relationships", &[follow.to_string()]);
                let home = format!("/v1/accounts/{account}/feeds/home");
                assert_eq!(nodes.door(n % 2).get(&home).status, 200);
            }
            let numbers = prometheus.query(expression);
            numbers.iter().any(|it| it.is_finite()).then_some(())
        });
    }
    assert_eq!(prometheus.query("max(slackwater_nodes)"), [2.0]);
}

fn every_rule_is_evaluated(prometheus: &Prometheus) {
    let rules = wait_for("every rule to be evaluated", || {
        let data = prometheus.get("rules", &[]);
        let rules = data["groups"][0]["rules"].as_array()?.clone();
        let is_done = |rule: &Value| rule["health"] != "unknown";
        rules.iter().all(is_done).then_some(rules)
    });
    for rule in &rules {
        assert_eq!(rule["health"], "ok", "{rule}");
    }
    assert_eq!(rules.len(), 25);
}

#[test]
fn prometheus_comes_with_the_token_that_metrics_want() {
    let dir = TempDir::new().unwrap();
    let auth = format!("[auth]\nservice_tokens = [\"{TOKEN}\"]\n");
    let instance = Instance::start(dir.path(), &instance::built_in(&auth));
    assert_eq!(instance.door.get("/metrics").status, 401);
    let token = dir.path().join("token");
    let up = "up{job=\"slackwater\"}";
    for (written, is_up) in [("another-token-which-it-refuses", 0.0), (TOKEN, 1.0)] {
        std::fs::write(&token, written).unwrap();
        let prometheus = Prometheus::start(&config(&instance.door, Some(&token)));
        wait_for("a scrape", || {
            (prometheus.query(up) == [is_up]).then_some(())
        });
    }
}

#[test]
fn promtool_accepts_the_metrics() {
    let dir = TempDir::new().unwrap();
    let instance = Instance::start(dir.path(), &instance::built_in(""));
    instance.wait_until_ready();
    two_readers(&instance.door);
    let post = note(LATE, 1, Duration::from_secs(600));
    instance.door.post_lines("/v1/activities", &[post]);
    instance.settle_all();
    let text = instance.door.get("/metrics").text;
    assert!(text.contains("slackwater_origin_delay_p99_seconds"));
    assert_eq!(promtool(&["check", "metrics"], &text), "");
    // It does find what is wrong.
    let wrong = "# TYPE requests counter\nrequests 1\n";
    let refused = std::panic::catch_unwind(|| promtool(&["check", "metrics"], wrong));
    assert!(refused.is_err());
}

#[test]
fn the_alerts_are_valid_and_fire_when_they_should() {
    promtool(&["check", "rules", ALERTS], "");
    promtool(
        &[
            "check",
            "config",
            "--syntax-only",
            "docs/prometheus/prometheus.yml",
        ],
        "",
    );
    let tests = "tests/prometheus/alerts.test.yml";
    let said = promtool(&["test", "rules", tests], "");
    assert!(said.contains("SUCCESS"), "{said}");
    let tests = read(tests);
    for name in alerts() {
        assert!(tests.contains(&name), "{name} is in no test");
    }
}

/// The names of the alerts, in their order.
fn alerts() -> Vec<String> {
    let text = read(ALERTS);
    let name = |line: &str| Some(line.trim().strip_prefix("- alert: ")?.to_owned());
    text.lines().filter_map(name).collect()
}

/// A failure means that somebody is woken by an alert and finds no word of what to do.
#[test]
fn every_alert_links_to_a_section_of_its_own_in_the_runbook() {
    let text = read(ALERTS);
    let alerts = alerts();
    let links: Vec<&str> = text
        .lines()
        .filter_map(|line| line.trim().strip_prefix("runbook_url: "))
        .collect();
    assert_eq!(links.len(), alerts.len());
    for (alert, link) in alerts.iter().zip(links) {
        let (page, heading) = link.split_once('#').unwrap();
        assert_eq!(heading, alert.to_lowercase());
        let repository = env!("CARGO_PKG_REPOSITORY");
        let path = page.strip_prefix(&format!("{repository}/blob/main/"));
        assert_eq!(path, Some("docs/runbook.md"));
        let runbook = Document::read(path.unwrap().into());
        assert!(runbook.is_some_and(|it| it.has(heading)), "{link}");
    }
}

#[test]
fn alerts_and_the_dashboard_ask_for_metrics_that_are_listed() {
    let all = [queries(false), queries(true)];
    let mut asked: BTreeSet<String> = all
        .iter()
        .flatten()
        .flat_map(|(_, expression)| names(expression))
        .collect();
    asked.extend(names(&read(ALERTS)));
    assert!(50 < asked.len(), "{asked:?}");
    let unknown: Vec<&String> = asked.iter().filter(|name| !is_listed(name)).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
}

/// A failure means that somebody who wants a service alone is given two more, or that those two do not find each other.
#[test]
fn the_profile_of_the_compose_file_adds_prometheus_and_grafana_and_changes_nothing_else() {
    let compose = crate::compose::read("docker-compose.yml");
    let services = compose["services"].as_object().unwrap();
    let of = |profiles: Value| -> Vec<(&String, &Value)> {
        let of = services.iter();
        of.filter(|(_, service)| service["profiles"] == profiles)
            .collect()
    };
    let (always, beside) = (of(Value::Null), of(json!(["metrics"])));
    let names = |services: &[(&String, &Value)]| -> Vec<String> {
        services.iter().map(|(name, _)| (*name).clone()).collect()
    };
    assert_eq!(names(&always), ["kafka", "slackwater", "topics"]);
    assert_eq!(
        names(&beside),
        ["grafana", "prometheus", "prometheus-token"]
    );
    for (name, service) in beside {
        let (_, tag) = service["image"].as_str().unwrap().split_once(':').unwrap();
        assert!(tag.split('.').count() == 3, "{name} is pinned: {tag}");
        for port in service["ports"].as_array().into_iter().flatten() {
            assert!(port.as_str().unwrap().starts_with("127.0.0.1:"), "{port}");
        }
        for config in service["configs"].as_array().into_iter().flatten() {
            let source = &compose["configs"][config["source"].as_str().unwrap()];
            let is_there = source["file"]
                .as_str()
                .is_some_and(|it| root().join(it).exists());
            assert!(is_there || source["content"].is_string(), "{config}");
        }
    }
    // The target and the file of the token are those that Prometheus is configured with.
    let config = read("docs/prometheus/prometheus.yml");
    assert!(config.contains("[\"slackwater:8787\"]"));
    assert!(config.contains("credentials_file: /run/secrets/slackwater-token"));
    let volumes = &services["prometheus"]["volumes"];
    assert!(
        volumes
            .to_string()
            .contains("prometheus-token:/run/secrets:ro")
    );
}

/// The script of the service that hands Prometheus the token, run here.
#[test]
fn prometheus_is_handed_the_token_that_the_service_takes_whichever_it_is() {
    let compose = crate::compose::read("docker-compose.yml");
    let service = &compose["services"]["prometheus-token"];
    let script = service["command"][0].as_str().unwrap().replace("$$", "$");
    let made = compose["services"]["slackwater"]["environment"].to_string();
    assert!(
        made.contains("${SLACKWATER_TOKEN:-made:/var/lib/slackwater/data/token}"),
        "{made}"
    );
    for (given, taken) in [("of-dot-env", "of-dot-env"), ("", "made-at-the-start")] {
        let dir = TempDir::new().unwrap();
        for folder in ["slackwater", "secrets"] {
            std::fs::create_dir(dir.path().join(folder)).unwrap();
        }
        std::fs::write(dir.path().join("slackwater/token"), "made-at-the-start\n").unwrap();
        let here = dir.path().display();
        let script = script
            .replace("/slackwater/token", &format!("{here}/slackwater/token"))
            .replace("/secrets", &format!("{here}/secrets"));
        let mut shell = Command::new("sh");
        let shell = shell.args(["-euc", &script]).env("SLACKWATER_TOKEN", given);
        assert!(shell.status().unwrap().success());
        let written = std::fs::read_to_string(dir.path().join("secrets/slackwater-token"));
        assert_eq!(written.unwrap().trim(), taken);
    }
}
