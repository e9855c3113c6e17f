//! What readers and backends see over HTTP.
//!
//! | module | what it is |
//! |---|---|
//! | [`page`] | which ids of a feed a page shows |
//! | [`entry`] | a post as the API shows it |
//! | `rendering` | an entry as JSON text |
//! | [`filling`] | a page being filled with them |
//! | [`shown`] | the part of a feed that is shown |
//! | [`attendance`] | when accounts were last seen, and who sleeps for that |
//! | [`unsettled`] | feeds in which some relations are still to be carried out |
//! | [`horizons`] | how far feeds are shown, as readers were told |
//! | [`cursor`] | how far a reader has been told, as text |
//! | [`seal`] | what that text is sealed with |
//! | [`doubts`] | which entries a cursor may know hidden or shown otherwise than they are |
//! | [`changes`] | what changed in a feed since a cursor |
//! | [`change_batch`] | as many of those as one answer takes |
//! | [`change_json`] | them as JSON text |
//! | [`whole`] | a post with what it boosts |
//! | [`state`] | what belongs to this process: entries as text, what is in flight, metrics |
//! | [`asked`] | which feed is asked for, and by whom |
//! | [`look`] | a feed looked at: all of the above at one moment |
//! | [`reading`] | memory first: what is at hand on the spot, anything else where it holds up nobody |
//! | [`ready`] | a feed asked for, as soon as it can be looked at |
//! | [`once`] | what is made once for all who ask for it |
//! | [`encoded`] | entries as text, written once for all who are told |
//! | [`waking`] | waiting for a feed to show something new |
//! | [`log_end`] | where the log ends at this moment |
//! | [`live`] | a feed followed live: one reader's place in it |
//! | [`message`] | what a stream sends |
//! | [`spliced`] | a message that is mostly everybody's |
//! | [`outbound`] | what is on its way to readers, in all |
//! | [`upgrade`] | a request that goes on as a websocket |
//! | [`websocket`] | a websocket with bounds |
//! | [`unread`] | answers that have not been read yet, bounded |
//! | [`connections`] | how many readers are connected, and how often others ask |
//! | [`mastodon`] | feeds as Mastodon's API shows them |
//! | [`explained`] | why an account has a post in its feeds, or has not |
//! | [`origin`] | an origin as operators see it |
//! | [`answer`] | every other answer's shape |
//! | [`problem`] | errors as RFC 9457 problem documents |
//! | [`hop`] | what a request says of the way it came |
//! | [`auth`] | who may ask |
//! | [`door`] | request bodies into records for the log |
//! | [`refused`] | what is refused there, for the operator |
//! | [`warnings`] | what is accepted and rests on what is not there |
//! | [`http`] | the routes |
//! | [`view`] | the state requests are answered from |
//! | [`openapi`] | the description of all this, made from the types |

pub mod answer;
pub mod asked;
pub mod attendance;
pub mod auth;
pub mod change_batch;
pub mod change_json;
pub mod changes;
pub mod connections;
pub mod cursor;
pub mod door;
pub mod doubts;
pub mod encoded;
pub mod entry;
pub mod explained;
pub mod filling;
pub mod hop;
pub mod horizons;
pub mod http;
pub mod late;
pub mod live;
pub mod log_end;
pub mod look;
pub mod mastodon;
pub mod message;
pub mod once;
pub mod openapi;
pub mod origin;
pub mod outbound;
pub mod page;
pub mod problem;
pub mod reading;
pub mod ready;
pub mod refused;
mod rendering;
pub mod seal;
pub mod shown;
pub mod spliced;
pub mod state;
pub mod unread;
pub mod unsettled;
pub mod upgrade;
pub mod view;
pub mod waking;
pub mod warnings;
pub mod websocket;
pub mod whole;
