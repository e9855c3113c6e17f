//! `[log]` and `[kafka]`: the log, and its folder beside that of feeds.

use super::*;

#[test]
fn kafka_settings_are_passed_through_as_text() {
    let config = right(
        r#"
        log.kind = "kafka"
        [kafka]
        brokers = ["a:9092", "b:9092"]
        activities = "a"
        relationships = "r"
        dead_letters = "d"
        nodes = "n"
        group = "g"
        [kafka.client]
        "security.protocol" = "sasl_plaintext"
        "sasl.mechanisms" = "PLAIN"
        "sasl.username" = "us"
        "sasl.password" = "env:KAFKA_PASSWORD"
        "fetch.max.bytes" = 2000000
        "enable.sparse.connections" = false
        "#,
    );
    let log::Options::Kafka(kafka) = &config.log else {
        panic!("{config:?}");
    };
    let pair = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
    let client = [
        ("security.protocol", "sasl_plaintext"),
        ("sasl.mechanisms", "PLAIN"),
        ("sasl.username", "us"),
        ("sasl.password", "hunter2"),
        ("fetch.max.bytes", "2000000"),
        ("enable.sparse.connections", "false"),
    ];
    let meant = kafka::Options {
        brokers: vec!["a:9092".into(), "b:9092".into()],
        activities: "a".into(),
        relationships: "r".into(),
        dead_letters: "d".into(),
        nodes: "n".into(),
        node: None,
        group: "g".into(),
        client: client.into_iter().map(pair).collect(),
    };
    assert_eq!(*kafka, meant);
    assert!(!format!("{config:?}").contains("hunter2"));
}

#[test]
fn a_kafka_setting_is_one_that_librdkafka_takes() {
    let client = "kafka.client";
    check(
        "kafka.client.\"security.protocl\" = \"ssl\"\nkafka.client.\"linger.ms\" = -1\nkafka.client.\"group.id\" = \"g\"",
        &format!(
            "s.toml:1: {client}.\"security.protocl\": found an unknown setting; allowed: the settings of librdkafka, by their names; did you mean {client}.\"security.protocol\"?\n\
             s.toml:2: {client}.\"linger.ms\": found a value that librdkafka does not take; allowed: a number in the range 0..900000\n\
             s.toml:3: {client}.\"group.id\": found a setting that Slackwater sets itself (write [kafka] group instead); allowed: any other"
        ),
    );
    check(
        "log.kind = \"kafka\"\n[kafka.client]\n\"max.in.flight\" = 10",
        &format!(
            "s.toml:2: {client}: found settings that librdkafka cannot start with: Client creation error: `max.in.flight` must be set <= 5 when `enable.idempotence` is true; allowed: settings that fit together, files that can be read"
        ),
    );
    // TLS is what a build has or has not; with the built-in log nobody asks for it.
    let tls = "[kafka.client]\n\"security.protocol\" = \"ssl\"";
    right(tls);
    if !cfg!(feature = "kafka-tls") {
        let with_kafka = format!("log.kind = \"kafka\"\n{tls}");
        check(
            &with_kafka,
            &format!(
                "s.toml:3: {client}.\"security.protocol\": found what this build cannot do (OpenSSL not available at build time); allowed: what needs no TLS; or a build with --features kafka-tls"
            ),
        );
    }
}

#[test]
fn a_broker_is_a_host_and_a_port() {
    right(
        "kafka.brokers = [\"kafka1:9092\", \"10.0.0.1:9092\", \"[::1]:9092\", \"SSL://a.example:9093\", \"a:1,b:2\"]",
    );
    check(
        "kafka.brokers = [\"kafka1\", \"a:9092\", \"kafka2:\", \"::1\", \"http://a.example/\", \"a:70000\"]",
        "s.toml:1: kafka.brokers[0]: found \"kafka1\"; allowed: a host and a port such as \"kafka1:9092\"; did you mean \"kafka1:9092\"?\n\
         s.toml:1: kafka.brokers[2]: found \"kafka2:\"; allowed: a host and a port such as \"kafka1:9092\"\n\
         s.toml:1: kafka.brokers[3]: found \"::1\"; allowed: a host and a port such as \"kafka1:9092\"; did you mean \"[::1]:9092\"?\n\
         s.toml:1: kafka.brokers[4]: found \"http://a.example/\"; allowed: a host and a port such as \"kafka1:9092\"\n\
         s.toml:1: kafka.brokers[5]: found \"a:70000\"; allowed: a host and a port such as \"kafka1:9092\"",
    );
}

#[test]
fn topics_are_names_and_differ() {
    let topic = "a topic name: up to 249 letters, digits, dots, underscores and hyphens";
    check(
        "[kafka]\nactivities = \"a b\"\nrelationships = \"\"\ndead_letters = 1\ngroup = \"\"\nbrokers = [\"\"]",
        &format!(
            "s.toml:2: kafka.activities: found \"a b\"; allowed: {topic}\n\
             s.toml:3: kafka.relationships: found \"\"; allowed: {topic}\n\
             s.toml:4: kafka.dead_letters: found 1; allowed: {topic}\n\
             s.toml:5: kafka.group: found \"\"; allowed: text that is not empty\n\
             s.toml:6: kafka.brokers[0]: found \"\"; allowed: text that is not empty"
        ),
    );
    check(
        "[kafka]\nactivities = \"slackwater.relationships\"",
        "s.toml:2: kafka.activities: found \"slackwater.relationships\", another's topic too; allowed: a topic of its own",
    );
}

#[test]
fn deleting_the_feeds_never_deletes_the_log() {
    check(
        "[feed]\npath = \"data\"",
        "s.toml:2: feed.path: found feeds in \"data\" and the log in \"data/log\"; allowed: feeds in a folder that the log is not in",
    );
    check(
        "[log]\npath = \"data/feeds\"",
        "s.toml:2: log.path: found feeds in \"data/feeds\" and the log in \"data/feeds\"; allowed: feeds in a folder that the log is not in",
    );
    check(
        "[feed]\npath = \".\"",
        "s.toml:2: feed.path: found feeds in \".\" and the log in \"data/log\"; allowed: feeds in a folder that the log is not in",
    );
    right("[feed]\npath = \"./data/log/feeds\"");
    right("[feed]\npath = \"data\"\n[log]\nkind = \"kafka\"");
}
