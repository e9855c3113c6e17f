//! Who gets a post, and every feed kept sorted: in memory first, checkpointed to sled.
//!
//! | module | what it is |
//! |---|---|
//! | [`kept`] | a post as it is kept |
//! | [`thread`] | whom a post answers |
//! | [`actor`] | an actor as it is kept |
//! | [`followers`] | which collections are an actor's followers, and so who could see its posts |
//! | [`rules`] | one post and one account: in or out, and why |
//! | [`segment`] | a packed, sorted list of ids with a floor: an index of posts |
//! | [`ledger`] | a feed: its entries, what each rests on, what is remembered of those that left |
//! | [`repeats`] | which entries show which posts, and which of them are hidden repeats |
//! | [`columns`] | places and log positions, packed |
//! | [`block`] | posts packed together |
//! | [`known`] | which look-ups would find nothing |
//! | [`store`] | posts and lists through memory and disk; the checkpoint |
//! | [`homes`] | what is new in each home feed since the last checkpoint |
//! | [`named`] | the same for lists, hashtags and the public feeds |
//! | [`stirred`] | which feeds something happened to, for those who watch them |
//! | `boosted` | the post that a boost shows |
//! | [`boosts`] | the boosts of a post that came, changed or went, in slices |
//! | [`fan_out`] | a post into the feeds it belongs in |
//! | [`merge`] | a feed merged from the posts of those its account follows |
//! | [`weed`] | a feed weeded of what does not belong there any more |
//! | [`replies`] | what answers a post that came or went |
//! | [`reevaluate`] | posts decided again because of what was said of their authors |
//! | [`expiry`] | what no feed needs any more goes |
//! | [`disk`] | sled: the only file that names it |

pub mod actor;
pub mod block;
mod boosted;
pub mod boosts;
pub mod columns;
pub mod disk;
pub mod expiry;
pub mod fan_out;
pub mod followers;
pub mod homes;
pub mod kept;
pub mod known;
pub mod ledger;
pub mod merge;
pub mod named;
mod pending;
pub mod reevaluate;
pub mod repeats;
pub mod replies;
pub mod rules;
pub mod segment;
pub mod stirred;
pub mod store;
pub mod thread;
pub mod weed;
