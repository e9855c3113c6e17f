//! The backend as the source of statuses and events: asked under each reader's own token, so that what it answers is that reader's
//! and is given to nobody else.
//!
//! | module | what it is |
//! |---|---|
//! | `client` | the backend asked, within bounds |
//! | `error` | why it has no answer |
//! | `outage` | whether its servers answer, for the log |
//! | `reader_calls` | the calls of each reader, and when the backend takes more |
//! | `statuses` | statuses by their ids |
//! | `raw_object` | an object of JSON with its fields as they are written |
//! | `relay`, `relay_state`, `relay_connection` | a client's streams, their state, and their connection to its streaming server |
//! | `streamed` | the messages of that server |
//! | `kept_updates` | the statuses it sent that are not shown yet |

mod client;
mod error;
mod kept_updates;
mod outage;
pub(super) mod raw_object;
mod reader_calls;
mod relay;
mod relay_connection;
mod relay_state;
mod statuses;
mod streamed;

pub(crate) use client::{Reader, Upstream};
pub(crate) use error::UpstreamError;
pub(super) use relay::Relay;
pub(super) use statuses::{IDS_MAX, Statuses};
pub(super) use streamed::{StreamedMessage, payload_with_field};
