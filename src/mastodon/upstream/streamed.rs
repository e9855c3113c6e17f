//! The messages of the backend's streaming server. Pure.

use super::kept_updates::KeptUpdates;
use super::statuses::id_of;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// A message, as far as it is read.
#[derive(Debug, Deserialize)]
pub(crate) struct StreamedMessage<'a> {
    /// The names of its stream.
    #[serde(borrow)]
    stream: Vec<Cow<'a, str>>,
    /// The name of its event.
    #[serde(borrow)]
    event: Cow<'a, str>,
    /// Its payload: a status, a notification and such are a text of JSON in a text of JSON. Some events have none.
    #[serde(borrow, default)]
    payload: Option<&'a RawValue>,
}

/// The use of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MessageUse {
    /// It goes to the client as it is.
    Passed,
    /// It is a new status of home or a list, which goes out when this service's feed shows it.
    Kept,
    /// It is no event, or a new status without an id: nobody is sent it.
    None,
}

impl<'a> StreamedMessage<'a> {
    pub(crate) fn read(text: &'a str) -> Option<StreamedMessage<'a>> {
        serde_json::from_str(text).ok()
    }

    /// As a server-sent event. Mastodon writes `undefined` where there is no payload, since an event without data is none.
    pub(crate) fn server_sent(&self) -> String {
        let payload = self.payload.map(RawValue::get);
        let inner = payload.map(|payload| match serde_json::from_str::<String>(payload) {
            Ok(text) => text,
            Err(_) => payload.to_owned(),
        });
        let data = inner.unwrap_or_else(|| "undefined".to_owned());
        let mut text = format!("event: {}\n", self.event.replace(['\r', '\n'], " "));
        for line in data.split(['\r', '\n']) {
            text.push_str("data: ");
            text.push_str(line);
            text.push('\n');
        }
        text.push('\n');
        text
    }

    /// The use of this message, for which `kept` is brought up to date.
    pub(super) fn used(&self, kept: &mut KeptUpdates) -> MessageUse {
        let is_own = matches!(self.stream.first().map(|it| &**it), Some("user" | "list"));
        let payload = self.payload.map_or("", RawValue::get);
        match &*self.event {
            "update" if is_own => match status_id(payload) {
                Some(id) => {
                    kept.keep(id, payload);
                    MessageUse::Kept
                }
                None => MessageUse::None,
            },
            "status.update" => {
                if let Some(id) = status_id(payload).filter(|_| is_own) {
                    kept.edit(id, payload);
                }
                MessageUse::Passed
            }
            "delete" => {
                if is_own && let Ok(id) = serde_json::from_str::<String>(payload) {
                    kept.delete(id);
                }
                MessageUse::Passed
            }
            _ => MessageUse::Passed,
        }
    }
}

/// The id of a status that is a text of JSON in a text of JSON.
fn status_id(payload: &str) -> Option<String> {
    let status: String = serde_json::from_str(payload).ok()?;
    id_of(&status).ok()
}

/// A status in a text of JSON with one field more; none if it is no object.
pub(crate) fn payload_with_field(payload: &str, name: &str, value: &str) -> Option<String> {
    let inner = payload.strip_suffix("}\"")?;
    let field = serde_json::to_string(&format!(",\"{name}\":{value}}}")).ok()?;
    let field = field.strip_prefix('"')?;
    inner.starts_with("\"{").then(|| format!("{inner}{field}"))
}

#[cfg(test)]
mod tests {
    use super::super::kept_updates::AllBytes;
    use super::*;

    fn used(text: &str, kept: &mut KeptUpdates) -> MessageUse {
        StreamedMessage::read(text).unwrap().used(kept)
    }

    /// A failure means that a reader gets no notifications, or gets posts past this service's order.
    #[test]
    fn all_but_new_statuses_of_home_and_lists_go_on_as_they_are() {
        let mut kept = KeptUpdates::new(AllBytes::default());
        let mut check =
            |text: &str, expected| assert_eq!(used(text, &mut kept), expected, "{text}");
        let update = r#""event":"update","payload":"{\"id\":\"7\",\"content\":\"\\u00e9\"}"}"#;
        check(
            &format!(r#"{{"stream":["user"],{update}"#),
            MessageUse::Kept,
        );
        check(
            &format!(r#"{{"stream":["list","42"],{update}"#),
            MessageUse::Kept,
        );
        check(
            &format!(r#"{{"stream":["public"],{update}"#),
            MessageUse::Passed,
        );
        check(
            &format!(r#"{{"stream":["hashtag","sea"],{update}"#),
            MessageUse::Passed,
        );
        check(
            r#"{"stream":["user"],"event":"update","payload":"{}"}"#,
            MessageUse::None,
        );
        for event in [
            "notification",
            "notifications_merged",
            "conversation",
            "announcement",
            "announcement.reaction",
            "announcement.delete",
            "filters_changed",
            "kill",
            "delete",
            "status.update",
            "new",
        ] {
            check(
                &format!(r#"{{"stream":["user"],"event":"{event}","payload":"{{}}"}}"#),
                MessageUse::Passed,
            );
            check(
                &format!(r#"{{"stream":["user"],"event":"{event}"}}"#),
                MessageUse::Passed,
            );
        }
        assert_eq!(
            kept.get("7"),
            Some(r#""{\"id\":\"7\",\"content\":\"\\u00e9\"}""#)
        );
        used(
            r#"{"stream":["user"],"event":"delete","payload":"7"}"#,
            &mut kept,
        );
        assert_eq!((kept.get("7"), kept.was_deleted("7")), (None, true));
        assert!(StreamedMessage::read(r#"{"error":"Unknown stream type","status":400}"#).is_none());
    }

    #[test]
    fn a_status_in_a_text_gets_a_field_and_keeps_its_bytes() {
        let payload = r#""{\"id\":\"7\",\"content\":\"\\u00e9\"}""#;
        let with = payload_with_field(payload, "slackwater", r#"{"verdict":"late"}"#).unwrap();
        let inner: String = serde_json::from_str(&with).unwrap();
        assert_eq!(
            inner,
            r#"{"id":"7","content":"\u00e9","slackwater":{"verdict":"late"}}"#
        );
        assert_eq!(payload_with_field("\"7\"", "slackwater", "1"), None);
    }

    #[test]
    fn messages_are_server_sent_events_too() {
        let check = |text: &str, expected: &str| {
            assert_eq!(StreamedMessage::read(text).unwrap().server_sent(), expected);
        };
        check(
            r#"{"stream":["user"],"event":"filters_changed"}"#,
            "event: filters_changed\ndata: undefined\n\n",
        );
        check(
            r#"{"stream":["user"],"event":"delete","payload":"7"}"#,
            "event: delete\ndata: 7\n\n",
        );
        check(
            r#"{"stream":["user"],"event":"notification","payload":"{\"id\":\n\"1\"}"}"#
                .replace("\n", "\\n")
                .as_str(),
            "event: notification\ndata: {\"id\":\ndata: \"1\"}\n\n",
        );
        check(
            r#"{"stream":["user"],"event":"merged","payload":1}"#,
            "event: merged\ndata: 1\n\n",
        );
    }
}
