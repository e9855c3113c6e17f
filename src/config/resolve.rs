//! From the file as written to what each module means by it, and the checks that need more than one key.

use super::file::{self, ConfigFile, Span};
use super::mistake::{Mistake, guess, quoted};
use super::secret_text::secret_text;
use super::validate::{Validated, join};
use super::{Auth, Config, Feed, Http, Kafka, Log, Mastodon, Ordering, Stream};
use crate::api::auth::jwt::Algorithm;
use crate::api::auth::secret::Secret;
use crate::api::auth::{introspection, jwt};
use crate::operator::logging;
use crate::post::host::pattern_of;
use crate::post::kafka;
use ipnet::IpNet;
use slackwater_order::window::{
    Auto, LatePolicy, PatternTaken, ReorderWindow, TooLatePolicy, Window,
};
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::{Component, Path, PathBuf};
use std::time::Duration;
use tracing_subscriber::filter::{EnvFilter, LevelFilter};

/// The shortest secret to seal cursors with, in bytes: as long as what is made of it.
const CURSOR_KEY_BYTES_MIN: usize = 32;
/// What stands for no seal among the keys of cursors.
const NO_CURSOR_KEY: &str = "none";

/// What a file means, with what is wrong with it put to the mistakes of `validated`. Where something is wrong, the
/// default stands in, so that the rest can be checked.
pub(super) fn resolve(
    written: ConfigFile,
    validated: &mut Validated,
    file: &str,
    env: &dyn Fn(&str) -> Option<String>,
) -> Config {
    let mut resolver = Resolver {
        validated,
        file,
        env,
    };
    let logging = resolver.logging(written.logging);
    let ordering = resolver.ordering(&written.ordering);
    let auth = resolver.auth(written.auth);
    let http = resolver.http(&written.http);
    let stream = stream(&written.stream);
    let mastodon = Mastodon {
        ids: written.mastodon.ids.unwrap_or_default(),
        late_list: written.mastodon.late_list.unwrap_or(true),
    };
    let feed = feed(written.feed);
    let is_used = written.log.kind == Some(file::Kind::Kafka);
    let kafka = resolver.kafka(written.kafka, is_used);
    let log = resolver.log(written.log, kafka, &feed);
    Config {
        log,
        ordering,
        feed,
        http,
        stream,
        mastodon,
        auth,
        logging,
    }
}

struct Resolver<'a> {
    validated: &'a mut Validated,
    file: &'a str,
    env: &'a dyn Fn(&str) -> Option<String>,
}

