//! `[inbox]`: the backend whose inboxes are passed on to, and how keys are fetched.

use super::Resolver;
use super::http::network;
use super::secret_text::secret_text;
use crate::api::auth::secret::Secret;
use crate::config::file::{self, SecretText};
use crate::config::mistake::quoted;
use crate::inbox::signing_key::SigningKey;
use crate::inbox::{Options, SigningOptions};
use ipnet::IpNet;
use slackwater_engine::id;
use slackwater_order::ref_place::PlaceSource;

impl Resolver<'_> {
    /// The backend whose inboxes are passed on to, if there is one.
    pub(super) fn inbox(
        &mut self,
        written: &file::Inbox,
        place_source: PlaceSource,
    ) -> Option<Options> {
        const KEY: &str = "inbox.upstream";
        let upstream = self.server(KEY, written.upstream.as_deref());
        let allow_addresses = self.allowed_networks(written);
        let signing = self.signing(written);
        if !self.is_written(KEY) {
            for key in ["inbox.allow_addresses", "inbox.key", "inbox.key_id"] {
                if self.is_written(key) && !self.has_mistake_at(key) {
                    let allowed = "upstream = \"http://127.0.0.1:3000\" beside it";
                    self.mistake(key, "no upstream", allowed, None);
                }
            }
        } else if place_source == PlaceSource::Ref {
            let allowed =
                "ordering.place = \"published\" with it: what comes to an inbox has no ref";
            self.mistake(KEY, "ordering.place = \"ref\"", allowed, None);
        }
        Some(Options {
            upstream: upstream?,
            allow_addresses,
            signing,
        })
    }

    fn allowed_networks(&mut self, written: &file::Inbox) -> Vec<IpNet> {
        let mut networks = Vec::new();
        for (nth, text) in written.allow_addresses.iter().flatten().enumerate() {
            match network(text) {
                Some(network) => networks.push(network),
                None => {
                    let key = format!("inbox.allow_addresses[{nth}]");
                    let allowed = "an IP address, or a network such as \"10.0.0.0/8\"";
                    self.mistake(&key, &quoted(text), allowed, None);
                }
            }
        }
        networks
    }

    fn signing(&mut self, written: &file::Inbox) -> Option<SigningOptions> {
        let (key, key_id) = match (&written.key, &written.key_id) {
            (None, None) => return None,
            (Some(key), Some(key_id)) => (key, key_id),
            (Some(_), None) => {
                if !self.has_mistake_at("inbox.key_id") {
                    let allowed =
                        "key_id = \"https://social.example/users/ana#main-key\" beside it";
                    self.mistake("inbox.key", "no key_id", allowed, None);
                }
                return None;
            }
            (None, Some(_)) => {
                if !self.has_mistake_at("inbox.key") {
                    let allowed = "key = \"file:PATH\" beside it: the private key";
                    self.mistake("inbox.key_id", "no key", allowed, None);
                }
                return None;
            }
        };
        let is_id = id::check("inbox.key_id", key_id).is_ok() && !key_id.contains('"');
        if !is_id {
            let allowed =
                "an http or https URL, such as \"https://social.example/users/ana#main-key\"";
            self.mistake("inbox.key_id", &quoted(key_id), allowed, None);
        }
        let SecretText(text) = key;
        let found = match secret_text(text, self.environment) {
            Err(found) => found,
            Ok(key) => {
                let options = SigningOptions {
                    key: Secret::new(&key),
                    key_id: key_id.clone(),
                };
                match SigningKey::new(&options) {
                    Ok(_) => return is_id.then_some(options),
                    Err(_) => "a key that is none".to_owned(),
                }
            }
        };
        let allowed = "a private RSA key, PEM (BEGIN PRIVATE KEY), or env:NAME or file:PATH of one";
        self.mistake("inbox.key", &found, allowed, None);
        None
    }
}
