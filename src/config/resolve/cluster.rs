//! `[cluster]`: this node among others.

use super::secret_text::secret_text;
use super::{Resolver, duration};
use crate::api::auth::secret::Secret;
use crate::cluster::{Assignment, Options};
use crate::config::file::{self, SecretText};
use crate::config::mistake::quoted;
use slackwater_cluster::beat::is_name;
use std::net::SocketAddr;
use url::Url;

/// The shortest secret between nodes, in bytes.
const SECRET_BYTES_MIN: usize = 16;

impl Resolver<'_> {
    /// This node among others, if it is one of several. It needs Kafka, an address that others reach (`listen` if nothing else is
    /// written), and a secret that is none of `service_tokens`.
    pub(super) fn cluster(
        &mut self,
        written: Option<file::Cluster>,
        is_kafka: bool,
        listen: SocketAddr,
        service_tokens: &[Secret],
    ) -> Option<Options> {
        let written = written?;
        if self.has_mistake_below("cluster") {
            return None;
        }
        if !is_kafka {
            let allowed = "log.kind = \"kafka\" with it: nodes share one log";
            self.mistake("cluster", "the built-in log", allowed, None);
        }
        let secret = match &written.secret {
            Some(secret) => self.cluster_secret(secret, service_tokens),
            None => self.cluster_lacks("secret", "secret = \"env:SLACKWATER_CLUSTER\""),
        };
        let node = match written.node {
            Some(node) if is_name(&node) => Some(node),
            Some(node) => {
                let (found, allowed) = (quoted(&node), "1 to 32 of a-z, 0-9 and -");
                let guess = node.to_lowercase().replace(['_', '.', ' '], "-");
                let guess = is_name(&guess).then(|| quoted(&guess));
                self.mistake("cluster.node", &found, allowed, guess);
                None
            }
            None => self.cluster_lacks("node", "node = \"a\""),
        };
        let advertise = match &written.advertise {
            Some(text) => self.advertised(text),
            None if listen.ip().is_unspecified() => {
                let allowed =
                    "advertise = \"http://10.0.0.1:8787\" beside it: where others reach this node";
                let found = format!("no advertise, and http.listen is \"{listen}\"");
                self.mistake("cluster", &found, allowed, None);
                None
            }
            None => None,
        };
        let default = Options::new(&node?, secret?);
        Some(Options {
            advertise,
            standbys: written.standbys.unwrap_or(default.standbys),
            lease: duration(written.lease, default.lease),
            session_timeout: duration(written.session_timeout, default.session_timeout),
            assignment: match written.assignment {
                None | Some(file::Assignment::Group) => Assignment::Group,
                Some(file::Assignment::Rendezvous) => Assignment::Rendezvous,
            },
            ..default
        })
    }

    fn cluster_lacks<T>(&mut self, key: &str, example: &str) -> Option<T> {
        let (found, allowed) = (format!("no {key}"), format!("{example} in it"));
        self.mistake("cluster", &found, &allowed, None);
        None
    }

    fn cluster_secret(
        &mut self,
        SecretText(written): &SecretText,
        service_tokens: &[Secret],
    ) -> Option<Secret> {
        let found = match secret_text(written, self.environment).map(|text| Secret::new(&text)) {
            // Backends have those, and whoever has this may act as anybody.
            Ok(secret) if service_tokens.contains(&secret) => {
                "one of auth.service_tokens".to_owned()
            }
            Ok(secret) if SECRET_BYTES_MIN <= secret.reveal().len() => return Some(secret),
            Ok(secret) => format!("{} bytes", secret.reveal().len()),
            Err(found) => found,
        };
        let allowed = "at least 16 bytes of its own, such as `openssl rand -hex 32` gives";
        self.mistake("cluster.secret", &found, allowed, None);
        None
    }

    fn advertised(&mut self, text: &str) -> Option<Url> {
        let url = Url::parse(text).ok();
        let is_bare = |url: &Url| {
            let rest = [url.query(), url.fragment(), url.password()];
            url.path() == "/" && rest.iter().all(Option::is_none) && url.username().is_empty()
        };
        let is_right = |url: &Url| url.scheme() == "http" && url.has_host() && is_bare(url);
        let right = url.filter(is_right);
        if right.is_none() {
            let guess = format!("http://{text}");
            let guess = Url::parse(&guess)
                .is_ok_and(|url| is_right(&url))
                .then_some(guess);
            let allowed = "an http URL without a path, such as \"http://10.0.0.1:8787\"";
            let guess = guess.map(|it| quoted(&it));
            self.mistake("cluster.advertise", &quoted(text), allowed, guess);
        }
        right
    }
}
