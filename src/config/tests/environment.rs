//! Settings from the environment: how they are named, what they win over, and the mistakes in them.

use super::*;

/// The configuration of a file and these variables.
fn read_in(text: &str, variables: &[(&str, &str)]) -> Result<Config, Mistakes> {
    let pair = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    let environment = Environment {
        variable: &super::environment_of_tests,
        memory_bytes: 0,
        variables: variables.iter().map(pair).collect(),
        missing_token: MissingToken::Assume,
    };
    parse(text, "s.toml", &environment)
}

/// A failure means that a container cannot be configured without a file, or is by half.
#[test]
fn a_variable_sets_a_key_of_any_kind_and_wins_over_the_file() {
    let check = |text: &str, variables: &[(&str, &str)], same: &str| {
        let read = read_in(text, variables).unwrap_or_else(|mistakes| panic!("{mistakes}"));
        assert_eq!(read, right(same), "{variables:?}");
    };
    check(
        "",
        &[
            ("SLACKWATER_TOKEN", "x"),
            ("PATH", "/bin"),
            ("slackwater__http__listen", "x"),
        ],
        "",
    );
    check(
        "",
        &[("SLACKWATER__HTTP__LISTEN", "127.0.0.1:80")],
        "http.listen = \"127.0.0.1:80\"",
    );
    check(
        "[feed]\nlength = 5\ncache_bytes = \"2MB\"",
        &[
            ("SLACKWATER__FEED__LENGTH", " 10_000 "),
            ("SLACKWATER__feed__Keep_Objects", "false"),
        ],
        "[feed]\nlength = 10_000\ncache_bytes = \"2MB\"\nkeep_objects = false",
    );
    check(
        "",
        &[
            ("SLACKWATER__FEED__UNFLUSHED_ENTRIES_MAX", "2000"),
            ("SLACKWATER__FEED__UNFLUSHED_BYTES_MAX", "auto"),
        ],
        "feed.unflushed_entries_max = 2000",
    );
    for quantile in ["0.5", "5e-1"] {
        check(
            "",
            &[("SLACKWATER__ORDERING__AUTO__QUANTILE", quantile)],
            "ordering.auto.quantile = 0.5",
        );
    }
    for list in ["10.0.0.0/8, ::1", "[\"10.0.0.0/8\", \"::1\"]"] {
        let file = "http.trusted_proxies = [\"192.0.2.1\"]";
        let same = "http.trusted_proxies = [\"10.0.0.0/8\", \"::1\"]";
        check(file, &[("SLACKWATER__HTTP__TRUSTED_PROXIES", list)], same);
    }
    check(
        "",
        &[
            ("SLACKWATER__AUTH__SERVICE_TOKENS", "env:TOKEN"),
            ("SLACKWATER__HTTP__LISTEN", "0.0.0.0:8787"),
        ],
        "http.listen = \"0.0.0.0:8787\"\nauth.service_tokens = [\"env:TOKEN\"]",
    );
    let key = "0123456789abcdef0123456789abcdef";
    check(
        "auth.service_tokens = [\"env:TOKEN\"]",
        &[(
            "SLACKWATER__AUTH__CURSOR_KEY",
            &format!("[\"{key}\", \"none\"]"),
        )],
        &format!("[auth]\nservice_tokens = [\"env:TOKEN\"]\ncursor_key = [\"{key}\", \"none\"]"),
    );
    check(
        "log.kind = \"kafka\"",
        &[
            ("SLACKWATER__KAFKA__BROKERS", "a:1,b:2"),
            (
                "SLACKWATER__KAFKA__CLIENT__SECURITY_PROTOCOL",
                "sasl_plaintext",
            ),
            ("SLACKWATER__KAFKA__CLIENT__sasl.mechanisms", "PLAIN"),
            ("SLACKWATER__KAFKA__CLIENT__SASL_USERNAME", "1234"),
            (
                "SLACKWATER__KAFKA__CLIENT__SASL_PASSWORD",
                "env:KAFKA_PASSWORD",
            ),
            (
                "SLACKWATER__ORDERING__ORIGIN__threads.net__REORDER_WINDOW",
                "16m",
            ),
        ],
        "log.kind = \"kafka\"\n[kafka]\nbrokers = [\"a:1\", \"b:2\"]\n[kafka.client]\n\"security.protocol\" = \"sasl_plaintext\"\n\
         \"sasl.mechanisms\" = \"PLAIN\"\n\"sasl.username\" = \"1234\"\n\"sasl.password\" = \"env:KAFKA_PASSWORD\"\n\
         [ordering.origin.\"threads.net\"]\nreorder_window = \"16m\"",
    );
}

