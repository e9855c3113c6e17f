//! `[mastodon]`: the choices of Mastodon's API, and the backend that statuses and events are asked of.

use super::Resolver;
use crate::api::backend;
use crate::api::request_headers::is_host;
use crate::config::file;
use crate::config::mistake::quoted;
use crate::mastodon;
use crate::mastodon::UpstreamOptions;
use crate::mastodon::ids::Ids;
use url::Url;

impl Resolver<'_> {
    /// The choices of Mastodon's API, and the address of the backend if it is to be asked. `keep_objects`: whether there is anything to
    /// show without it.
    pub(super) fn mastodon(
        &mut self,
        written: file::Mastodon,
        default: &mastodon::Options,
        keep_objects: bool,
    ) -> (mastodon::Options, Option<backend::Options>) {
        let ids = written.ids.unwrap_or(default.ids);
        let address = self.server("mastodon.upstream", written.upstream.as_deref());
        let streaming = self.server("mastodon.streaming", written.streaming.as_deref());
        let web_domain = self.web_domain(written.web_domain);
        if address.is_some() {
            const KEY: &str = "mastodon.upstream";
            if ids != Ids::Ref && !self.has_mistake_at("mastodon.ids") {
                let allowed = "ids = \"ref\" beside it: the backend knows no other ids";
                self.mistake(KEY, "ids = \"place\"", allowed, None);
            }
            if !self.is_written("mastodon.web_domain") {
                let allowed = "web_domain = \"social.example\" beside it: the backend takes requests for no other host";
                self.mistake(KEY, "no web_domain", allowed, None);
            }
        } else if !self.is_written("mastodon.upstream") {
            for (key, is_written) in [
                ("mastodon.streaming", written.streaming.is_some()),
                (
                    "mastodon.plain_when_away",
                    written.plain_when_away == Some(true),
                ),
            ] {
                if is_written {
                    let allowed = "upstream = \"http://127.0.0.1:3000\" beside it";
                    self.mistake(key, "no upstream", allowed, None);
                }
            }
        }
        if written.plain_when_away == Some(true) && !keep_objects {
            let found = "true, and feed.keep_objects = false";
            let allowed = "one of the two: without its object there is nothing to show of a post";
            self.mistake("mastodon.plain_when_away", found, allowed, None);
        }
        let backend = address.zip(web_domain);
        let options = mastodon::Options {
            ids,
            late_list: written.late_list.unwrap_or(default.late_list),
            upstream: backend.is_some().then(|| UpstreamOptions {
                streaming,
                plain_when_away: written.plain_when_away.unwrap_or(false),
            }),
        };
        let backend = backend.map(|(address, web_domain)| backend::Options {
            address,
            web_domain,
        });
        (options, backend)
    }

    /// The address of a server: its paths are known.
    pub(super) fn server(&mut self, key: &str, written: Option<&str>) -> Option<Url> {
        let written = written?;
        let is_server = |url: &Url| {
            let is_bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
            let has_no_user = url.username().is_empty() && url.password().is_none();
            matches!(url.scheme(), "http" | "https") && url.has_host() && is_bare && has_no_user
        };
        let url = Url::parse(written).ok().filter(is_server);
        if url.is_none() {
            let allowed = "an http or https URL of a host and maybe a port, such as \"http://127.0.0.1:3000\"";
            self.mistake(key, &quoted(written), allowed, None);
        }
        url
    }

    fn web_domain(&mut self, written: Option<String>) -> Option<String> {
        let written = written?;
        if is_host(&written) {
            return Some(written);
        }
        let guess = Url::parse(&written).ok();
        let guess = guess.and_then(|url| url.host_str().map(quoted));
        let allowed = "a host, such as \"social.example\"";
        self.mistake("mastodon.web_domain", &quoted(&written), allowed, guess);
        None
    }
}
