//! The poll of a Question.

use super::stamp;
use serde_json::{Value, json};
use slackwater_engine::activity::document::LOOKED_AT_MAX;
use slackwater_engine::date;
use slackwater_engine::json::{FieldName, LooseValue, ObjectFields, WHOLE_MAX};
use slackwater_order::time::Time;

/// The most choices that are shown.
const CHOICES_MAX: usize = 100;

/// The poll of this `id`, as Mastodon's API shows it to a reader of whose votes nothing is known; none if there is nothing to
/// choose from.
pub(super) fn poll(
    object: &ObjectFields<'_>,
    id: &str,
    language: Option<&str>,
    now: Time,
) -> Option<Value> {
    if !object.is("Question") {
        return None;
    }
    let choices = |name: FieldName| -> Vec<Value> {
        let all = object.get(name).items().take(LOOKED_AT_MAX);
        let choices = all.filter_map(|choice| self::choice(choice, language));
        choices.take(CHOICES_MAX).collect()
    };
    let several = choices(FieldName::AnyOf);
    let multiple = !several.is_empty();
    let options = if multiple {
        several
    } else {
        choices(FieldName::OneOf)
    };
    if options.is_empty() {
        return None;
    }
    let votes = options
        .iter()
        .filter_map(|it| it.get("votes_count")?.as_u64());
    let votes = votes.fold(0, u64::saturating_add).min(WHOLE_MAX);
    let end = End::of(object);
    Some(
        json!({"id": id, "expires_at": end.at.map(stamp), "expired": end.is_over(now), "multiple": multiple,
        "votes_count": votes, "voters_count": object.count(FieldName::VotersCount), "options": options, "emojis": [],
        "voted": false, "own_votes": []}),
    )
}

/// One of the choices, if it has a name.
fn choice(choice: LooseValue<'_>, language: Option<&str>) -> Option<Value> {
    let object = ObjectFields::of(choice);
    let title = choice
        .text()
        .or_else(|| object.worded(FieldName::Name, FieldName::NameMap, language))
        .or_else(|| object.worded(FieldName::Content, FieldName::ContentMap, language))?;
    let votes = object.count(FieldName::Replies).unwrap_or(0);
    Some(json!({"title": title, "votes_count": votes}))
}

/// When a poll ends.
struct End {
    /// The time of its end, if it is known.
    at: Option<Time>,
    /// It has ended at a time that is not known.
    is_closed: bool,
}

impl End {
    /// `closed` is a time, which may be yet to come, or that it is.
    fn of(object: &ObjectFields<'_>) -> End {
        let time = |name: FieldName| object.get(name).text().as_deref().and_then(date::parse);
        let closed = time(FieldName::Closed);
        let at = match (closed, time(FieldName::EndTime)) {
            (Some(closed), Some(end)) => Some(closed.min(end)),
            (closed, end) => closed.or(end),
        };
        let is_closed = closed.is_none() && is_affirmed(object.get(FieldName::Closed));
        End { at, is_closed }
    }

    fn is_over(&self, now: Time) -> bool {
        self.is_closed || self.at.is_some_and(|at| at <= now)
    }
}