/// A failure means that a slip in a variable stops a container with a word that leads nowhere.
#[test]
fn a_mistake_in_a_variable_is_told_under_its_name_with_what_was_meant() {
    let check = |text: &str, variable: (&str, &str), told: &str| {
        let mistakes = read_in(text, &[variable]).unwrap_err().to_string();
        assert_eq!(mistakes, told);
    };
    check(
        "[http]\nlisten = \"127.0.0.1:1\"",
        ("SLACKWATER__HTTP__LISTEM", "0.0.0.0:8787"),
        "SLACKWATER__HTTP__LISTEM: http.listem: found an unknown key; allowed: listen, request_timeout, requests_max, \
         requests_per_minute, trusted_proxies; did you mean SLACKWATER__HTTP__LISTEN?",
    );
    check(
        "",
        ("SLACKWATER__HTTP__SERVICE_TOKENS", "x"),
        "SLACKWATER__HTTP__SERVICE_TOKENS: http.service_tokens: found an unknown key; allowed: listen, request_timeout, requests_max, \
         requests_per_minute, trusted_proxies; did you mean SLACKWATER__AUTH__SERVICE_TOKENS?",
    );
    check(
        "",
        ("SLACKWATER__HTPP__LISTEN", "x"),
        "SLACKWATER__HTPP__LISTEN: htpp: found an unknown key; allowed: auth, cluster, feed, http, inbox, kafka, log, logging, mastodon, \
         ordering, stream; did you mean SLACKWATER__HTTP?",
    );
    check(
        "",
        ("SLACKWATER__HTTP__LISTEN", "0.0.0.0:8787"),
        "SLACKWATER__HTTP__LISTEN: http.listen: found \"0.0.0.0:8787\", where anyone could act as the backend; allowed: a loopback \
         address; any other once [auth] has service_tokens",
    );
    check(
        "",
        ("SLACKWATER__FEED__LENGTH", "many"),
        "SLACKWATER__FEED__LENGTH: feed.length: found \"many\"; allowed: a whole number from 1 to 100000",
    );
    check(
        "",
        ("SLACKWATER__STREAM__PING_EVERY", "30"),
        "SLACKWATER__STREAM__PING_EVERY: stream.ping_every: found \"30\"; allowed: a duration such as \"30s\", \"24h\" or \"30d\", from \
         1s to 5m; did you mean \"30s\"?",
    );
    check(
        "",
        ("SLACKWATER__FEED__KEEP_OBJECTS", "yes"),
        "SLACKWATER__FEED__KEEP_OBJECTS: feed.keep_objects: found \"yes\"; allowed: true or false",
    );
    check(
        "",
        ("SLACKWATER__AUTH__SERVICE_TOKENS", "env:SHORT"),
        "SLACKWATER__AUTH__SERVICE_TOKENS: auth.service_tokens[0]: found a token of 7 bytes; allowed: 16 to 4096 letters, digits and \
         signs, or env:NAME, file:PATH or made:PATH of such",
    );
    check(
        "",
        ("SLACKWATER__HTTP", "x"),
        "SLACKWATER__HTTP: http: found text; allowed: a table",
    );
    check(
        "",
        ("SLACKWATER____LISTEN", "x"),
        "SLACKWATER____LISTEN: found no key; allowed: SLACKWATER__ and a key, such as SLACKWATER__HTTP__LISTEN",
    );
    // What is wrong in the file stays the file's, line and all.
    let both = read_in(
        "[feed]\nlength = 0\nlenght = 1",
        &[("SLACKWATER__FEED__POSTS_KEEP", "1s")],
    );
    let told: Vec<_> = both
        .unwrap_err()
        .0
        .into_iter()
        .map(|it| (it.file, it.line))
        .collect();
    let file = |line| ("s.toml".to_owned(), Some(line));
    assert_eq!(
        told,
        [
            ("SLACKWATER__FEED__POSTS_KEEP".to_owned(), None),
            file(2),
            file(3)
        ]
    );
}

#[test]
fn a_token_that_is_to_be_made_is_one_of_the_backend() {
    let text = "auth.service_tokens = [\"made:/nowhere/to/be/found\"]";
    assert_eq!(right(text).auth.service_tokens.len(), 1);
    check(
        "auth.service_tokens = [\"env:TOKEN\"]\nauth.cursor_key = \"made:key\"",
        "s.toml:2: auth.cursor_key: found made:key, and only auth.service_tokens are made; allowed: a secret of at least 32 bytes, or \
         env:NAME or file:PATH of one",
    );
}
