//! The operations of Mastodon's routes. Bodies are entities of Mastodon's, by their names; its own documentation describes them.

use crate::api::openapi::operation::{Operation, Schemas, path, query};
use crate::mastodon::error::is_in_mastodons_form;
use crate::mastodon::timeline_query::{LIMIT_DEFAULT, LIMIT_MAX, TAGS_MAX};
use serde_json::{Value, json};

/// The tag of all these operations.
pub(super) const TAG: &str = "mastodon";
/// The root of Mastodon's documentation.
pub(super) const DOCS: &str = "https://docs.joinmastodon.org/";

pub(super) fn home(_: &mut Schemas) -> Operation {
    timeline(
        "getMastodonHomeTimeline",
        "A page of the account's home timeline",
    )
}

pub(super) fn public(_: &mut Schemas) -> Operation {
    let operation = timeline("getMastodonPublicTimeline", "A page of the public timeline");
    filtered(operation)
}

pub(super) fn hashtag(_: &mut Schemas) -> Operation {
    let hashtag =
        json!({"type": "string", "description": "The hashtag, without `#`, in any case."});
    let operation = timeline("getMastodonTagTimeline", "A page of a hashtag's timeline")
        .parameter(path("tag", &hashtag));
    let operation = not_found(filtered(operation));
    let further = [
        ("any[]", "Further hashtags: a status needs one of all."),
        ("all[]", "Hashtags that a status must have."),
        ("none[]", "Hashtags that a status must not have."),
    ];
    further.into_iter().fold(operation, |operation, (name, description)| {
        let tags = json!({
            "type": "array", "items": {"type": "string"}, "maxItems": TAGS_MAX, "description": description
        });
        operation.parameter(query(name, &tags))
    })
}

pub(super) fn list_timeline(_: &mut Schemas) -> Operation {
    let operation = timeline("getMastodonListTimeline", "A page of a list's timeline");
    not_found(operation.parameter(list()))
}

pub(super) fn status(_: &mut Schemas) -> Operation {
    let id =
        json!({"type": "string", "description": "The id of the status, as a timeline gave it."});
    let operation = mastodon(
        "getMastodonStatus",
        "A single status, if the caller may see it",
        "methods/statuses/",
    )
    .parameter(path("id", &id));
    let operation = json_body(operation, &entity("Status"));
    let operation = error(operation, "403", "The token has not the scope for this.");
    not_found(operation)
}

pub(super) fn lists(_: &mut Schemas) -> Operation {
    let operation = mastodon("getMastodonLists", "The account's lists", LISTS);
    not_found(json_body(operation, &entities("List")))
}

pub(super) fn one_list(_: &mut Schemas) -> Operation {
    let operation = mastodon("getMastodonList", "One of the account's lists", LISTS);
    not_found(json_body(operation.parameter(list()), &entity("List")))
}

pub(super) fn list_accounts(_: &mut Schemas) -> Operation {
    let operation = mastodon(
        "getMastodonListAccounts",
        "The members of the list of late arrivals, which has none; the members of other lists stay with the backend",
        LISTS,
    );
    let operation = operation.parameter(list());
    not_found(json_body(operation, &entities("Account")))
}

pub(super) fn credentials(_: &mut Schemas) -> Operation {
    let operation = mastodon(
        "getMastodonCredentials",
        "The account that the token belongs to",
        "methods/accounts/",
    );
    let account = linked("CredentialAccount", "entities/Account/#CredentialAccount");
    not_found(json_body(operation, &account))
}

pub(super) fn preferences(_: &mut Schemas) -> Operation {
    let operation = mastodon(
        "getMastodonPreferences",
        "The account's preferences: Mastodon's defaults",
        "methods/preferences/",
    );
    json_body(operation, &entity("Preferences"))
}

pub(super) fn instance_v1(_: &mut Schemas) -> Operation {
    let operation = mastodon(
        "getMastodonInstanceV1",
        "The instance, in the older form",
        INSTANCE,
    );
    json_body(operation, &entity("V1_Instance"))
}

pub(super) fn instance_v2(_: &mut Schemas) -> Operation {
    let operation = mastodon("getMastodonInstance", "The instance", INSTANCE);
    json_body(operation, &entity("Instance"))
}

