//! Mistakes of any key: their texts, lines and guesses.

use super::*;

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
s.toml:4: ordering.reorder_windw: found an unknown key; allowed: allowed_lateness, auto, clock_skew, late, origin, patience, place, reorder_window, too_late; did you mean reorder_window?
s.toml:5: ordering.clock_skew: found 30; allowed: a duration such as "30s", "24h" or "30d", from 0s to 1h; did you mean "30s"?
s.toml:7: feed.length: found 0; allowed: a whole number from 1 to 100000
s.toml:8: feed.posts_keep: found "1 fortnight"; allowed: a duration such as "30s", "24h" or "30d", from 1h to 10y
s.toml:10: http.listen: found "0.0.0.0:8787", where anyone could act as the backend; allowed: a loopback address; any other once [auth] has service_tokens
s.toml:11: speed: found an unknown key; allowed: auth, cluster, feed, http, inbox, kafka, log, logging, mastodon, ordering, stream"#,
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
        "s.toml:1: ordering.reorder: found an unknown key; allowed: allowed_lateness, auto, clock_skew, late, origin, patience, place, reorder_window, too_late",
    );
    check(
        "ordering.quantile = 0.9",
        "s.toml:1: ordering.quantile: found an unknown key; allowed: allowed_lateness, auto, clock_skew, late, origin, patience, place, reorder_window, too_late; did you mean ordering.auto.quantile?",
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
