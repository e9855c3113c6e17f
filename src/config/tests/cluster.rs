//! `[cluster]` as operators write it.

use super::{check, right};
use crate::api::auth::secret::Secret;
use crate::cluster::{Assignment, Options};
use std::time::Duration;

const KAFKA: &str = "log.kind = \"kafka\"\n";

#[test]
fn a_node_is_alone_unless_it_is_written() {
    assert_eq!(right(KAFKA).cluster, None);
}

#[test]
fn a_node_among_others_is_read_with_all_its_keys() {
    let text = r#"
        [cluster]
        node = "north-1"
        advertise = "http://10.0.0.1:8787"
        secret = "env:TOKEN"
        standbys = 2
        lease = "1s"
        session_timeout = "5m"
        assignment = "rendezvous"
    "#;
    let meant = Options {
        node: "north-1".to_owned(),
        advertise: Some("http://10.0.0.1:8787".parse().unwrap()),
        secret: Secret::new("0123456789abcdef"),
        standbys: 2,
        lease: Duration::from_secs(1),
        session_timeout: Duration::from_secs(300),
        assignment: Assignment::Rendezvous,
    };
    assert_eq!(right(&format!("{KAFKA}{text}")).cluster, Some(meant));
}

#[test]
fn where_it_listens_is_where_others_reach_it() {
    let cluster = "[cluster]\nnode = \"a\"\nsecret = \"0123456789abcdef\"\n";
    let config = right(&format!("{KAFKA}http.listen = \"127.0.0.1:99\"\n{cluster}"));
    let cluster = config.cluster.unwrap();
    assert_eq!(cluster.advertise, None);
    assert_eq!(cluster.assignment, Assignment::Group);
    assert_eq!(
        (cluster.standbys, cluster.lease),
        (1, Duration::from_secs(4))
    );
}

#[test]
fn what_cannot_work_is_a_mistake() {
    let with = |log: &str, cluster: &str| format!("{log}[cluster]\n{cluster}");
    let good = "node = \"a\"\nsecret = \"0123456789abcdef\"\n";
    check(
        &with("", good),
        "s.toml:1: cluster: found the built-in log; allowed: log.kind = \"kafka\" with it: nodes share one log",
    );
    check(
        &with(KAFKA, "node = \"a\"\nsecret = \"env:SHORT\"\n"),
        "s.toml:4: cluster.secret: found 7 bytes; allowed: at least 16 bytes of its own, such as `openssl rand -hex 32` gives",
    );
    check(
        &with(
            &format!("{KAFKA}auth.service_tokens = [\"env:TOKEN\"]\n"),
            "node = \"a\"\nsecret = \"env:TOKEN\"\n",
        ),
        "s.toml:5: cluster.secret: found one of auth.service_tokens; allowed: at least 16 bytes of its own, such as \
         `openssl rand -hex 32` gives",
    );
    check(
        &with(KAFKA, &format!("{good}lease = \"30s\"\n")),
        "s.toml:5: cluster.lease: found \"30s\"; allowed: a duration such as \"30s\", \"24h\" or \"30d\", from 1s to 20s",
    );
    check(
        &with(KAFKA, &format!("{good}advertise = \"10.0.0.1:8787\"\n")),
        "s.toml:5: cluster.advertise: found \"10.0.0.1:8787\"; allowed: an http URL without a path, such as \
         \"http://10.0.0.1:8787\"; did you mean \"http://10.0.0.1:8787\"?",
    );
    check(
        &with(KAFKA, "standbys = 1\nnode = \"a\"\n"),
        "s.toml:2: cluster: found no secret; allowed: secret = \"env:SLACKWATER_CLUSTER\" in it",
    );
    check(
        &with(KAFKA, "node = \"North_1\"\nsecret = \"0123456789abcdef\"\n"),
        "s.toml:3: cluster.node: found \"North_1\"; allowed: 1 to 32 of a-z, 0-9 and -; did you mean \"north-1\"?",
    );
    let everywhere =
        format!("{KAFKA}http.listen = \"0.0.0.0:8787\"\nauth.service_tokens = [\"env:TOKEN\"]\n");
    check(
        &with(
            &everywhere,
            "node = \"a\"\nsecret = \"env:SLACKWATER_CLUSTER\"\n",
        ),
        "s.toml:4: cluster: found no advertise, and http.listen is \"0.0.0.0:8787\"; allowed: advertise = \
         \"http://10.0.0.1:8787\" beside it: where others reach this node",
    );
}
