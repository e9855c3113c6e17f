//! The file as a writer meets it: what it says, and what it is told.

use super::*;
use crate::api::auth::{introspection, jwt};
use crate::api::limits::Limits;
use crate::api::websocket;
use crate::engine;
use crate::feed::expiry::Keep;
use crate::mastodon::ids::Ids;
use crate::pipeline::due::Due;
use crate::post::kafka;
use crate::post::relationship::Patience;
use slackwater_order::window::{Auto, LatePolicy, ReorderWindow, TooLatePolicy, Window, Windows};
use std::collections::BTreeSet;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn environment(name: &str) -> Option<String> {
    match name {
        "TOKEN" | "SLACKWATER_TOKEN" => Some("0123456789abcdef".to_owned()),
        "OLD_KEY" => Some("0123456789abcdef0123456789abcdef".to_owned()),
        "KAFKA_PASSWORD" => Some("hunter2".to_owned()),
        "SLACKWATER_JWT_KEY" => Some("0123456789abcdef0123456789abcdef".to_owned()),
        "SLACKWATER_CLIENT_SECRET" => Some("hush".to_owned()),
        "SLACKWATER_CURSOR_KEY" => Some("abcdef0123456789abcdef0123456789".to_owned()),
        "SHORT" => Some("hunter2".to_owned()),
        _ => None,
    }
}

fn read(text: &str) -> Result<Config, Mistakes> {
    read_with(text, 0)
}

fn read_with(text: &str, memory_bytes: u64) -> Result<Config, Mistakes> {
    let environment = Environment {
        variable: &environment,
        memory_bytes,
    };
    parse(text, "s.toml", &environment)
}

fn right(text: &str) -> Config {
    read(text).unwrap_or_else(|mistakes| panic!("{mistakes}"))
}

/// `text` is wrong, and its writer is told exactly this.
#[track_caller]
fn check(text: &str, told: &str) {
    match read(text) {
        Ok(_) => panic!("nothing is wrong with {text}"),
        Err(mistakes) => assert_eq!(mistakes.to_string(), told, "{text}"),
    }
}

#[test]
fn the_shipped_file_is_the_default() {
    assert_eq!(right(SHIPPED), Config::defaults(0));
    assert_eq!(right(""), Config::defaults(0));
    let kafka = SHIPPED.replace("kind = \"built-in\"", "kind = \"kafka\"");
    assert_eq!(
        right(&kafka).log,
        source::Options::Kafka(kafka::Options::default())
    );
}

#[test]
fn the_shipped_file_has_every_key_and_no_other() {
    let all: Vec<String> = SHIPPED
        .lines()
        .map(|line| match line.strip_prefix('#') {
            Some(key) if !key.starts_with(' ') => key.to_owned(),
            _ => line.to_owned(),
        })
        .collect();
    let all = all.join("\n");
    right(&all);
    let table: toml::Table = all.parse().unwrap();
    let shipped = leaves(&toml::Value::Table(table));
    let shipped: BTreeSet<String> = shipped
        .into_iter()
        .map(
            |path| match path.iter().map(String::as_str).collect::<Vec<_>>()[..] {
                ["kafka", "client", _] => "kafka.client.*".to_owned(),
                ["ordering", "origin", _, key] => format!("ordering.origin.*.{key}"),
                _ => path.join("."),
            },
        )
        .collect();
    let keys = constraints::keys(&file::schema()).into_iter().collect();
    assert_eq!(shipped, keys);
}

#[test]
fn the_shipped_file_says_what_every_key_does() {
    let mut before = "";
    for line in SHIPPED.lines() {
        let of_origin = ["#reorder", "#allowed", "#late", "#too_late"];
        let switched_off = of_origin.iter().any(|key| line.starts_with(key));
        if line.contains(" = ") && !line.starts_with("# ") && !switched_off {
            assert!(before.starts_with('#') || before.starts_with('['), "{line}");
        }
        before = line;
    }
}

#[test]
fn the_schema_takes_the_shipped_file_and_has_its_defaults() {
    let schema = schema();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let shipped: toml::Table = SHIPPED.parse().unwrap();
    let shipped = serde_json::to_value(&shipped).unwrap();
    assert!(validator.is_valid(&shipped));
    assert!(!validator.is_valid(&serde_json::json!({ "feed": { "lenght": 1 } })));
    assert!(!validator.is_valid(&serde_json::json!({ "log": { "kind": "files" } })));
    assert!(!validator.is_valid(&serde_json::json!({ "auth": null })));
    let default = |pointer: &str| schema.pointer(pointer).unwrap().clone();
    assert_eq!(default("/properties/feed/properties/length/default"), 800);
    assert_eq!(
        default("/properties/ordering/properties/clock_skew/default"),
        "2m"
    );
}

