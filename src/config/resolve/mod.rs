//! From the file as written to the options that each module takes, and the checks that need more than one key.

mod auth;
mod cluster;
mod compare;
mod connector;
mod feed;
mod http;
mod inbox;
mod log;
mod logging;
mod made_token;
mod mastodon;
mod ordering;
pub(super) mod secret_text;

use super::file::{ConfigFile, LogKind, Span};
use super::mistake::Mistake;
use super::validate::Validated;
use super::{Config, Environment};
use std::time::Duration;

/// The options that `written` asks for. Mistakes go to those of `validated`; where something is wrong, the default stands in, so
/// that the rest can be checked.
pub(super) fn resolve(
    written: ConfigFile,
    validated: &mut Validated,
    file: &str,
    environment: &Environment<'_>,
) -> Config {
    let mut resolver = Resolver {
        validated,
        file,
        environment,
    };
    let default = Config::defaults(environment.memory_bytes);
    let logging = resolver.logging(written.logging);
    let mut pipeline = feed::pipeline(&written.feed, default.pipeline);
    pipeline.engine.windows = resolver.windows(&written.ordering, pipeline.engine.windows);
    pipeline.engine.place_source = resolver.place_source(&written.ordering);
    if let Some(patience) = written.ordering.patience {
        pipeline.engine.patience = patience.0;
    }
    let (mut auth, cursor_keys) = resolver.auth(written.auth);
    let listen = resolver.listen(&written.http, default.listen);
    let api = resolver.api(&written.http, &written.stream, default.api);
    let connector = resolver.connector(&written.mastodon);
    let inbox = resolver.inbox(&written.inbox, pipeline.engine.place_source);
    let compare = resolver.compare(&written.mastodon);
    let (mastodon, backend) = resolver.mastodon(
        written.mastodon,
        &default.mastodon,
        pipeline.engine.keep_objects,
    );
    auth.backend = backend;
    let store = feed::store(&written.feed, default.store);
    let is_kafka = written.log.kind == Some(LogKind::Kafka);
    let tokens = &auth.service_tokens;
    let cluster = resolver.cluster(written.cluster, is_kafka, listen, tokens);
    let mut log = resolver.log(written.log, written.kafka, &store.path);
    if let (crate::log::Options::Kafka(kafka), Some(cluster)) = (&mut log, &cluster) {
        kafka.node = Some(cluster.node.clone());
    }
    Config {
        log,
        cluster,
        store,
        pipeline,
        listen,
        api,
        mastodon,
        connector,
        compare,
        inbox,
        auth,
        cursor_keys,
        logging,
    }
}

/// Makes options of tables, and adds to the mistakes of the file.
struct Resolver<'a> {
    validated: &'a mut Validated,
    file: &'a str,
    environment: &'a Environment<'a>,
}

impl Resolver<'_> {
    /// Whether the file or the environment has this key, right or wrong.
    fn is_written(&self, key: &str) -> bool {
        let Validated {
            lines, variables, ..
        } = &*self.validated;
        lines.contains_key(key) || variables.contains_key(key)
    }

    /// Whether the value of this key is wrong.
    fn has_mistake_at(&self, key: &str) -> bool {
        self.validated.mistakes.iter().any(|it| it.key == key)
    }

    /// Whether something below this key is wrong.
    fn has_mistake_below(&self, key: &str) -> bool {
        let below = |it: &Mistake| {
            it.key
                .strip_prefix(key)
                .is_some_and(|rest| rest.starts_with('.'))
        };
        self.validated.mistakes.iter().any(below)
    }

    fn mistake(&mut self, key: &str, found: &str, allowed: &str, guess: Option<String>) {
        let variable = self.validated.variables.get(key);
        let line = self.validated.lines.get(key).copied();
        self.validated.mistakes.push(Mistake {
            file: variable.map_or_else(|| self.file.to_owned(), Clone::clone),
            line: line.filter(|_| variable.is_none()),
            key: key.to_owned(),
            found: found.to_owned(),
            allowed: allowed.to_owned(),
            guess,
        });
    }
}

fn duration(written: Option<Span>, default: Duration) -> Duration {
    written.map_or(default, |Span(duration)| duration)
}