impl Resolver<'_> {
    fn log(&mut self, written: file::Log, kafka: Kafka, feed: &Feed) -> Log {
        let Log::BuiltIn {
            path,
            keep,
            bytes_max,
        } = Log::default()
        else {
            return Log::default();
        };
        if written.kind == Some(file::Kind::Kafka) {
            return Log::Kafka(kafka);
        }
        let path = written.path.unwrap_or(path);
        if plain(&path).starts_with(plain(&feed.path)) {
            // The feeds' folder may be deleted to rebuild it from the log, which would then be gone.
            let key = if self.said("feed.path") {
                "feed.path"
            } else {
                "log.path"
            };
            let found = format!("feeds in {:?} and the log in {path:?}", feed.path);
            self.mistake(
                key,
                &found,
                "feeds in a folder that the log is not in",
                None,
            );
        }
        Log::BuiltIn {
            path,
            keep: written.keep.map_or(keep, |Span(keep)| keep),
            bytes_max: written.size_max.map_or(bytes_max, |size| size.0),
        }
    }

    fn kafka(&mut self, written: file::Kafka, is_used: bool) -> Kafka {
        let default = Kafka::default();
        let mut client = BTreeMap::new();
        for (name, file::Setting(value)) in written.client {
            match secret_text(&value, self.env) {
                Ok(value) => {
                    client.insert(name, value);
                }
                Err(found) => {
                    let key = join("kafka.client", &name);
                    self.mistake(
                        &key,
                        &found,
                        "a variable that is set, a file that can be read",
                        None,
                    );
                }
            }
        }
        let kafka = Kafka {
            brokers: written.brokers.unwrap_or(default.brokers),
            activities: written.activities.unwrap_or(default.activities),
            relationships: written.relationships.unwrap_or(default.relationships),
            dead_letters: written.dead_letters.unwrap_or(default.dead_letters),
            group: written.group.unwrap_or(default.group),
            client,
        };
        let topics = [
            ("kafka.activities", &kafka.activities),
            ("kafka.relationships", &kafka.relationships),
            ("kafka.dead_letters", &kafka.dead_letters),
        ];
        for (nth, (key, topic)) in topics.iter().enumerate() {
            if let Some((other, _)) = topics.iter().take(nth).find(|(_, it)| it == topic) {
                let key = if self.said(key) { key } else { other };
                let found = format!("{}, another's topic too", quoted(topic));
                self.mistake(key, &found, "a topic of its own", None);
            }
        }
        self.brokers(&kafka.brokers);
        self.client(&kafka, is_used);
        kafka
    }

    fn brokers(&mut self, brokers: &[String]) {
        for (nth, broker) in brokers.iter().enumerate() {
            // librdkafka takes several in one text too, each maybe with its protocol.
            for one in broker.split(',').map(str::trim) {
                let address = one.split_once("://").map_or(one, |(_, address)| address);
                if is_host_and_port(address) {
                    continue;
                }
                let guess = [format!("{address}:9092"), format!("[{address}]:9092")];
                let guess = guess.into_iter().find(|guess| is_host_and_port(guess));
                let key = format!("kafka.brokers[{nth}]");
                let allowed = "a host and a port such as \"kafka1:9092\"";
                self.mistake(&key, &quoted(one), allowed, guess.map(|it| quoted(&it)));
            }
        }
    }

    fn client(&mut self, kafka: &Kafka, is_used: bool) {
        let mut wrong = kafka::wrong_settings(&kafka.client);
        let is_whole = !self.complained("kafka.client") && !self.complained("kafka");
        if wrong.is_empty() && is_used && is_whole {
            wrong.extend(kafka::wrong_together(&kafka::Options::from(kafka)));
        }
        for wrong in wrong {
            let key = match &wrong.name {
                Some(name) => join("kafka.client", name),
                None => "kafka.client".to_owned(),
            };
            let guess = wrong.guess.map(|name| join("kafka.client", name));
            self.mistake(&key, &wrong.found, &wrong.allowed, guess);
        }
    }

    fn ordering(&mut self, written: &file::Ordering) -> Ordering {
        let default = Ordering::default();
        let mut windows = default.windows;
        windows.auto = self.auto(&written.auto);
        if let Some(Span(skew)) = written.clock_skew {
            windows.clock_skew = skew;
        }
        let said = file::Origin {
            reorder_window: written.reorder_window,
            allowed_lateness: written.allowed_lateness,
            late: written.late,
            too_late: written.too_late,
        };
        windows.default = self.window("ordering", &said, windows.default);
        let mut origins: Vec<_> = written
            .origin
            .iter()
            .map(|(name, origin)| (join("ordering.origin", name), name, origin))
            .collect();
        // In the order of the file, so that of two the later is told that it is the second.
        origins.sort_by_key(|(key, ..)| self.validated.lines.get(key).copied());
        for (key, name, origin) in origins {
            let window = self.window(&key, origin, windows.default);
            match pattern_of(name).map(|pattern| windows.set(pattern, window)) {
                Some(Ok(())) => {}
                None => {
                    let guess = host_in(name).map(|host| join("ordering.origin", &host));
                    let allowed =
                        "a host such as \"threads.net\", or \"*.example\" for all below it";
                    // A host in tables, `origin.threads.net`, was complained of already.
                    if !self.complained(&key) {
                        self.mistake(&key, &quoted(name), allowed, guess);
                    }
                }
                Some(Err(PatternTaken)) => {
                    self.mistake(&key, "an origin named before", "each origin once", None);
                }
            }
        }
        Ordering {
            windows,
            patience: written.patience.map_or(default.patience, |it| it.0),
        }
    }

    fn auto(&mut self, written: &file::Auto) -> Auto {
        let default = Auto::default();
        let auto = Auto {
            quantile: written.quantile.unwrap_or(default.quantile),
            min: written.min.map_or(default.min, |it| it.0),
            max: written.max.map_or(default.max, |it| it.0),
        };
        if auto.min <= auto.max {
            return auto;
        }
        let shown = |it| humantime::format_duration(it).to_string();
        let (key, found, allowed) = if self.said("ordering.auto.max") {
            (
                "ordering.auto.max",
                auto.max,
                format!("at least ordering.auto.min, {}", shown(auto.min)),
            )
        } else {
            (
                "ordering.auto.min",
                auto.min,
                format!("at most ordering.auto.max, {}", shown(auto.max)),
            )
        };
        self.mistake(key, &quoted(&shown(found)), &allowed, None);
        default
    }

    /// The windows that the table `key` gives, `otherwise` standing in for what it leaves out.
    fn window(&mut self, key: &str, written: &file::Origin, otherwise: Window) -> Window {
        let window = Window {
            reorder_window: written
                .reorder_window
                .map_or(otherwise.reorder_window, |it| it.0),
            allowed_lateness: written
                .allowed_lateness
                .map_or(otherwise.allowed_lateness, |it| it.0),
            late: written.late.unwrap_or(otherwise.late),
            too_late: written.too_late.unwrap_or(otherwise.too_late),
        };
        let is_learned = window.reorder_window == ReorderWindow::Auto;
        let surfaces = is_learned && window.late == LatePolicy::Surface;
        let drops = is_learned && window.too_late == TooLatePolicy::Drop;
        for (is_mistaken, name, word, instead, is_said) in [
            (
                surfaces,
                "late",
                "surface",
                "reorder",
                written.late.is_some(),
            ),
            (
                drops,
                "too_late",
                "drop",
                "bury",
                written.too_late.is_some(),
            ),
        ] {
            // Where the table only takes over both, that was said of the table it takes them from.
            let key = match (is_said, written.reorder_window.is_some()) {
                _ if !is_mistaken => continue,
                (true, _) => join(key, name),
                (false, true) => join(key, "reorder_window"),
                (false, false) => continue,
            };
            let found = format!("{name} = {word:?} with reorder_window = \"auto\"");
            let allowed = format!(
                "{word:?} with a reorder_window that is a duration, as a window that is learned must not move places; \
                 or {name} = {instead:?}"
            );
            self.mistake(&key, &found, &allowed, None);
        }
        window
    }

    fn http(&mut self, written: &file::Http) -> Http {
        let mut http = Http::default();
        if let Some(text) = &written.listen {
            match text.parse::<SocketAddr>() {
                Ok(listen) => http.listen = listen,
                Err(_) => {
                    let guess = [
                        text.replace("localhost", "127.0.0.1"),
                        format!("{text}:8787"),
                    ]
                    .into_iter()
                    .find(|guess| guess.parse::<SocketAddr>().is_ok());
                    let allowed = "an IP address and a port such as \"127.0.0.1:8787\"";
                    self.mistake(
                        "http.listen",
                        &quoted(text),
                        allowed,
                        guess.map(|it| quoted(&it)),
                    );
                }
            }
        }
        if !http.listen.ip().to_canonical().is_loopback() && !self.said("auth") {
            let found = format!("\"{}\", where anyone could act as the backend", http.listen);
            let allowed = "a loopback address; any other once [auth] has service_tokens";
            self.mistake("http.listen", &found, allowed, None);
        }
        Http {
            requests_max: written.requests_max.unwrap_or(http.requests_max),
            request_timeout: written
                .request_timeout
                .map_or(http.request_timeout, |it| it.0),
            requests_per_minute: written
                .requests_per_minute
                .unwrap_or(http.requests_per_minute),
            trusted_proxies: self
                .trusted_proxies(written)
                .unwrap_or(http.trusted_proxies),
            ..http
        }
    }

    fn trusted_proxies(&mut self, written: &file::Http) -> Option<Vec<IpNet>> {
        let mut proxies = Vec::new();
        for (nth, text) in written.trusted_proxies.as_ref()?.iter().enumerate() {
            let address = || text.parse::<IpAddr>().map(IpNet::from);
            match text.parse::<IpNet>().or_else(|_| address()) {
                Ok(network) => proxies.push(network),
                Err(_) => {
                    let key = format!("http.trusted_proxies[{nth}]");
                    let allowed = "an IP address, or a network such as \"10.0.0.0/8\"";
                    self.mistake(&key, &quoted(text), allowed, None);
                }
            }
        }
        Some(proxies)
    }

    fn auth(&mut self, written: Option<file::Auth>) -> Auth {
        const KEY: &str = "auth.service_tokens";
        let mut auth = Auth::default();
        let Some(written) = written else { return auth };
        // Of a table in which something is wrong, what is missing is told when that is mended.
        if !self.said(KEY) && !self.complained("auth") {
            // An [auth] that lets anyone in is hardly what was meant by it.
            let allowed = "at least one token, or no [auth] at all";
            self.mistake("auth", "no service_tokens", allowed, None);
        }
        let tokens = written.service_tokens.unwrap_or_default();
        for (nth, file::SecretText(text)) in tokens.iter().enumerate() {
            let allowed = "16 to 4096 letters, digits and signs, or env:NAME or file:PATH of such";
            let found = match secret_text(text, self.env) {
                Err(found) => found,
                Ok(token) if !(16..=4096).contains(&token.len()) => {
                    format!("a token of {} bytes", token.len())
                }
                Ok(token) if !token.bytes().all(|b| b.is_ascii_graphic()) => {
                    "a token with spaces or other characters that no header can hold".to_owned()
                }
                Ok(token) => {
                    auth.service_tokens.push(Secret::new(&token));
                    continue;
                }
            };
            self.mistake(&format!("{KEY}[{nth}]"), &found, allowed, None);
        }
        auth.public_feeds_open = written.public_feeds_open.unwrap_or_default();
        auth.cursor_keys = match written.cursor_key {
            None => Vec::new(),
            Some(written) => self.cursor_keys(&written),
        };
        auth.jwt = written.jwt.and_then(|written| self.jwt(written));
        auth.introspection = written
            .introspection
            .and_then(|written| self.introspection(written));
        auth
    }

    fn cursor_keys(&mut self, written: &file::CursorKeys) -> Vec<Option<Secret>> {
        const KEY: &str = "auth.cursor_key";
        let texts = match written {
            file::CursorKeys::One(text) => return vec![self.cursor_key(KEY, text)],
            file::CursorKeys::Several(texts) => texts,
        };
        let is_none = |file::SecretText(text): &file::SecretText| text == NO_CURSOR_KEY;
        let max = file::CURSOR_KEYS_MAX;
        if max < texts.len() {
            let found = format!("a list of {}", texts.len());
            self.mistake(KEY, &found, &format!("at most {max} keys"), None);
        } else if !texts.is_empty() && texts.iter().all(is_none) {
            let allowed = "at least one key beside \"none\", or no auth.cursor_key at all";
            self.mistake(KEY, "no key", allowed, None);
        }
        let keys = texts
            .iter()
            .enumerate()
            .map(|(nth, text)| match is_none(text) {
                true => None,
                false => self.cursor_key(&format!("{KEY}[{nth}]"), text),
            });
        keys.collect()
    }

    fn cursor_key(
        &mut self,
        key: &str,
        file::SecretText(text): &file::SecretText,
    ) -> Option<Secret> {
        let found = match secret_text(text, self.env) {
            Ok(key) if CURSOR_KEY_BYTES_MIN <= key.len() => return Some(Secret::new(&key)),
            Ok(key) => format!("a key of {} bytes", key.len()),
            Err(found) => found,
        };
        let allowed = "a secret of at least 32 bytes, or env:NAME or file:PATH of one";
        self.mistake(key, &found, allowed, None);
        None
    }

    fn jwt(&mut self, written: file::Jwt) -> Option<jwt::Options> {
        let Some(algorithm) = written.algorithm else {
            if !self.complained("auth.jwt") {
                let allowed = "algorithm = \"HS256\", \"RS256\" or \"EdDSA\"";
                self.mistake("auth.jwt", "no algorithm", allowed, None);
            }
            return None;
        };
        let Some(file::SecretText(text)) = &written.key else {
            if !self.complained("auth.jwt") {
                let allowed =
                    "key: the shared secret, or the public key that tokens are checked with";
                self.mistake("auth.jwt", "no key", allowed, None);
            }
            return None;
        };
        let key = secret_text(text, self.env).and_then(|key| {
            let jwt = jwt::Options {
                algorithm,
                key: Secret::new(&key),
                issuer: written.issuer,
                audience: written.audience,
            };
            match jwt.decoding_key() {
                Ok(_) => Ok(jwt),
                Err(_) => Err(format!("a key that is none for {}", algorithm.name())),
            }
        });
        let allowed = match algorithm {
            Algorithm::Hs256 => "a secret of at least 32 bytes, or env:NAME or file:PATH of one",
            Algorithm::Rs256 => {
                "an RSA public key, PEM (BEGIN PUBLIC KEY), or env:NAME or file:PATH of one"
            }
            Algorithm::EdDsa => {
                "an Ed25519 public key, PEM (BEGIN PUBLIC KEY), or env:NAME or file:PATH of one"
            }
        };
        key.map_err(|found| self.mistake("auth.jwt.key", &found, allowed, None))
            .ok()
    }

    fn introspection(&mut self, written: file::Introspection) -> Option<introspection::Options> {
        const KEY: &str = "auth.introspection";
        let missing = [
            ("url", written.url.is_none()),
            ("client_id", written.client_id.is_none()),
            ("client_secret", written.client_secret.is_none()),
        ];
        let missing = missing.into_iter().filter(|(_, is_missing)| *is_missing);
        let missing: Vec<&str> = missing.map(|(key, _)| key).collect();
        if !missing.is_empty() && !self.complained(KEY) {
            let found = format!("no {}", missing.join(", no "));
            self.mistake(KEY, &found, "url, client_id and client_secret", None);
        }
        let (url, secret) = (written.url?, written.client_secret?);
        let allowed = "an http or https URL";
        let url = match url::Url::parse(&url) {
            Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => Some(url),
            _ => {
                self.mistake(&join(KEY, "url"), &quoted(&url), allowed, None);
                None
            }
        };
        let secret = match secret_text(&secret.0, self.env) {
            Ok(secret) => Some(Secret::new(&secret)),
            Err(found) => {
                let allowed = "a variable that is set, a file that can be read";
                self.mistake(&join(KEY, "client_secret"), &found, allowed, None);
                None
            }
        };
        Some(introspection::Options {
            url: url?,
            client_id: written.client_id?,
            client_secret: secret?,
            remember: written.remember.map_or(Duration::from_secs(25), |it| it.0),
        })
    }

    fn logging(&mut self, written: file::Logging) -> logging::Options {
        let mut logging = logging::Options::default();
        if let Some(level) = written.level {
            match wrong_level(&level) {
                None => logging.level = level,
                Some(guess) => {
                    let allowed =
                        "off, error, warn, info, debug or trace, and module=level, between commas";
                    self.mistake("logging.level", &quoted(&level), allowed, guess);
                }
            }
        }
        logging.format = written.format.unwrap_or(logging.format);
        logging
    }

    /// Whether the file has this key, right or wrong.
    fn said(&self, key: &str) -> bool {
        self.validated.lines.contains_key(key)
    }

    fn complained(&self, key: &str) -> bool {
        let below = |it: &Mistake| {
            it.key
                .strip_prefix(key)
                .is_some_and(|rest| rest.starts_with('.'))
        };
        self.validated.mistakes.iter().any(below)
    }

    fn mistake(&mut self, key: &str, found: &str, allowed: &str, guess: Option<String>) {
        self.validated.mistakes.push(Mistake {
            file: self.file.to_owned(),
            line: self.validated.lines.get(key).copied(),
            key: key.to_owned(),
            found: found.to_owned(),
            allowed: allowed.to_owned(),
            guess,
        });
    }
}

