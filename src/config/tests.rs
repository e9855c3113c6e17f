//! Configurations as operators write them: the options they become, and the mistakes that are reported.

mod access;
mod cluster;
mod environment;
mod mistakes;
mod ordering;
mod shipped;
mod sources;

use super::*;
use crate::api::auth::tests::keys;
use crate::api::auth::token::Token;
use crate::api::auth::{introspection, jwt};
use crate::api::backend;
use crate::api::limits::Limits;
use crate::api::websocket;
use crate::log::kafka;
use crate::mastodon::ids::Ids;
use crate::pipeline::due::Due;
use slackwater_engine::engine;
use slackwater_engine::feed::expiry::Keep;
use slackwater_engine::relationship::Patience;
use slackwater_order::window::{Auto, LatePolicy, ReorderWindow, TooLatePolicy, Window, Windows};
use std::collections::BTreeSet;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn environment_of_tests(name: &str) -> Option<String> {
    match name {
        "TOKEN" | "SLACKWATER_TOKEN" => Some("0123456789abcdef".to_owned()),
        "OLD_KEY" => Some("0123456789abcdef0123456789abcdef".to_owned()),
        "KAFKA_PASSWORD" => Some("hunter2".to_owned()),
        "SLACKWATER_DATABASE" => Some("postgres://slackwater@localhost/mastodon".to_owned()),
        "SLACKWATER_JWT_KEY" => Some("0123456789abcdef0123456789abcdef".to_owned()),
        "SLACKWATER_COMPARE_TOKEN" => Some("volunteers".to_owned()),
        "SLACKWATER_CLIENT_SECRET" => Some("hush".to_owned()),
        "SLACKWATER_CURSOR_KEY" => Some("abcdef0123456789abcdef0123456789".to_owned()),
        "SLACKWATER_CLUSTER" => Some("fedcba9876543210".to_owned()),
        "SLACKWATER_INBOX_KEY" => Some(keys::RSA.0.to_owned()),
        "SHORT" => Some("hunter2".to_owned()),
        _ => None,
    }
}

fn read(text: &str) -> Result<Config, Mistakes> {
    read_with(text, 0)
}

fn read_with(text: &str, memory_bytes: u64) -> Result<Config, Mistakes> {
    let environment = Environment {
        variable: &environment_of_tests,
        memory_bytes,
        variables: Vec::new(),
        missing_token: MissingToken::Assume,
    };
    parse(text, "s.toml", &environment)
}

fn right(text: &str) -> Config {
    read(text).unwrap_or_else(|mistakes| panic!("{mistakes}"))
}

/// `text` has exactly these mistakes.
#[track_caller]
fn check(text: &str, told: &str) {
    match read(text) {
        Ok(_) => panic!("nothing is wrong with {text}"),
        Err(mistakes) => assert_eq!(mistakes.to_string(), told, "{text}"),
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
        upstream = "http://127.0.0.1:3000"
        streaming = "https://stream.home.example"
        web_domain = "home.example"
        plain_when_away = true
        database = "env:SLACKWATER_DATABASE"
        compare_tokens = ["env:SLACKWATER_COMPARE_TOKEN", "another"]
        [inbox]
        upstream = "http://127.0.0.1:3001"
        allow_addresses = ["10.0.0.0/8"]
        key = "env:SLACKWATER_INBOX_KEY"
        key_id = "https://home.example/actor#main-key"
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
        cluster: None,
        log: log::Options::BuiltIn(built_in::Options {
            activities_keep: year,
            activities_bytes_max: 3 << 29,
            ..built_in::Options::at("/var/log")
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
            live_max_age: Duration::from_secs(3),
        },
        mastodon: mastodon::Options {
            ids: Ids::Ref,
            late_list: false,
            upstream: Some(mastodon::UpstreamOptions {
                streaming: Some("https://stream.home.example".parse().unwrap()),
                plain_when_away: true,
            }),
        },
        connector: connector::Options {
            database: Some(Secret::new("postgres://slackwater@localhost/mastodon")),
            web_domain: "home.example".to_owned(),
        },
        compare: compare::daily::Options {
            tokens: ["volunteers", "another"]
                .map(|token| Token::new(token).unwrap())
                .into(),
        },
        inbox: Some(inbox::Options {
            upstream: "http://127.0.0.1:3001/".parse().unwrap(),
            allow_addresses: vec!["10.0.0.0/8".parse().unwrap()],
            signing: Some(inbox::SigningOptions {
                key: Secret::new(keys::RSA.0),
                key_id: "https://home.example/actor#main-key".to_owned(),
            }),
        }),
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
            backend: Some(backend::Options {
                address: "http://127.0.0.1:3000".parse().unwrap(),
                web_domain: "home.example".to_owned(),
            }),
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
