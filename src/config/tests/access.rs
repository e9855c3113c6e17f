//! `[auth]` and `[http]`: tokens, secrets and addresses.

use super::*;

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

    let token = "allowed: 16 to 4096 letters, digits and signs, or env:NAME, file:PATH or made:PATH of such";
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
    for (url, guess) in [
        ("ftp://home.example/", None),
        ("https://", None),
        ("introspect", None),
        (
            "home.example/introspect",
            Some("https://home.example/introspect"),
        ),
        ("localhost:3000", Some("https://localhost:3000")),
    ] {
        let guess = guess.map(|guess| format!("; did you mean {guess:?}?"));
        check(
            &asked(url),
            &format!(
                "s.toml:3: auth.introspection.url: found {url:?}; allowed: an http or https URL{}",
                guess.unwrap_or_default()
            ),
        );
    }
    let proxies = "allowed: an IP address, or a network such as \"10.0.0.0/8\"";
    check(
        "http.trusted_proxies = [\"10.0.0.1\", \"proxy\"]",
        &format!("s.toml:2: http.trusted_proxies[1]: found \"proxy\"; {proxies}"),
    );
}

#[test]
fn a_backend_is_named_with_all_that_asking_it_needs() {
    let beside = "allowed: upstream = \"http://127.0.0.1:3000\" beside it";
    check(
        "[mastodon]\nstreaming = \"http://127.0.0.1:4000\"\nplain_when_away = true",
        &format!(
            "s.toml:2: mastodon.streaming: found no upstream; {beside}\n\
             s.toml:3: mastodon.plain_when_away: found no upstream; {beside}"
        ),
    );
    check(
        "[mastodon]\nupstream = \"http://127.0.0.1:3000\"",
        "s.toml:2: mastodon.upstream: found ids = \"place\"; allowed: ids = \"ref\" beside it: the backend knows no other ids\n\
         s.toml:2: mastodon.upstream: found no web_domain; allowed: web_domain = \"social.example\" beside it: the backend takes requests for no other host",
    );
    check(
        "[feed]\nkeep_objects = false\n[mastodon]\nids = \"ref\"\nweb_domain = \"a.example\"\nupstream = \"http://127.0.0.1:3000\"\nplain_when_away = true",
        "s.toml:7: mastodon.plain_when_away: found true, and feed.keep_objects = false; allowed: one of the two: without its object there is nothing to show of a post",
    );
    let server = "allowed: an http or https URL of a host and maybe a port, such as \"http://127.0.0.1:3000\"";
    for wrong in [
        "127.0.0.1:3000",
        "http://a.example/api",
        "ftp://a.example",
        "http://me@a.example",
    ] {
        check(
            &format!("[mastodon]\nids = \"ref\"\nweb_domain = \"a.example\"\nupstream = {wrong:?}"),
            &format!("s.toml:4: mastodon.upstream: found {wrong:?}; {server}"),
        );
    }
    check(
        "[mastodon]\nweb_domain = \"https://social.example/\"",
        "s.toml:2: mastodon.web_domain: found \"https://social.example/\"; allowed: a host, such as \"social.example\"; did you mean \"social.example\"?",
    );
    let alone = right("[mastodon]\nweb_domain = \"social.example\"");
    assert_eq!((alone.mastodon.upstream, alone.auth.backend), (None, None));
}

#[test]
fn homes_are_compared_where_both_can_be_read() {
    let tokens = "compare_tokens = [\"good\", \"env:NOT_SET\", \"with space\"]";
    let token = "allowed: an access token of Mastodon's, or env:NAME or file:PATH of one";
    check(
        &format!("[mastodon]\n{tokens}"),
        &format!(
            "s.toml:2: mastodon.compare_tokens: found no upstream; allowed: upstream = \"http://127.0.0.1:3000\" beside it: both homes are read\n\
             s.toml:2: mastodon.compare_tokens: found no database; allowed: database = \"env:SLACKWATER_DATABASE\" beside it: both homes are read\n\
             s.toml:2: mastodon.compare_tokens[1]: found env:NOT_SET, which is not set; {token}\n\
             s.toml:2: mastodon.compare_tokens[2]: found a token with spaces or other characters that no header can hold, or none; {token}"
        ),
    );
    let many: Vec<String> = (0..17).map(|n| format!("\"token{n}\"")).collect();
    check(
        &format!(
            "[mastodon]\nids = \"ref\"\nupstream = \"http://127.0.0.1:3000\"\nweb_domain = \"social.example\"\n\
             database = \"env:SLACKWATER_DATABASE\"\ncompare_tokens = [{}]",
            many.join(", ")
        ),
        "s.toml:6: mastodon.compare_tokens: found a list of 17; allowed: at most 16 tokens",
    );
}

#[test]
fn the_server_behind_an_inbox_is_told_with_how_keys_are_fetched() {
    let config = right(
        "[inbox]\nupstream = \"http://127.0.0.1:3000\"\nallow_addresses = [\"127.0.0.0/8\", \"10.0.0.7\"]\n\
         key = \"env:SLACKWATER_INBOX_KEY\"\nkey_id = \"https://social.example/actor#main-key\"",
    );
    let inbox = config.inbox.unwrap();
    assert_eq!(inbox.upstream.as_str(), "http://127.0.0.1:3000/");
    assert_eq!(inbox.allow_addresses.len(), 2);
    let signing = inbox.signing.unwrap();
    assert_eq!(signing.key_id, "https://social.example/actor#main-key");
    assert_eq!(right("").inbox, None);

    let beside = "allowed: upstream = \"http://127.0.0.1:3000\" beside it";
    check(
        "[inbox]\nallow_addresses = [\"10.0.0.0/8\", \"ten\"]",
        &format!(
            "s.toml:2: inbox.allow_addresses[1]: found \"ten\"; allowed: an IP address, or a network such as \"10.0.0.0/8\"\n\
             s.toml:2: inbox.allow_addresses: found no upstream; {beside}"
        ),
    );
    let upstream = "[inbox]\nupstream = \"http://127.0.0.1:3000\"\n";
    for (keys, told) in [
        (
            "key = \"env:SLACKWATER_INBOX_KEY\"",
            "s.toml:3: inbox.key: found no key_id; allowed: key_id = \"https://social.example/users/ana#main-key\" beside it",
        ),
        (
            "key_id = \"https://social.example/actor#main-key\"",
            "s.toml:3: inbox.key_id: found no key; allowed: key = \"file:PATH\" beside it: the private key",
        ),
        (
            "key = \"hunter2\"\nkey_id = \"https://social.example/actor\"",
            "s.toml:3: inbox.key: found a key that is none; allowed: a private RSA key, PEM (BEGIN PRIVATE KEY), or env:NAME or file:PATH of one",
        ),
        (
            "key = \"env:SLACKWATER_INBOX_KEY\"\nkey_id = \"actor\"",
            "s.toml:4: inbox.key_id: found \"actor\"; allowed: an http or https URL, such as \"https://social.example/users/ana#main-key\"",
        ),
        (
            "[ordering]\nplace = \"ref\"",
            "s.toml:2: inbox.upstream: found ordering.place = \"ref\"; allowed: ordering.place = \"published\" with it: what comes to an inbox has no ref",
        ),
    ] {
        check(&format!("{upstream}{keys}"), told);
    }
}
