//! Feeds as Mastodon's API shows them, so that clients made for it carry on.
//!
//! | module | what it is |
//! |---|---|
//! | `routes` | the routes, and those of single statuses and of the instance |
//! | `timelines`, `lists` | the routes of timelines and lists |
//! | `caller`, `base_url`, `timeline_query` | the caller of a request, the address it used, and its query |
//! | `error` | errors in Mastodon's words |
//! | `streaming`, `event_stream`, `socket_stream` | the streaming API: its routes, server-sent events, websockets |
//! | `feed_follower` | a feed followed for a client's stream |
//! | [`channel`] | the streams there are, and how clients name them |
//! | [`event`] | a feed's changes as events |
//! | [`timeline`] | a page of statuses |
//! | [`late`] | the list of late arrivals |
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
mod base_url;
mod caller;
pub mod channel;
pub(crate) mod error;
pub mod event;
mod event_stream;
mod feed_follower;
pub mod formula;
pub mod html;
pub mod html_cost;
pub mod ids;
pub mod instance;
pub mod late;
pub mod line_breaks;
mod lists;
pub mod media;
pub mod poll;
pub(crate) mod routes;
mod socket_stream;
pub mod status;
pub mod status_cache;
mod streaming;
pub mod timeline;
mod timeline_query;
mod timelines;
#[cfg(test)]
mod worst_posts;

use slackwater_order::time::Time;

/// A moment as Mastodon writes it: always with milliseconds.
pub(crate) fn stamp(time: Time) -> String {
    let text = time.rfc3339();
    match text.strip_suffix('Z') {
        Some(seconds) if !seconds.contains('.') => format!("{seconds}.000Z"),
        _ => text,
    }
}
