//! The handles of actors, made of their ids and documents. Pure.

use super::actor::ActorDocument;
use crate::host::origin_of;

/// The name in the handle of an actor, and the handle: of the host their id is on, and as the name there their own document says,
/// or else their id does. What others call them says nothing.
pub fn handle(actor: &str, document: Option<&ActorDocument>, is_local: bool) -> (String, String) {
    let own_name = document.and_then(|document| document.preferred_username.as_deref());
    let username = own_name.filter(|name| is_username(name));
    let username = username.unwrap_or_else(|| name_in(actor)).to_owned();
    let acct = match (is_local, origin_of(actor)) {
        (false, Some(host)) => format!("{username}@{host}"),
        _ => username.clone(),
    };
    (username, acct)
}

/// Whether a name may be put before the host in a handle, so that no part of it is taken for a host.
fn is_username(name: &str) -> bool {
    let may_be = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '~' | '+' | '=');
    !name.is_empty() && name.chars().all(may_be)
}

/// The name an actor's id ends with.
fn name_in(actor: &str) -> &str {
    let path = actor.split(['?', '#']).next().unwrap_or_default();
    let last = path.trim_end_matches('/').rsplit('/').next();
    let name = last.unwrap_or_default().trim_start_matches('@');
    name.split('@').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::activity::Activity;
    use crate::activity::parse::decode;
    use crate::record::Vouched;
    use serde_json::json;

    /// A failure means that a stranger is shown under somebody else's handle.
    #[test]
    fn a_handle_is_of_the_host_and_of_the_name_there() {
        let check = |actor: &str, own_name: Option<&str>, is_local, username: &str, acct: &str| {
            let document = own_name.map(|name| {
                let json = json!({"type": "Person", "id": actor, "preferredUsername": name});
                let fetched = Vouched {
                    fetched: true,
                    ..Vouched::default()
                };
                match decode(json.to_string().as_bytes(), fetched) {
                    Ok(Activity::Actor(document)) => document,
                    other => panic!("{other:?}"),
                }
            });
            let found = handle(actor, document.as_deref(), is_local);
            assert_eq!(
                found,
                (username.to_owned(), acct.to_owned()),
                "{own_name:?}"
            );
        };
        let ana = "https://a.example:8443/users/ana";
        check(ana, None, false, "ana", "ana@a.example:8443");
        check(ana, Some("Ana"), false, "Ana", "Ana@a.example:8443");
        check(ana, Some("Ana"), true, "Ana", "Ana");
        check(
            ana,
            Some("bob@b.example"),
            false,
            "ana",
            "ana@a.example:8443",
        );
        check(ana, Some("bob @b"), true, "ana", "ana");
        check(
            "https://a.example/@bob@b.example",
            None,
            false,
            "bob",
            "bob@a.example",
        );
    }
}
