//! `mastodon.database`: where Mastodon's own database is.

use super::Resolver;
use super::secret_text::secret_text;
use crate::api::auth::secret::Secret;
use crate::config::file::{self, SecretText};
use crate::connector::{self, database_url};

impl Resolver<'_> {
    /// Where Mastodon's database is, if there is one to read.
    pub(super) fn connector(&mut self, written: &file::Mastodon) -> connector::Options {
        let Some(SecretText(text)) = &written.database else {
            return connector::Options::default();
        };
        if written.web_domain.is_none() && !self.has_mistake_at("mastodon.web_domain") {
            let allowed =
                "web_domain = \"social.example\" beside it: local accounts' ids are made of it";
            self.mistake("mastodon.database", "no web_domain", allowed, None);
        }
        let found = match secret_text(text, self.environment) {
            Err(found) => found,
            Ok(address) => match database_url::check(&address) {
                Ok(()) => {
                    return connector::Options {
                        database: Some(Secret::new(&address)),
                        web_domain: written.web_domain.clone().unwrap_or_default(),
                    };
                }
                Err(wrong) => wrong.to_string(),
            },
        };
        let allowed =
            "postgres://USER:PASSWORD@HOST:5432/DATABASE, or env:NAME or file:PATH of one";
        self.mistake("mastodon.database", &found, allowed, None);
        connector::Options::default()
    }
}
