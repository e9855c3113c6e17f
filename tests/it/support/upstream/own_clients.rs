//! What clients ask of a Mastodon beside what this service asks: its own home, and what they do.

use super::{Call, Known, status};
use serde_json::{Value, json};
use std::collections::HashMap;

/// An account's own document.
pub(super) fn credentials(account: &str) -> Value {
    let name = if account == "7" { "kim" } else { "lea" };
    json!({"id": account, "username": name, "acct": name, "display_name": name, "url": format!("https://social.example/@{name}"),
        "source": {"privacy": "public", "sensitive": false, "language": "en", "note": "", "fields": [], "follow_requests_count": 0},
        "locked": false, "bot": false, "group": false, "discoverable": true, "created_at": "2026-11-01T00:00:00.000Z", "note": "",
        "avatar": "https://social.example/a.png", "avatar_static": "https://social.example/a.png",
        "header": "https://social.example/h.png", "header_static": "https://social.example/h.png", "followers_count": 0,
        "following_count": 1, "statuses_count": 0, "last_status_at": null, "emojis": [], "fields": []})
}

impl Known {
    /// The document of the instance at this path, if there is one.
    pub(super) fn instance(&self, path: &str, host: &str) -> Option<String> {
        let streams_at = &self.streams_at;
        let own = json!({"title": "A stand-in", "version": "4.5.0", "description": "", "thumbnail": null,
            "languages": ["en"], "rules": [], "contact": {"email": "", "account": null}});
        let mut document = own;
        match path {
            "/api/v1/instance" => {
                document["uri"] = json!(host);
                document["urls"] = json!({"streaming_api": streams_at});
            }
            "/api/v2/instance" => {
                document["domain"] = json!(host);
                document["configuration"] = json!({"urls": {"streaming": streams_at}});
            }
            _ => return None,
        }
        Some(document.to_string())
    }

    /// The answer to what only clients ask; none if it is not that.
    pub(super) fn answer_of_client(
        &mut self,
        account: &str,
        scope: &str,
        call: &Call,
    ) -> Option<(u16, String)> {
        let (path, _) = call.path.split_once('?').unwrap_or((&call.path, ""));
        let parts: Vec<&str> = path.trim_start_matches("/api/v1/").split('/').collect();
        if call.method != "GET" && !scope.split(' ').any(|it| it == "write") {
            let refused = r#"{"error":"This action is outside the authorized scopes"}"#;
            return Some((403, refused.to_owned()));
        }
        match (call.method.as_str(), parts.as_slice()) {
            ("POST", ["statuses"]) => {
                let newest = self.statuses.keys().next_back().copied();
                let id = newest.unwrap_or(0) + 1;
                let mut written = status(id);
                written["content"] = json!(call.field("status"));
                self.statuses.insert(id, written);
                Some((200, self.text(account, id)?))
            }
            ("POST", ["statuses", id, "favourite"]) => {
                let id = id.parse().ok()?;
                let favourited = json!({"favourited": true, "favourites_count": 1});
                self.own.insert((account.to_owned(), id), favourited);
                Some((200, self.text(account, id)?))
            }
            ("POST", ["lists"]) => {
                let lists = self.lists.entry(account.to_owned());
                let lists = lists.or_insert_with(|| json!([])).as_array_mut()?;
                let id = (100 + lists.len()).to_string();
                let list = json!({"id": id, "title": call.field("title"), "replies_policy": "list", "exclusive": false});
                lists.push(list.clone());
                Some((200, list.to_string()))
            }
            ("PUT", ["lists", id]) => {
                let lists = self.lists.get_mut(account)?.as_array_mut()?;
                let list = lists.iter_mut().find(|list| list["id"] == *id)?;
                list["title"] = json!(call.field("title"));
                Some((200, list.to_string()))
            }
            ("DELETE", ["lists", id]) => {
                let lists = self.lists.get_mut(account)?.as_array_mut()?;
                lists.retain(|list| list["id"] != *id);
                Some((200, "{}".to_owned()))
            }
            ("GET", _) => None,
            _ => Some((404, r#"{"error":"Record not found"}"#.to_owned())),
        }
    }

    /// A page of its own home, in the order of its ids: what a test put there, or if none put anything anywhere, everything that it has
    /// and that the account may see.
    pub(super) fn own_home(&self, account: &str, query: &str) -> String {
        let query: HashMap<_, _> = url::form_urlencoded::parse(query.as_bytes()).collect();
        let number = |name: &str| query.get(name).and_then(|it| it.parse::<u64>().ok());
        let limit = number("limit").unwrap_or(20).min(40) as usize;
        let below = number("max_id").unwrap_or(u64::MAX);
        let above = number("min_id").or(number("since_id")).unwrap_or(0);
        let texts: Vec<String> = match self.homes.is_empty() {
            true => {
                let ids = self.statuses.range(above + 1..below).rev();
                let texts = ids.filter_map(|(id, _)| self.text(account, *id));
                texts.take(limit).collect()
            }
            false => {
                let home = self.homes.get(account).cloned().unwrap_or_default();
                let page = home.range(above + 1..below).rev().take(limit);
                page.filter_map(|id| Some(self.statuses.get(id)?.to_string()))
                    .collect()
            }
        };
        format!("[{}]", texts.join(","))
    }
}

impl Call {
    /// A field of the body, which is JSON or a form.
    fn field(&self, name: &str) -> String {
        if let Ok(body) = serde_json::from_str::<Value>(&self.body) {
            return body[name].as_str().unwrap_or_default().to_owned();
        }
        if let Some((_, rest)) = self.body.split_once(&format!("name=\"{name}\"\r\n\r\n")) {
            return rest.split("\r\n").next().unwrap_or_default().to_owned();
        }
        let mut fields = url::form_urlencoded::parse(self.body.as_bytes());
        let found = fields.find(|(field, _)| field == name);
        found
            .map(|(_, value)| value.into_owned())
            .unwrap_or_default()
    }
}