#[test]
fn every_bound_in_the_schema_can_be_read() {
    fn bounded(schema: &serde_json::Value, count: &mut usize) {
        if let Some(kind) = schema
            .get("x-kind")
            .filter(|kind| *kind == "duration" || *kind == "size")
        {
            for bound in ["x-min", "x-max"] {
                let text = schema[bound]
                    .as_str()
                    .unwrap_or_else(|| panic!("{schema} has no {bound}"));
                let read = match kind.as_str().unwrap() {
                    "duration" => file::Span::read(text).is_some(),
                    _ => file::Size::read(text).is_some(),
                };
                assert!(read, "{text}");
                *count += 1;
            }
        }
        if let Some(inner) = schema.as_object() {
            inner.values().for_each(|inner| bounded(inner, count));
        }
    }
    let mut count = 0;
    bounded(&file::schema(), &mut count);
    assert_ne!(count, 0);
}

/// If this fails, a key is spelled differently where it is checked than where it is read, and its mistakes have no line.
#[test]
fn a_mistake_in_any_key_is_told_with_that_key_and_its_line() {
    for key in constraints::keys(&file::schema()) {
        let at = key
            .replace("client.*", "client.\"a.b\"")
            .replace("origin.*", "origin.\"a.example\"");
        let mistakes = read(&format!("\n\n{at} = 1979-05-27")).unwrap_err().0;
        let told: Vec<_> = mistakes
            .iter()
            .map(|it| (it.key.as_str(), it.line))
            .collect();
        assert_eq!(told, [(at.as_str(), Some(3))]);
    }
}

