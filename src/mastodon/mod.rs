//! Feeds as Mastodon's API shows them, so that clients made for it carry on.
//!
//! | module | what it is |
//! |---|---|
//! | `openapi`, `routes` | the list of routes with their description, and the router made of it |
//! | `app`, [`Options`] | the state that the routes share, and the API as configured |
//! | `timelines`, `lists`, `statuses` | the routes of timelines, lists and single statuses |
//! | `own_account`, `instance_routes` | the routes of the caller's account and of the instance |
//! | `caller`, `base_url` | the caller of a request, and the address it used |
//! | `timeline_request`, `timeline_query` | a request for a timeline, and its query |
//! | `error` | errors in Mastodon's words |
//! | `streaming`, `event_stream`, `socket_stream` | the streaming API: its routes, server-sent events, websockets |
//! | `stream_schemas` | the messages of its websockets as schemas |
//! | `feed_follower` | a feed followed for a client's stream |
//! | [`channel`] | the streams there are, and how clients name them |
//! | [`event`] | a feed's changes as events |
//! | [`timeline`] | a page of statuses |
//! | [`late`] | the list of late arrivals |
//! | `upstream` | the backend as the source of statuses and events |
//! | `hydrated`, `hydrated_events` | pages and events with statuses as the backend shows them |
//! | [`status`] | a post as a status |
//! | [`status_cache`] | statuses as JSON text, each made once for all its readers |
//! | [`account`] | an actor as an account |
//! | [`instance`] | the instance, its nodeinfo, and preferences |
//! | [`media`], [`poll`] | a post's attachments and its poll |
//! | [`ids`] | the ids that clients see |
//! | [`html`] | HTML made harmless |
//! | [`html_cost`] | how much work HTML makes |
//! | [`formula`] | the text of formulas |
//! | [`line_breaks`] | the lines that blocks leave when they go |

pub mod account;
pub(crate) mod app;
mod base_url;
mod caller;
pub mod channel;
mod error;
pub mod event;
mod event_stream;
mod feed_follower;
pub mod formula;
pub mod html;
pub mod html_cost;
mod hydrated;
mod hydrated_events;
pub mod ids;
pub mod instance;
mod instance_routes;
pub mod late;
pub mod line_breaks;
mod lists;
pub mod media;
pub(crate) mod openapi;
mod options;
mod own_account;
pub mod poll;
pub(crate) mod routes;
mod socket_stream;
pub mod status;
pub mod status_cache;
mod statuses;
mod stream_schemas;
mod streaming;
pub mod timeline;
mod timeline_query;
mod timeline_request;
mod timelines;
mod upstream;
#[cfg(test)]
mod worst_posts;

pub(crate) use error::renderer_of;
pub use options::{Options, UpstreamOptions};
pub(crate) use stream_schemas::stream_schemas;

use slackwater_order::time::Time;

/// A moment as Mastodon writes it: always with milliseconds.
pub(crate) fn stamp(time: Time) -> String {
    let text = time.rfc3339();
    match text.strip_suffix('Z') {
        Some(seconds) if !seconds.contains('.') => format!("{seconds}.000Z"),
        _ => text,
    }
}