pub(super) fn nodeinfo_links(_: &mut Schemas) -> Operation {
    let operation = Operation::new("getNodeInfoLinks", "The address of the NodeInfo document");
    let operation = operation.tagged(TAG, NODEINFO);
    json_body(operation, &object("The links of NodeInfo 2.0."))
}

pub(super) fn nodeinfo(_: &mut Schemas) -> Operation {
    let operation = Operation::new("getNodeInfo", "The NodeInfo document of the instance");
    let operation = operation.tagged(TAG, NODEINFO);
    json_body(operation, &object("A document of NodeInfo 2.0."))
}

pub(super) fn filters_v1(_: &mut Schemas) -> Operation {
    let operation = mastodon(
        "getMastodonFiltersV1",
        "Empty: filters stay with the backend",
        "methods/filters/",
    );
    json_body(operation, &entities("V1_Filter"))
}

pub(super) fn filters_v2(_: &mut Schemas) -> Operation {
    let operation = mastodon(
        "getMastodonFilters",
        "Empty: filters stay with the backend",
        "methods/filters/",
    );
    json_body(operation, &entities("Filter"))
}

pub(super) fn custom_emojis(_: &mut Schemas) -> Operation {
    let operation = mastodon(
        "getMastodonCustomEmojis",
        "Empty: custom emoji stay with the backend",
        "methods/custom_emojis/",
    );
    json_body(operation, &entities("CustomEmoji"))
}

pub(super) fn notifications(_: &mut Schemas) -> Operation {
    let operation = mastodon(
        "getMastodonNotifications",
        "Empty: notifications stay with the backend",
        "methods/notifications/",
    );
    json_body(operation, &entities("Notification"))
}

pub(super) fn streaming(_: &mut Schemas) -> Operation {
    socket("streamMastodon")
}

pub(super) fn streaming_with_slash(_: &mut Schemas) -> Operation {
    socket("streamMastodonWithSlash")
}

pub(super) fn named_stream(_: &mut Schemas) -> Operation {
    let stream = json!({
        "type": "string",
        "description": "The name of the stream, with a `/` for each `:`, which is sent as it is: `user`, `user/notification`, \
            `direct`, `public`, `public/media`, `public/local`, `public/local/media`, `public/remote`, `public/remote/media`, \
            `hashtag`, `hashtag/local`, `list`."
    });
    let operation = mastodon(
        "streamMastodonByName",
        "The events of the stream that the path names",
        STREAMING,
    );
    let operation = operation.parameter(path("stream", &stream));
    events(of_hashtag_or_list(operation))
}

pub(super) fn streaming_health(_: &mut Schemas) -> Operation {
    let text = json!({"text/plain": {"schema": {"const": "OK"}}});
    mastodon(
        "getMastodonStreamingHealth",
        "Can streams be opened?",
        STREAMING,
    )
    .content("200", "They can.", &text)
}

pub(super) fn no_avatar(_: &mut Schemas) -> Operation {
    image("getMissingAvatar", "The avatar of accounts that have none")
}

pub(super) fn no_header(_: &mut Schemas) -> Operation {
    image("getMissingHeader", "The header of accounts that have none")
}

/// An error in Mastodon's form.
pub(super) fn error(operation: Operation, status: &str, description: &str) -> Operation {
    let content = json!({"application/json": {"schema": entity("Error")}});
    operation.content(status, description, &content)
}

/// The error of a caller that sent too many requests.
pub(super) fn too_many(operation: Operation) -> Operation {
    let description = "Too much in a minute, or at a time: come back after `Retry-After`.";
    error(operation, "429", description).header("429", "Retry-After")
}

/// The errors of a service that fails or is too busy, in the form that is for this path.
pub(super) fn unavailable(operation: Operation, schemas: &mut Schemas, path: &str) -> Operation {
    let failed = "The service failed here; its log says why.";
    let busy = "Too much at once, too slow, or not ready for this: come back after `Retry-After`.";
    match is_in_mastodons_form(path) {
        true => {
            let operation = error(operation, "500", failed);
            error(operation, "503", busy).header("503", "Retry-After")
        }
        false => operation
            .problem(schemas, "500", failed)
            .problem(schemas, "503", busy),
    }
}

const LISTS: &str = "methods/lists/";
const INSTANCE: &str = "methods/instance/";
const STREAMING: &str = "methods/streaming/";
const NODEINFO: &str = "https://nodeinfo.diaspora.software/";