fn stream(written: &file::Stream) -> Stream {
    let default = Stream::default();
    let span = |written: Option<Span>, default| written.map_or(default, |it| it.0);
    Stream {
        connections_max: written.connections_max.unwrap_or(default.connections_max),
        connections_per_account_max: written
            .connections_per_account_max
            .unwrap_or(default.connections_per_account_max),
        connections_per_address_max: written
            .connections_per_address_max
            .unwrap_or(default.connections_per_address_max),
        horizon_every: span(written.horizon_every, default.horizon_every),
        ping_every: span(written.ping_every, default.ping_every),
        send_timeout: span(written.send_timeout, default.send_timeout),
        live_max_age: span(written.live_max_age, default.live_max_age),
    }
}

fn feed(written: file::Feed) -> Feed {
    let default = Feed::default();
    Feed {
        path: written.path.unwrap_or(default.path),
        length: written.length.unwrap_or(default.length),
        boost_repeat_after: written
            .boost_repeat_after
            .map_or(default.boost_repeat_after, |it| it.0),
        posts_keep: written.posts_keep.map_or(default.posts_keep, |it| it.0),
        stubs_keep: written.stubs_keep.map_or(default.stubs_keep, |it| it.0),
        removals_keep: written
            .removals_keep
            .map_or(default.removals_keep, |it| it.0),
        inactive_after: written
            .inactive_after
            .map_or(default.inactive_after, |it| it.0),
        unflushed_entries_max: written
            .unflushed_entries_max
            .map_or(default.unflushed_entries_max, |it| it.0),
        unflushed_bytes_max: written
            .unflushed_bytes_max
            .map_or(default.unflushed_bytes_max, |it| it.0),
        cache_bytes: written.cache_bytes.map_or(default.cache_bytes, |it| it.0),
        replay_max: written.replay_max.map_or(default.replay_max, |it| it.0),
        checkpoint_every: written
            .checkpoint_every
            .map_or(default.checkpoint_every, |it| it.0),
    }
}