#[test]
fn a_file_that_says_everything_means_it() {
    let text = r#"
        log = { kind = "built-in", path = "/var/log", keep = "1y", size_max = "1.5GiB" }
        [kafka]
        brokers = ["unused:9092"]
        [ordering]
        reorder_window = "1m 30s"
        patience = "complete"
        allowed_lateness = "0s"
        late = "surface"
        too_late = "drop"
        clock_skew = "1h"
        auto = { quantile = 0.5, min = "0s", max = "7d" }
        [feed]
        path = "/var/feeds"
        length = 100_000
        boost_repeat_after = "0s"
        posts_keep = "1h"
        stubs_keep = "1y"
        removals_keep = "2weeks"
        inactive_after = "1h"
        unflushed_entries_max = 1000
        unflushed_bytes_max = "1MB"
        cache_bytes = "1 MiB"
        replay_max = "2s"
        checkpoint_every = "100ms"
        [http]
        listen = "[::]:80"
        requests_max = 1
        request_timeout = "10m"
        requests_per_minute = 7
        trusted_proxies = ["10.0.0.0/8", "::1"]
        [stream]
        connections_max = 1
        connections_per_account_max = 2
        connections_per_address_max = 3
        horizon_every = "1s"
        ping_every = "5m"
        send_timeout = "2s"
        live_max_age = "3s"
        [mastodon]
        ids = "ref"
        late_list = false
        [auth]
        service_tokens = ["env:TOKEN", "fedcba9876543210"]
        public_feeds_open = true
        cursor_key = ["abcdef0123456789abcdef0123456789", "none", "env:OLD_KEY"]
        [auth.jwt]
        algorithm = "HS256"
        key = "0123456789abcdef0123456789abcdef"
        issuer = "us"
        audience = "them"
        [auth.introspection]
        url = "https://home.example/introspect"
        client_id = "me"
        client_secret = "hush"
        remember = "2s"
        [logging]
        level = "info,slackwater::order=debug"
        format = "json"
    "#;
    let year = Duration::from_secs(31_557_600);
    let mut windows = Windows::new(
        Window {
            reorder_window: ReorderWindow::Fixed(Duration::from_secs(90)),
            allowed_lateness: Duration::ZERO,
            late: LatePolicy::Surface,
            too_late: TooLatePolicy::Drop,
        },
        Duration::from_secs(3600),
    );
    windows.auto = Auto {
        quantile: 0.5,
        min: Duration::ZERO,
        max: 7 * DAY,
    };
    let meant = Config {
        log: source::Options::BuiltIn(log::Options {
            activities_keep: year,
            activities_bytes_max: 3 << 29,
            ..log::Options::at("/var/log")
        }),
        store: store::Options {
            path: "/var/feeds".into(),
            length: 100_000,
            boost_repeat_after: Duration::ZERO,
            unflushed_entries_max: 1000,
            unflushed_bytes_max: 1_000_000,
            cache_bytes: 1 << 20,
        },
        pipeline: pipeline::Options {
            engine: engine::Options {
                windows,
                patience: Patience::Complete,
                keep: Keep {
                    posts: Duration::from_secs(3600),
                    stubs: year,
                    removals: 14 * DAY,
                },
                inactive_after: Duration::from_secs(3600),
                ..engine::Options::default()
            },
            due: Due {
                replay_max: Duration::from_secs(2),
                rows_every: Duration::from_millis(100),
                ..Due::default()
            },
        },
        listen: "[::]:80".parse().unwrap(),
        api: api::Options {
            request_timeout: Duration::from_secs(600),
            requests_max: 1,
            requests_per_minute: 7,
            trusted_proxies: vec!["10.0.0.0/8".parse().unwrap(), "::1/128".parse().unwrap()],
            connections: Limits {
                all: 1,
                per_account: 2,
                per_address: 3,
            },
            stream_options: api::StreamOptions {
                horizon_every: Duration::from_secs(1),
                socket: websocket::Options {
                    ping_every: Duration::from_secs(300),
                    send_timeout: Duration::from_secs(2),
                },
            },
            mastodon_ids: Ids::Ref,
            late_list: false,
            live_max_age: Duration::from_secs(3),
        },
        auth: auth::Options {
            public_feeds_open: true,
            jwt: Some(jwt::Options {
                algorithm: jwt::Algorithm::Hs256,
                key: Secret::new("0123456789abcdef0123456789abcdef"),
                issuer: Some("us".into()),
                audience: Some("them".into()),
            }),
            introspection: Some(introspection::Options {
                url: "https://home.example/introspect".parse().unwrap(),
                client_id: "me".into(),
                client_secret: Secret::new("hush"),
                remember: Duration::from_secs(2),
            }),
            service_tokens: vec![
                Secret::new("0123456789abcdef"),
                Secret::new("fedcba9876543210"),
            ],
        },
        cursor_keys: vec![
            Some(Secret::new("abcdef0123456789abcdef0123456789")),
            None,
            Some(Secret::new("0123456789abcdef0123456789abcdef")),
        ],
        logging: logging::Options {
            level: "info,slackwater::order=debug".into(),
            format: logging::Format::Json,
        },
    };
    assert_eq!(right(text), meant);
}

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
    let source::Options::Kafka(kafka) = &config.log else {
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
fn an_origin_has_windows_of_its_own() {
    let config = right(
        r#"
        [ordering.origin."WWW.Threads.net"]
        reorder_window = "16m"
        [ordering.origin."*.example"]
        allowed_lateness = "0s"
        [ordering]
        reorder_window = "10s"
        allowed_lateness = "1h"
        "#,
    );
    let check = |origin: &str, reorder: u64, lateness: u64| {
        let meant = Window {
            reorder_window: ReorderWindow::Fixed(Duration::from_secs(reorder)),
            allowed_lateness: Duration::from_secs(lateness),
            ..Window::default()
        };
        assert_eq!(
            *config.pipeline.engine.windows.of(origin),
            meant,
            "{origin}"
        );
    };
    check("threads.net", 960, 3600);
    check("a.example", 10, 0);
    check("example", 10, 3600);
    check("elsewhere.test", 10, 3600);
}

#[test]
fn late_posts_go_where_their_origin_says() {
    use LatePolicy::{Reorder, Surface};
    use TooLatePolicy::{Bury, Drop};
    let config = right(
        r#"
        [ordering]
        reorder_window = "auto"
        [ordering.origin."a.example"]
        reorder_window = "1m"
        late = "surface"
        [ordering.origin."b.example"]
        reorder_window = "1m"
        too_late = "drop"
        "#,
    );
    let windows = &config.pipeline.engine.windows;
    let check = |origin: &str, late, too_late| {
        let of = windows.of(origin);
        assert_eq!((of.late, of.too_late), (late, too_late), "{origin}");
    };
    check("a.example", Surface, Bury);
    check("b.example", Reorder, Drop);
    check("c.example", Reorder, Bury);
    assert_eq!(windows.of("c.example").reorder_window, ReorderWindow::Auto);
}

#[test]
fn a_learned_window_moves_no_place() {
    let surface = r#"found late = "surface" with reorder_window = "auto"; allowed: "surface" with a reorder_window that is a duration, as a window that is learned must not move places; or late = "reorder""#;
    let drop = r#"found too_late = "drop" with reorder_window = "auto"; allowed: "drop" with a reorder_window that is a duration, as a window that is learned must not move places; or too_late = "bury""#;
    check(
        "[ordering]\nreorder_window = \"auto\"\nlate = \"surface\"\ntoo_late = \"drop\"",
        &format!("s.toml:3: ordering.late: {surface}\ns.toml:4: ordering.too_late: {drop}"),
    );
    // What an origin takes over is said once, where it is written.
    check(
        "[ordering]\nreorder_window = \"auto\"\nlate = \"surface\"\n[ordering.origin.\"a.example\"]\nallowed_lateness = \"1h\"",
        &format!("s.toml:3: ordering.late: {surface}"),
    );
    check(
        "[ordering]\nlate = \"surface\"\n[ordering.origin.\"a.example\"]\nreorder_window = \"auto\"",
        &format!("s.toml:4: ordering.origin.\"a.example\".reorder_window: {surface}"),
    );
    check(
        "[ordering]\nreorder_window = \"auto\"\n[ordering.origin.\"a.example\"]\ntoo_late = \"drop\"",
        &format!("s.toml:4: ordering.origin.\"a.example\".too_late: {drop}"),
    );
    right(
        "[ordering]\nlate = \"surface\"\n[ordering.origin.\"a.example\"]\nreorder_window = \"auto\"\nlate = \"reorder\"",
    );
}

#[test]
fn how_windows_are_learned_has_bounds() {
    let quantile = "allowed: a number from 0.5 to 0.9999";
    for (text, found) in [
        ("0.49", "0.49"),
        ("0.99991", "0.99991"),
        ("1", "1"),
        ("nan", "NaN"),
    ] {
        check(
            &format!("ordering.auto.quantile = {text}"),
            &format!("s.toml:1: ordering.auto.quantile: found {found}; {quantile}"),
        );
    }
    check(
        "ordering.auto.min = \"31m\"",
        "s.toml:1: ordering.auto.min: found \"31m\"; allowed: at most ordering.auto.max, 30m",
    );
    check(
        "[ordering.auto]\nmin = \"2s\"\nmax = \"1s\"",
        "s.toml:3: ordering.auto.max: found \"1s\"; allowed: at least ordering.auto.min, 2s",
    );
    let auto = right("ordering.auto = { quantile = 0.9999, min = \"1s\", max = \"1s\" }");
    assert_eq!(
        auto.pipeline.engine.windows.auto.min,
        auto.pipeline.engine.windows.auto.max
    );
}

#[test]
fn patience_is_a_duration_or_complete() {
    for (text, meant) in [
        ("0s", Patience::For(Duration::ZERO)),
        ("20m", Patience::For(Duration::from_secs(1200))),
        ("complete", Patience::Complete),
    ] {
        let config = right(&format!("ordering.patience = {text:?}"));
        assert_eq!(config.pipeline.engine.patience, meant);
    }
    let allowed =
        "allowed: a duration such as \"30s\", \"24h\" or \"30d\", from 0s to 7d; or \"complete\"";
    for (text, guess) in [
        ("compleet", "; did you mean \"complete\"?"),
        ("20", "; did you mean \"20s\"?"),
        ("8d", ""),
        ("auto", ""),
    ] {
        check(
            &format!("ordering.patience = {text:?}"),
            &format!("s.toml:1: ordering.patience: found {text:?}; {allowed}{guess}"),
        );
    }
}

#[test]
fn mistakes_come_all_at_once_in_the_order_of_the_file() {
    check(
        r#"[log]
kind = "kafak"
[ordering]
reorder_windw = "30s"
clock_skew = 30
[feed]
length = 0
posts_keep = "1 fortnight"
[http]
listen = "0.0.0.0:8787"
[speed]
"#,
        r#"s.toml:2: log.kind: found "kafak"; allowed: "built-in" or "kafka"; did you mean "kafka"?
s.toml:4: ordering.reorder_windw: found an unknown key; allowed: allowed_lateness, auto, clock_skew, late, origin, patience, reorder_window, too_late; did you mean reorder_window?
s.toml:5: ordering.clock_skew: found 30; allowed: a duration such as "30s", "24h" or "30d", from 0s to 1h; did you mean "30s"?
s.toml:7: feed.length: found 0; allowed: a whole number from 1 to 100000
s.toml:8: feed.posts_keep: found "1 fortnight"; allowed: a duration such as "30s", "24h" or "30d", from 1h to 10y
s.toml:10: http.listen: found "0.0.0.0:8787", where anyone could act as the backend; allowed: a loopback address; any other once [auth] has service_tokens
s.toml:11: speed: found an unknown key; allowed: auth, feed, http, kafka, log, logging, mastodon, ordering, stream"#,
    );
}

#[test]
fn toml_that_cannot_be_read_is_told_with_its_line() {
    check(
        "[feed]\nlength =\n",
        "s.toml:2: found a syntax error: string values must be quoted, expected literal string; allowed: TOML",
    );
    check(
        "[feed]\nlength = 1\nlength = 2\n",
        "s.toml:3: found a syntax error: duplicate key; allowed: TOML",
    );
    check(
        "[feed\nlength = 1\n",
        "s.toml:1: found a syntax error: unclosed table, expected `]`; allowed: TOML",
    );
    check(
        "[auth]\nservice_tokens = [hunter2]\n",
        "s.toml:2: found a syntax error: string values must be quoted, expected literal string; allowed: TOML",
    );
    check(
        "\u{feff}[feed]\nlength = 0",
        "s.toml:2: feed.length: found 0; allowed: a whole number from 1 to 100000",
    );
    check(
        "[feed]\r\nlength = 0",
        "s.toml:2: feed.length: found 0; allowed: a whole number from 1 to 100000",
    );
}

#[test]
fn a_file_that_cannot_be_read_is_a_mistake() {
    let told = load(Path::new("/no/such/slackwater.toml")).unwrap_err();
    assert_eq!(
        told.to_string(),
        "/no/such/slackwater.toml: found No such file or directory (os error 2); allowed: a file that can be read"
    );
}

#[test]
fn durations_and_sizes_have_units_and_bounds() {
    let duration = |text: &str, told: &str| {
        let allowed =
            "allowed: a duration such as \"30s\", \"24h\" or \"30d\", from 0s to 7d; or \"auto\"";
        check(
            &format!("ordering.reorder_window = {text}"),
            &format!("s.toml:1: ordering.reorder_window: found {told}").replace("ALLOWED", allowed),
        );
    };
    duration("30", "30; ALLOWED; did you mean \"30s\"?");
    duration("0.5", "0.5; ALLOWED; did you mean \"0.5s\"?");
    duration("\"30\"", "\"30\"; ALLOWED; did you mean \"30s\"?");
    duration("\"30S\"", "\"30S\"; ALLOWED; did you mean \"30s\"?");
    duration("\"\"", "\"\"; ALLOWED");
    duration("\"-1s\"", "\"-1s\"; ALLOWED");
    duration("-1", "-1; ALLOWED");
    duration("\"7d 1ns\"", "\"7d 1ns\"; ALLOWED");
    duration("10000000", "10000000; ALLOWED");
    duration("true", "true; ALLOWED");
    duration("[\"30s\"]", "a list; ALLOWED");
    duration("{ s = 30 }", "a table; ALLOWED");
    duration("\"Auto\"", "\"Auto\"; ALLOWED; did you mean \"auto\"?");
    right("ordering = { reorder_window = \"7d\", allowed_lateness = \"10y\" }");

    let size = |text: &str, told: &str| {
        let allowed = "allowed: a size such as \"256MB\" or \"50GB\", from 1MB to 1TB";
        check(
            &format!("feed.cache_bytes = {text}"),
            &format!("s.toml:1: feed.cache_bytes: found {told}").replace("ALLOWED", allowed),
        );
    };
    size("2000000", "2000000; ALLOWED; did you mean \"2000000B\"?");
    size("\"2000000\"", "\"2000000\"; ALLOWED");
    size("256", "256; ALLOWED");
    size("\"256 M B\"", "\"256 M B\"; ALLOWED");
    size("\"1KB\"", "\"1KB\"; ALLOWED");
    size("\"2TB\"", "\"2TB\"; ALLOWED");
    size(
        "\"99999999999999999999EB\"",
        "\"99999999999999999999EB\"; ALLOWED",
    );
}

#[test]
fn a_key_that_is_unknown_is_guessed_if_it_is_close_or_stands_elsewhere() {
    check(
        "ordering.reorder = \"0s\"",
        "s.toml:1: ordering.reorder: found an unknown key; allowed: allowed_lateness, auto, clock_skew, late, origin, patience, reorder_window, too_late",
    );
    check(
        "ordering.quantile = 0.9",
        "s.toml:1: ordering.quantile: found an unknown key; allowed: allowed_lateness, auto, clock_skew, late, origin, patience, reorder_window, too_late; did you mean ordering.auto.quantile?",
    );
    check(
        "http.service_tokens = [\"0123456789abcdef\"]",
        "s.toml:1: http.service_tokens: found an unknown key; allowed: listen, request_timeout, requests_max, requests_per_minute, trusted_proxies; did you mean auth.service_tokens?",
    );
    check(
        "[[feed]]\nlength = 1",
        "s.toml:1: feed: found a list of tables; allowed: a table",
    );
}

#[test]
fn a_bound_on_memory_is_a_number_or_auto() {
    let count = "allowed: a whole number from 1000 to 1000000000; or \"auto\"";
    let size = "allowed: a size such as \"256MB\" or \"50GB\", from 1MB to 1TB; or \"auto\"";
    for (written, told) in [
        ("entries_max = 999", format!("found 999; {count}")),
        (
            "entries_max = \"4_000\"",
            format!("found \"4_000\"; {count}"),
        ),
        (
            "entries_max = \"Auto\"",
            format!("found \"Auto\"; {count}; did you mean \"auto\"?"),
        ),
        ("bytes_max = \"1kB\"", format!("found \"1kB\"; {size}")),
        (
            "bytes_max = 5000000",
            format!("found 5000000; {size}; did you mean \"5000000B\"?"),
        ),
        (
            "bytes_max = \"aut\"",
            format!("found \"aut\"; {size}; did you mean \"auto\"?"),
        ),
    ] {
        let key = written.split(' ').next().unwrap_or_default();
        check(
            &format!("feed.unflushed_{written}"),
            &format!("s.toml:1: feed.unflushed_{key}: {told}"),
        );
    }
}

/// Were this to fail, a bound that an operator wrote would be overruled, or "auto" be the same on every machine.
#[test]
fn a_bound_on_memory_is_a_share_of_it_unless_it_is_written() {
    let check = |text, entries_max: usize, bytes_max: usize| {
        let store = read_with(text, 16_000_000_000).unwrap().store;
        let bounds = (store.unflushed_entries_max, store.unflushed_bytes_max);
        assert_eq!(bounds, (entries_max, bytes_max), "{text}");
    };
    let auto = "feed.unflushed_entries_max = \"auto\"\nfeed.unflushed_bytes_max = \"auto\"";
    check("", 15_625_000, 1_000_000_000);
    check(auto, 15_625_000, 1_000_000_000);
    check("feed.unflushed_entries_max = 7_000", 7_000, 1_000_000_000);
    check("feed.unflushed_bytes_max = \"7MB\"", 15_625_000, 7_000_000);
}

#[test]
fn origins_are_hosts_each_named_once() {
    let host = "allowed: a host such as \"threads.net\", or \"*.example\" for all below it";
    check(
        "[ordering.origin.\"threads net\"]",
        &format!("s.toml:1: ordering.origin.\"threads net\": found \"threads net\"; {host}"),
    );
    check(
        "[ordering.origin.\"https://threads.net/\"]",
        &format!(
            "s.toml:1: ordering.origin.\"https://threads.net/\": found \"https://threads.net/\"; {host}; \
             did you mean ordering.origin.\"threads.net\"?"
        ),
    );
    check(
        "[ordering.origin.\"threads.net\"]\n[ordering.origin.\"a.example\"]\n[ordering.origin.\"WWW.threads.net\"]",
        "s.toml:3: ordering.origin.\"WWW.threads.net\": found an origin named before; allowed: each origin once",
    );
    check(
        "[ordering.origin.\"threads.net\"]\nreorder_window = \"8d\"\nclock_skew = \"1s\"",
        "s.toml:2: ordering.origin.\"threads.net\".reorder_window: found \"8d\"; allowed: a duration such as \"30s\", \"24h\" or \"30d\", from 0s to 7d; or \"auto\"\n\
         s.toml:3: ordering.origin.\"threads.net\".clock_skew: found an unknown key; allowed: allowed_lateness, late, reorder_window, too_late; did you mean ordering.clock_skew?",
    );
}

#[test]
fn a_name_with_dots_that_lacks_its_quotes_is_guessed() {
    check(
        "[ordering.origin.www.threads.net]\nreorder_window = \"16m\"",
        "s.toml:1: ordering.origin.www.threads: found an unknown key; allowed: allowed_lateness, late, reorder_window, too_late; did you mean ordering.origin.\"www.threads.net\"?",
    );
    check(
        "[kafka.client]\nsecurity.protocol = \"ssl\"",
        "s.toml:2: kafka.client.security: found a table; allowed: text, a whole number, true or false; did you mean kafka.client.\"security.protocol\"?",
    );
}

#[test]
fn secrets_are_found_and_never_shown() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("token");
    std::fs::write(&path, "fedcba9876543210\n").unwrap();
    let config = right(&format!(
        "auth.service_tokens = ['env:TOKEN', 'file:{}', 'plainly-in-the-file']",
        path.display()
    ));
    let meant = [
        "0123456789abcdef",
        "fedcba9876543210",
        "plainly-in-the-file",
    ];
    assert_eq!(config.auth.service_tokens, meant.map(Secret::new));
    assert!(!format!("{config:?}").contains("plainly"));

    let token = "allowed: 16 to 4096 letters, digits and signs, or env:NAME or file:PATH of such";
    check(
        "auth.service_tokens = [\n\"env:NOBODY\",\n\"file:/no/such\",\n\"hunter2\",\n\"env:SHORT\",\n\"hunter2 hunter2 hunter2\",\n1234567890123456]",
        &format!(
            "s.toml:2: auth.service_tokens[0]: found env:NOBODY, which is not set; {token}\n\
             s.toml:3: auth.service_tokens[1]: found file:/no/such, which cannot be read: No such file or directory (os error 2); {token}\n\
             s.toml:4: auth.service_tokens[2]: found a token of 7 bytes; {token}\n\
             s.toml:5: auth.service_tokens[3]: found a token of 7 bytes; {token}\n\
             s.toml:6: auth.service_tokens[4]: found a token with spaces or other characters that no header can hold; {token}\n\
             s.toml:7: auth.service_tokens[5]: found a number; allowed: text"
        ),
    );
    check(
        "auth.service_tokens = \"hunter2\"",
        "s.toml:1: auth.service_tokens: found text; allowed: a list",
    );
    check(
        "auth = \"hunter2\"",
        "s.toml:1: auth: found text; allowed: a table",
    );
    check(
        "kafka.client.\"sasl.password\" = \"env:NOBODY\"\nkafka.client.\"sasl.username\" = 1.5",
        "s.toml:1: kafka.client.\"sasl.password\": found env:NOBODY, which is not set; allowed: a variable that is set, a file that can be read\n\
         s.toml:2: kafka.client.\"sasl.username\": found a number; allowed: text, a whole number, true or false",
    );
}

