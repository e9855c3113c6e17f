//! `mastodon.compare_tokens`: the accounts whose homes are compared with Mastodon's own every day.

use super::Resolver;
use super::secret_text::secret_text;
use crate::api::auth::token::Token;
use crate::compare::daily::{self, TOKENS_MAX};
use crate::config::file::{self, SecretText};

impl Resolver<'_> {
    /// The tokens of those accounts.
    pub(super) fn compare(&mut self, written: &file::Mastodon) -> daily::Options {
        const KEY: &str = "mastodon.compare_tokens";
        let mut options = daily::Options::default();
        let Some(texts) = &written.compare_tokens else {
            return options;
        };
        for (key, is_there, example) in [
            (
                "upstream",
                written.upstream.is_some(),
                "http://127.0.0.1:3000",
            ),
            (
                "database",
                written.database.is_some(),
                "env:SLACKWATER_DATABASE",
            ),
        ] {
            if !is_there && !self.is_written(&format!("mastodon.{key}")) {
                let allowed = format!("{key} = \"{example}\" beside it: both homes are read");
                self.mistake(KEY, &format!("no {key}"), &allowed, None);
            }
        }
        if TOKENS_MAX < texts.len() {
            let found = format!("a list of {}", texts.len());
            self.mistake(KEY, &found, &format!("at most {TOKENS_MAX} tokens"), None);
        }
        for (nth, SecretText(text)) in texts.iter().enumerate() {
            let found = match secret_text(text, self.environment) {
                Err(found) => found,
                Ok(text) => match Token::new(&text) {
                    Some(token) => {
                        options.tokens.push(token);
                        continue;
                    }
                    None => {
                        "a token with spaces or other characters that no header can hold, or none"
                            .to_owned()
                    }
                },
            };
            let allowed = "an access token of Mastodon's, or env:NAME or file:PATH of one";
            self.mistake(&format!("{KEY}[{nth}]"), &found, allowed, None);
        }
        options
    }
}
