//! Fields that name an actor or object: by its id, by the object in place of it, or by a list of either. Pure.

use crate::json::LooseValue;
use std::borrow::Cow;

impl<'a> LooseValue<'a> {
    /// The id that a text is, or that an object has; none of a list.
    pub(crate) fn own_id(self) -> Option<Cow<'a, str>> {
        match self.is_object() {
            true => self.get("id").text(),
            false => self.text(),
        }
    }

    /// The id; of a list the first.
    pub(crate) fn id(self) -> Option<Cow<'a, str>> {
        self.ids().next()
    }

    /// The ids, of a list all of them.
    pub(crate) fn ids(self) -> impl Iterator<Item = Cow<'a, str>> {
        self.items().filter_map(LooseValue::own_id)
    }

    /// The actor meant: of a list the first Person, else the first with an id.
    pub(crate) fn agent(self) -> Option<LooseValue<'a>> {
        let mut first = None;
        for item in self.items().filter(|item| item.own_id().is_some()) {
            if item.kinds().any(|kind| kind == "Person") {
                return Some(item);
            }
            first = first.or(Some(item));
        }
        first
    }

    /// The types of an object, which may have one or a list.
    pub(crate) fn kinds(self) -> impl Iterator<Item = Cow<'a, str>> {
        self.get("type").items().filter_map(LooseValue::string)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_person_of_a_list_is_the_agent() {
        for (json, id) in [
            (r#""a""#, Some("a")),
            (r#"["a","b"]"#, Some("a")),
            (r#"{"id":"a","type":"Group"}"#, Some("a")),
            (
                r#"[{"id":"a","type":"Group"},{"id":"b","type":"Person"}]"#,
                Some("b"),
            ),
            (r#"["a",{"id":"b","type":["Thing","Person"]}]"#, Some("b")),
            (r#"["a",{"type":"Person"}]"#, Some("a")),
            (r#"[[],"",null,7,"a"]"#, Some("a")),
            ("[]", None),
            ("null", None),
            ("7", None),
            (r#""""#, None),
        ] {
            let agent = LooseValue::of_valid(json).agent();
            let found = agent.and_then(LooseValue::id);
            assert_eq!(found.as_deref(), id, "{json}");
        }
    }
}