#[test]
fn nobody_is_let_in_by_an_oversight() {
    check(
        "[auth]",
        "s.toml:1: auth: found no service_tokens; allowed: at least one token, or no [auth] at all",
    );
    check(
        "auth.service_tokens = []",
        "s.toml:1: auth.service_tokens: found an empty list; allowed: a list with something in it",
    );
    check(
        "http.listen = \"[::]:8787\"",
        "s.toml:1: http.listen: found \"[::]:8787\", where anyone could act as the backend; allowed: a loopback address; any other once [auth] has service_tokens",
    );
    for loopback in ["127.0.0.2:1", "[::1]:1", "[::ffff:127.0.0.1]:1"] {
        right(&format!("http.listen = \"{loopback}\""));
    }
}

#[test]
fn an_address_is_an_ip_and_a_port() {
    let address = |text: &str, guess: &str| {
        check(
            &format!("http.listen = \"{text}\""),
            &format!(
                "s.toml:1: http.listen: found \"{text}\"; allowed: an IP address and a port such as \"127.0.0.1:8787\"{guess}"
            ),
        );
    };
    address("localhost:80", "; did you mean \"127.0.0.1:80\"?");
    address("127.0.0.1", "; did you mean \"127.0.0.1:8787\"?");
    address("slackwater.example:80", "");
    address("127.0.0.1:99999", "");
}