/// Whether a field says more than no: anything but nothing, `false` and an empty text.
fn is_affirmed(value: LooseValue<'_>) -> bool {
    !value.is_none() && value.boolean() != Some(false) && value.string().as_deref() != Some("")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::value::to_raw_value;

    fn shown(question: &Value) -> Value {
        let now = date::parse("2026-11-28T12:00:00Z").unwrap();
        let question = to_raw_value(question).unwrap();
        let question = ObjectFields::of(LooseValue::from(&*question));
        poll(&question, "7", Some("en"), now).unwrap_or_default()
    }

    #[test]
    fn a_poll_is_over_when_its_time_has_come() {
        let (past, now, future) = (
            "2026-11-28T11:00:00Z",
            "2026-11-28T12:00:00Z",
            "2026-11-28T13:00:00Z",
        );
        for (end, expires_at, expired) in [
            (
                json!({"endTime": past}),
                json!("2026-11-28T11:00:00.000Z"),
                true,
            ),
            (
                json!({"endTime": now}),
                json!("2026-11-28T12:00:00.000Z"),
                true,
            ),
            (
                json!({"endTime": future}),
                json!("2026-11-28T13:00:00.000Z"),
                false,
            ),
            (
                json!({"closed": past}),
                json!("2026-11-28T11:00:00.000Z"),
                true,
            ),
            (
                json!({"closed": future}),
                json!("2026-11-28T13:00:00.000Z"),
                false,
            ),
            (
                json!({"closed": past, "endTime": future}),
                json!("2026-11-28T11:00:00.000Z"),
                true,
            ),
            (
                json!({"closed": future, "endTime": past}),
                json!("2026-11-28T11:00:00.000Z"),
                true,
            ),
            (
                json!({"closed": true, "endTime": future}),
                json!("2026-11-28T13:00:00.000Z"),
                true,
            ),
            (
                json!({"closed": false, "endTime": future}),
                json!("2026-11-28T13:00:00.000Z"),
                false,
            ),
            (json!({"closed": true}), Value::Null, true),
            (json!({"closed": "yes"}), Value::Null, true),
            (json!({"closed": null}), Value::Null, false),
            (json!({}), Value::Null, false),
        ] {
            let mut question = end.clone();
            question["type"] = json!("Question");
            question["oneOf"] = json!([{"name": "High"}]);
            let poll = shown(&question);
            assert_eq!(
                (&poll["expires_at"], &poll["expired"]),
                (&expires_at, &json!(expired)),
                "{end}"
            );
        }
    }

    #[test]
    fn choices_are_what_says_what_it_is() {
        let titles = |several: Value, one: Value| {
            let poll = shown(&json!({"type": ["Question"], "anyOf": several, "oneOf": one}));
            let options = poll["options"].as_array().cloned().unwrap_or_default();
            let titles: Vec<String> = options
                .iter()
                .map(|it| it["title"].as_str().unwrap().to_owned())
                .collect();
            (titles.join(" "), poll["multiple"].clone())
        };
        let named = json!([{"name": "High"}, {"name": "Low"}]);
        let found = |titles: &str, multiple: Value| (titles.to_owned(), multiple);
        assert_eq!(
            titles(json!([]), named.clone()),
            found("High Low", json!(false))
        );
        assert_eq!(
            titles(named.clone(), json!(null)),
            found("High Low", json!(true))
        );
        assert_eq!(
            titles(json!([{"name": ""}]), named),
            found("High Low", json!(false))
        );
        let odd = json!([{"nameMap": {"de": "Hoch", "en": "High"}}, {"content": "Low"}, "Slack", {"type": "Note"}, 7]);
        assert_eq!(
            titles(json!(null), odd),
            found("High Low Slack", json!(false))
        );
        assert_eq!(
            titles(json!({"name": "Only"}), json!(null)),
            found("Only", json!(true))
        );
        for nothing in [json!(null), json!([]), json!([{"type": "Note"}]), json!("")] {
            assert_eq!(titles(nothing, json!(null)), found("", Value::Null));
        }
        assert_eq!(
            shown(&json!({"type": "Note", "oneOf": [{"name": "High"}]})),
            Value::Null
        );
    }

    #[test]
    fn votes_are_whole_and_a_readers_own_are_none() {
        let replies = |total: Value| json!({"name": "x", "replies": {"totalItems": total}});
        let poll = shown(&json!({"type": "Question", "votersCount": 3.0,
            "oneOf": [replies(json!(2.0)), replies(json!(u64::MAX)), replies(json!(-1)), {"name": "y"}]}));
        let votes: Vec<&Value> = poll["options"]
            .as_array()
            .unwrap()
            .iter()
            .map(|it| &it["votes_count"])
            .collect();
        assert_eq!(votes, [&json!(2), &json!(WHOLE_MAX), &json!(0), &json!(0)]);
        assert_eq!(
            (&poll["votes_count"], &poll["voters_count"]),
            (&json!(WHOLE_MAX), &json!(3))
        );
        assert_eq!(
            (&poll["voted"], &poll["own_votes"]),
            (&json!(false), &json!([]))
        );
    }
}
