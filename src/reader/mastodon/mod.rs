//! Feeds as Mastodon's API shows them, so that clients made for it carry on.
//!
//! | module | what it is |
//! |---|---|
//! | [`content`] | what people wrote, made harmless |
//! | [`tangle`] | how much work reading it makes |
//! | [`formula`] | the text of what is no text |
//! | [`lines`] | what blocks leave when they go |
//! | [`ids`] | the ids that clients see |
//! | [`media`], [`poll`] | what is attached to a post, and what it asks |
//! | [`account`] | an actor as an account |
//! | [`status`] | a post as a status |
//! | [`shelf`] | statuses as text, made once for all who read them |
//! | [`timeline`] | a page of them |
//! | [`late`] | the list of late arrivals |
//! | [`channel`] | the streams there are, and how clients name them |
//! | [`event`] | what a feed's changes are to their readers |
//! | [`about`] | what the instance says of itself |

pub mod about;
pub mod account;
pub mod channel;
pub mod content;
pub mod event;
pub mod formula;
pub mod ids;
pub mod late;
pub mod lines;
pub mod media;
pub mod poll;
pub mod shelf;
pub mod status;
pub mod tangle;
pub mod timeline;
#[cfg(test)]
mod worst;

use slackwater_order::time::Time;

/// A moment as Mastodon writes it: always with milliseconds.
pub(crate) fn stamp(time: Time) -> String {
    let text = time.rfc3339();
    match text.strip_suffix('Z') {
        Some(seconds) if !seconds.contains('.') => format!("{seconds}.000Z"),
        _ => text,
    }
}