#[test]
fn a_log_level_is_one() {
    let level = |text: &str, guess: &str| {
        check(
            &format!("logging.level = \"{text}\""),
            &format!(
                "s.toml:1: logging.level: found \"{text}\"; allowed: off, error, warn, info, debug or trace, and module=level, between commas{guess}"
            ),
        );
    };
    level("inof", "; did you mean \"info\"?");
    level("info,debgu", "; did you mean \"debug\"?");
    level("slackwater", "");
    level("slackwater=loud", "");
    level("", "");
    for fine in [
        "off",
        "INFO",
        "warn,slackwater::feed=trace",
        "[span{a=1}]=debug",
    ] {
        assert_eq!(
            right(&format!("logging.level = \"{fine}\"")).logging.level,
            fine
        );
    }
    check(
        "logging.format = \"jason\"",
        "s.toml:1: logging.format: found \"jason\"; allowed: \"auto\" or \"human\" or \"json\"; did you mean \"json\"?",
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

proptest::proptest! {
    /// If this fails, a slip of the pen stops the service without a word, or with one that no line holds.
    #[test]
    fn whatever_is_written_is_taken_or_told_a_line_each(
        at in 0..SHIPPED.len(),
        cut in 0..20usize,
        put in "[\\PC\n\"'.=\\[\\]{}]{0,8}",
    ) {
        let all = SHIPPED.replace("\n#[", "\n[").replace("\n#\"", "\n\"");
        let (before, after) = (all.get(..at), all.get((at + cut).min(all.len())..));
        let text = format!("{}{put}{}", before.unwrap_or_default(), after.unwrap_or_default());
        if let Err(mistakes) = read(&text) {
            let told = mistakes.to_string();
            assert_eq!(told.lines().count(), mistakes.0.len(), "{told}");
            assert!(mistakes.0.iter().all(|it| it.line.is_some()), "{told}");
        }
    }
}

/// The path of every value that is no table.
fn leaves(value: &toml::Value) -> Vec<Vec<String>> {
    let toml::Value::Table(table) = value else {
        return vec![Vec::new()];
    };
    table
        .iter()
        .flat_map(|(key, inner)| {
            leaves(inner).into_iter().map(move |mut path| {
                path.insert(0, key.clone());
                path
            })
        })
        .collect()
}

#[test]
fn how_tokens_are_checked_is_said_whole_and_with_a_key_that_is_one() {
    const TOKENS: &str = "auth.service_tokens = [\"0123456789abcdef\"]\n";
    let check = |text: &str, told: &str| check(&format!("{TOKENS}{text}"), told);
    let key = "allowed: a secret of at least 32 bytes, or env:NAME or file:PATH of one";
    check(
        "auth.jwt.algorithm = \"HS256\"\nauth.jwt.key = \"0123456789abcdef0123456789abcde\"",
        &format!("s.toml:3: auth.jwt.key: found a key that is none for HS256; {key}"),
    );
    check(
        "auth.jwt.algorithm = \"HS256\"\nauth.jwt.key = \"env:NOWHERE\"",
        &format!("s.toml:3: auth.jwt.key: found env:NOWHERE, which is not set; {key}"),
    );
    check(
        "auth.cursor_key = \"0123456789abcdef\"",
        &format!("s.toml:2: auth.cursor_key: found a key of 16 bytes; {key}"),
    );
    check(
        "auth.cursor_key = \"env:NOWHERE\"",
        &format!("s.toml:2: auth.cursor_key: found env:NOWHERE, which is not set; {key}"),
    );
    check(
        "auth.cursor_key = [\"0123456789abcdef0123456789abcdef\",\n  \"0123456789abcdef\"]",
        &format!("s.toml:3: auth.cursor_key[1]: found a key of 16 bytes; {key}"),
    );
    check(
        "auth.cursor_key = [\"none\"]",
        "s.toml:2: auth.cursor_key: found no key; allowed: at least one key beside \"none\", or no auth.cursor_key at all",
    );
    check(
        "auth.cursor_key = []",
        "s.toml:2: auth.cursor_key: found an empty list; allowed: text, or a list of texts with something in it",
    );
    check(
        &format!("auth.cursor_key = [{}]", "\"none\", ".repeat(9)),
        "s.toml:2: auth.cursor_key: found a list of 9; allowed: at most 8 keys",
    );
    check(
        "auth.cursor_key = 7",
        "s.toml:2: auth.cursor_key: found a number; allowed: text, or a list of texts",
    );
    let pem = "allowed: an RSA public key, PEM (BEGIN PUBLIC KEY), or env:NAME or file:PATH of one";
    check(
        "auth.jwt.algorithm = \"RS256\"\nauth.jwt.key = \"0123456789abcdef0123456789abcdef\"",
        &format!("s.toml:3: auth.jwt.key: found a key that is none for RS256; {pem}"),
    );
    check(
        "auth.jwt.algorithm = \"none\"\nauth.jwt.key = \"0123456789abcdef0123456789abcdef\"",
        "s.toml:2: auth.jwt.algorithm: found \"none\"; allowed: \"HS256\" or \"RS256\" or \"EdDSA\"",
    );
    check(
        "auth.jwt.algorithm = \"HS256\"",
        "s.toml:2: auth.jwt: found no key; allowed: key: the shared secret, or the public key that tokens are checked with",
    );
    check(
        "auth.introspection.client_id = \"x\"",
        "s.toml:2: auth.introspection: found no url, no client_secret; allowed: url, client_id and client_secret",
    );
    let asked = |url: &str| {
        format!("[auth.introspection]\nurl = {url:?}\nclient_id = \"x\"\nclient_secret = \"y\"")
    };
    for url in ["ftp://home.example/", "home.example", "https://"] {
        check(
            &asked(url),
            &format!(
                "s.toml:3: auth.introspection.url: found {url:?}; allowed: an http or https URL"
            ),
        );
    }
    let proxies = "allowed: an IP address, or a network such as \"10.0.0.0/8\"";
    check(
        "http.trusted_proxies = [\"10.0.0.1\", \"proxy\"]",
        &format!("s.toml:2: http.trusted_proxies[1]: found \"proxy\"; {proxies}"),
    );
}
