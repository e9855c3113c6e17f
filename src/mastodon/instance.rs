//! The instance as clients see it that point straight at this service: as little as they need.

use super::account::Account;
use serde_json::{Value, json};

/// The version of Mastodon's API that is served: clients choose their features by it.
const SPOKEN: &str = concat!(
    "4.3.0 (compatible; Slackwater ",
    env!("CARGO_PKG_VERSION"),
    ")"
);
/// The name of this software.
const NAME: &str = "Slackwater";

/// `GET /api/v1/instance`. `host` is where clients came to, and `root` the same with its scheme.
pub fn instance_v1(host: &str, root: &str) -> Value {
    json!({
        "uri": host, "title": host, "short_description": NAME, "description": NAME, "email": "",
        "version": SPOKEN, "urls": {"streaming_api": streaming(root)},
        "stats": {"user_count": 0, "status_count": 0, "domain_count": 0},
        "thumbnail": null, "languages": ["en"], "registrations": false, "approval_required": false,
        "invites_enabled": false, "configuration": configuration(root), "contact_account": null, "rules": []
    })
}

/// `GET /api/v2/instance`.
pub fn instance_v2(host: &str, root: &str) -> Value {
    json!({
        "domain": host, "title": host, "version": SPOKEN, "source_url": "", "description": NAME,
        "usage": {"users": {"active_month": 0}}, "thumbnail": {"url": ""}, "languages": ["en"],
        "configuration": configuration(root),
        "registrations": {"enabled": false, "approval_required": false, "message": null},
        "contact": {"email": "", "account": null}, "rules": [], "api_versions": {"mastodon": 2}
    })
}

fn configuration(root: &str) -> Value {
    json!({
        "urls": {"streaming": streaming(root)},
        "statuses": {"max_characters": 500, "max_media_attachments": 4, "characters_reserved_per_url": 23},
        "media_attachments": {"supported_mime_types": []},
        "polls": {"max_options": 4, "max_characters_per_option": 50, "min_expiration": 300, "max_expiration": 2_629_746},
        "accounts": {"max_featured_tags": 10, "max_pinned_statuses": 5}, "translation": {"enabled": false},
        "vapid": {"public_key": ""}
    })
}

/// Where streams are: the same place, by websocket.
fn streaming(root: &str) -> String {
    root.replacen("http", "ws", 1)
}

/// `GET /api/v1/accounts/verify_credentials`: the caller's account, with the fields that only its owner sees.
pub fn credentials(account: &Account) -> Value {
    let mut value = serde_json::to_value(account).unwrap_or_default();
    if let Some(fields) = value.as_object_mut() {
        fields.insert(
            "source".to_owned(),
            json!({"privacy": "public", "sensitive": false, "language": null,
            "note": account.note, "fields": account.fields, "follow_requests_count": 0,
            "hide_collections": account.hide_collections, "discoverable": account.discoverable,
            "indexable": account.indexable, "attribution_domains": [], "quote_policy": "public"}),
        );
        // That of everybody.
        let role =
            json!({"id": "-99", "name": "", "permissions": "0", "color": "", "highlighted": false});
        fields.insert("role".to_owned(), role);
    }
    value
}

/// `GET /api/v1/preferences`: Mastodon's defaults.
pub fn preferences() -> Value {
    json!({"posting:default:visibility": "public", "posting:default:sensitive": false, "posting:default:language": null,
        "posting:default:quote_policy": "public",
        "reading:expand:media": "default", "reading:expand:spoilers": false})
}

/// `GET /.well-known/nodeinfo`.
pub fn nodeinfo_links(root: &str) -> Value {
    json!({"links": [{"rel": "http://nodeinfo.diaspora.software/ns/schema/2.0", "href": format!("{root}/nodeinfo/2.0")}]})
}

/// `GET /nodeinfo/2.0`. Clients go by the software's name, and what this speaks is Mastodon's API.
pub fn nodeinfo(users: usize) -> Value {
    json!({"version": "2.0", "software": {"name": "mastodon", "version": SPOKEN}, "protocols": ["activitypub"],
        "services": {"inbound": [], "outbound": []}, "usage": {"users": {"total": users}, "localPosts": 0},
        "openRegistrations": false, "metadata": {"served_by": NAME}})
}