/// If this is no filter for log lines: what was probably meant. A lone word that is no level would be one, everything
/// of a module so named; it is far more likely a level with a slip in it.
fn wrong_level(level: &str) -> Option<Option<String>> {
    const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];
    let unknown = level
        .split(',')
        .map(str::trim)
        .filter(|part| !part.contains(['=', '[']))
        .find(|part| part.is_empty() || part.parse::<LevelFilter>().is_err());
    match unknown {
        Some(part) => Some(guess(part, LEVELS.into_iter()).map(quoted)),
        None => EnvFilter::builder().parse(level).is_err().then_some(None),
    }
}

/// Whether this is a host, as a name or an address, and a port.
fn is_host_and_port(text: &str) -> bool {
    let Some((host, port)) = text.rsplit_once(':') else {
        return false;
    };
    let is_address = |host: &str| host.parse::<std::net::Ipv6Addr>().is_ok();
    let bracketed = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    let is_host = match bracketed {
        Some(address) => is_address(address),
        None => {
            let legal = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
            !host.is_empty() && host.chars().all(legal)
        }
    };
    is_host && port.parse::<u16>().is_ok_and(|port| 0 < port)
}

/// A path without the `.` in it, to be compared.
fn plain(path: &Path) -> PathBuf {
    path.components()
        .filter(|part| *part != Component::CurDir)
        .collect()
}

/// The host in something that has one, but is more than one.
fn host_in(name: &str) -> Option<String> {
    let host = match name.rsplit_once('@') {
        Some((_, host)) => host.to_owned(),
        None if name.contains("://") => crate::post::host::origin_of(name)?,
        None => return None,
    };
    pattern_of(&host).is_some().then_some(host)
}
