//! An account into its actor's document: what clients are shown of it.

use super::MappedActivity;
use super::post::html_of_plain;
use super::rows::ProfileRow;
use super::uris::Instance;
use serde_json::{Map, Value, json};
use slackwater_order::time::Time;

/// The document, as one that Mastodon fetched.
pub fn document(row: &ProfileRow, at: Time, instance: &Instance) -> MappedActivity {
    let account = &row.account;
    let uri = instance.actor(account);
    let is_local = account.domain.is_none();
    let note = match is_local {
        true => html_of_plain(&row.note),
        false => row.note.clone(),
    };
    let image = |url: &Option<String>| match url.as_deref() {
        Some(url) if !url.is_empty() => json!({"type": "Image", "url": url}),
        _ => Value::Null,
    };
    let kind = row.actor_type.as_deref();
    let kind =
        kind.filter(|kind| ["Service", "Application", "Group", "Organization"].contains(kind));
    let said = [
        ("type", json!(kind.unwrap_or("Person"))),
        ("id", json!(uri)),
        // What says that a document is the whole one. Mastodon's column for it is none that is read: nothing is sent there.
        ("inbox", json!(format!("{uri}/inbox"))),
        ("preferredUsername", json!(account.username)),
        ("name", json!(row.display_name)),
        ("summary", json!(note)),
        ("url", json!(row.url)),
        ("icon", image(&row.avatar_remote_url)),
        ("image", image(&row.header_remote_url)),
        ("followers", json!(instance.followers(account))),
        ("manuallyApprovesFollowers", json!(row.locked)),
        ("discoverable", json!(row.discoverable)),
    ];
    let is_said = |(_, value): &(&str, Value)| !value.is_null() && value != "";
    let said = said.into_iter().filter(is_said);
    let document: Map<String, Value> = said.map(|(name, value)| (name.to_owned(), value)).collect();
    MappedActivity {
        activity: Value::Object(document),
        post_ref: None,
        author_ref: Some(account.id),
        arrived: at,
        is_fetched: true,
        is_forgotten: false,
    }
}