/// An operation that Mastodon's documentation describes on `page`.
fn mastodon(id: &'static str, summary: &'static str, page: &str) -> Operation {
    Operation::new(id, summary).tagged(TAG, &format!("{DOCS}{page}"))
}

fn timeline(id: &'static str, summary: &'static str) -> Operation {
    let limit = json!({
        "type": "integer", "minimum": 1, "default": LIMIT_DEFAULT,
        "description": format!("How many statuses at most. More than {LIMIT_MAX} count as {LIMIT_MAX}.")
    });
    let bound = |description: &str| json!({"type": "string", "description": description});
    let operation = mastodon(id, summary, "methods/timelines/")
        .parameter(query("limit", &limit))
        .parameter(query("max_id", &bound("Only statuses below this id.")))
        .parameter(query(
            "since_id",
            &bound("Only statuses above this id, the newest of them."),
        ))
        .parameter(query(
            "min_id",
            &bound("Only statuses above this id, those just above it."),
        ));
    let operation = json_body(operation, &entities("Status")).header("200", "Link");
    let nothing = json!({"application/json": {"schema": entities("Status")}});
    let operation = operation.content(
        "206",
        "The feed is being rebuilt. An empty array.",
        &nothing,
    );
    error(operation, "400", "A parameter that cannot be read.")
}

fn filtered(operation: Operation) -> Operation {
    let filters = [
        ("local", "Only statuses by local accounts."),
        ("remote", "Only statuses by accounts of other instances."),
        ("only_media", "Only statuses with media."),
    ];
    filters
        .into_iter()
        .fold(operation, |operation, (name, description)| {
            let filter = json!({"type": "boolean", "default": false, "description": description});
            operation.parameter(query(name, &filter))
        })
}

fn socket(id: &'static str) -> Operation {
    let summary = "A websocket that carries several streams, or the events of one stream";
    let stream = json!({"type": "string", "description": "The name of the first stream, such as `user` or `public:local`."});
    let operation = mastodon(id, summary, STREAMING).parameter(query("stream", &stream));
    let messages = json!({"application/json": {"schema": object(
        "An event, as Mastodon's documentation of streaming has it: https://docs.joinmastodon.org/methods/streaming/"
    )}});
    let operation = of_hashtag_or_list(operation).content(
        "101",
        "A websocket (RFC 6455). Its client may subscribe to streams and unsubscribe.",
        &messages,
    );
    events(operation)
}

fn of_hashtag_or_list(operation: Operation) -> Operation {
    let text = |description: &str| json!({"type": "string", "description": description});
    operation
        .parameter(query("tag", &text("The hashtag, for streams of one.")))
        .parameter(query(
            "list",
            &text("The id of the list, for the stream of one."),
        ))
        .parameter(query(
            "access_token",
            &text("The token, for clients that cannot send `Authorization`."),
        ))
}

fn events(operation: Operation) -> Operation {
    let events = json!({"text/event-stream": {"schema": {"type": "string"}}});
    let operation = operation.content("200", "Server-sent events, each with an `id`.", &events);
    let operation = error(
        operation,
        "400",
        "No such stream, or a parameter that it needs is missing.",
    );
    not_found(operation)
}

fn image(id: &'static str, summary: &'static str) -> Operation {
    let png = json!({"image/png": {}});
    mastodon(id, summary, "entities/Account/").content("200", "An image.", &png)
}

fn list() -> Value {
    path(
        "list",
        &json!({"type": "string", "description": "The id of the list."}),
    )
}

fn not_found(operation: Operation) -> Operation {
    error(
        operation,
        "404",
        "There is none, or the caller may not see it.",
    )
}

fn json_body(operation: Operation, schema: &Value) -> Operation {
    operation.content(
        "200",
        "As described.",
        &json!({"application/json": {"schema": schema}}),
    )
}

fn entities(name: &str) -> Value {
    json!({"type": "array", "items": entity(name)})
}

fn entity(name: &str) -> Value {
    linked(name, &format!("entities/{name}/"))
}

fn linked(name: &str, page: &str) -> Value {
    object(&format!("Mastodon's entity {name}: {DOCS}{page}"))
}

fn object(description: &str) -> Value {
    json!({"type": "object", "description": description})
}
