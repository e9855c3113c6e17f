//! The ids that other servers know accounts and posts by. Remote ones are stored; those of local accounts are made of what Mastodon
//! makes them of.

use super::rows::{AccountRow, ReferredPost};

/// Where this instance is, as ids have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instance {
    /// `https://` and the web domain.
    base: String,
}

impl Instance {
    /// The instance with this web domain.
    pub fn new(web_domain: &str) -> Instance {
        Instance {
            base: format!("https://{web_domain}"),
        }
    }

    /// The actor's id.
    pub fn actor(&self, account: &AccountRow) -> String {
        match (&account.domain, account.uri.as_deref()) {
            (Some(_), Some(uri)) if !uri.is_empty() => uri.to_owned(),
            (Some(domain), _) => format!("https://{domain}/users/{}", account.username),
            (None, _) if account.id_scheme == Some(1) => {
                format!("{}/ap/users/{}", self.base, account.id)
            }
            (None, _) => format!("{}/users/{}", self.base, account.username),
        }
    }

    /// The id of the collection of its followers.
    pub fn followers(&self, account: &AccountRow) -> String {
        let stored = account.followers_url.as_deref();
        match stored.filter(|url| account.domain.is_some() && !url.is_empty()) {
            Some(url) => url.to_owned(),
            None => format!("{}/followers", self.actor(account)),
        }
    }

    /// The id of a post of this row, as Mastodon makes it for a local one that has none yet.
    pub fn post(&self, id: i64, uri: Option<&str>, is_boost: bool, account: &AccountRow) -> String {
        match uri.filter(|uri| !uri.is_empty()) {
            Some(uri) => uri.to_owned(),
            None => {
                let end = if is_boost { "/activity" } else { "" };
                format!("{}/statuses/{id}{end}", self.actor(account))
            }
        }
    }

    /// The id of a post that another refers to.
    pub fn referred(&self, post: &ReferredPost) -> String {
        self.post(post.id, post.uri.as_deref(), post.is_boost, &post.account)
    }

    /// `@user@host`, or `@user` of a local account.
    pub fn handle(&self, account: &AccountRow) -> String {
        match &account.domain {
            Some(domain) => format!("@{}@{domain}", account.username),
            None => format!("@{}", account.username),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(domain: Option<&str>, uri: Option<&str>, id_scheme: Option<i32>) -> AccountRow {
        AccountRow {
            id: 12,
            username: "ana".to_owned(),
            domain: domain.map(str::to_owned),
            uri: uri.map(str::to_owned),
            id_scheme,
            followers_url: Some(String::new()),
        }
    }

    /// A failure means that follows name somebody who wrote nothing, and homes stay empty.
    #[test]
    fn ids_are_those_that_other_servers_know() {
        let instance = Instance::new("home.example");
        let check = |account: AccountRow, actor: &str, post: &str| {
            assert_eq!(instance.actor(&account), actor);
            assert_eq!(instance.followers(&account), format!("{actor}/followers"));
            assert_eq!(instance.post(7, None, false, &account), post);
            let boost = instance.post(7, None, true, &account);
            assert_eq!(boost, format!("{post}/activity"));
            let stored = instance.post(7, Some("https://x.example/7"), true, &account);
            assert_eq!(stored, "https://x.example/7");
        };
        for uri in [None, Some("")] {
            for scheme in [None, Some(0)] {
                check(
                    account(None, uri, scheme),
                    "https://home.example/users/ana",
                    "https://home.example/users/ana/statuses/7",
                );
            }
        }
        check(
            account(None, None, Some(1)),
            "https://home.example/ap/users/12",
            "https://home.example/ap/users/12/statuses/7",
        );
        check(
            account(Some("b.example"), Some("https://b.example/@ana"), Some(0)),
            "https://b.example/@ana",
            "https://b.example/@ana/statuses/7",
        );
        let named = AccountRow {
            followers_url: Some("https://b.example/followers/ana".to_owned()),
            ..account(Some("b.example"), Some("https://b.example/@ana"), None)
        };
        assert_eq!(
            instance.followers(&named),
            "https://b.example/followers/ana"
        );
        assert_eq!(instance.handle(&named), "@ana@b.example");
        assert_eq!(instance.handle(&account(None, None, None)), "@ana");
    }
}
