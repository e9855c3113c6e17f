//! Who gets a post, and every feed kept sorted: in memory first, checkpointed to sled.
//!
//! | module | what it is |
//! |---|---|
//! | [`post`] | a post as it is stored |
//! | `stored_pos` | how log positions are stored in posts and actors |
//! | [`reply_target`] | whom a post replies to, as it is stored |
//! | [`reply_resolution`] | finds that from the post above |
//! | [`actor`] | an actor as it is stored |
//! | [`followers`] | which collections are an actor's followers, and so who could see its posts |
//! | [`rules`] | one post and one account: in or out, and why |
//! | [`ordered_feed`] | a feed: its entries, what each depends on, what is remembered of those that were removed |
//! | [`boost_groups`] | which entries show which posts, and which of them are hidden repeats |
//! | [`feed_op`] | one thing that happens to a feed |
//! | [`feed_id`] | the name of a feed |
//! | `feed_delta` | what is new in one feed since the last checkpoint |
//! | [`store`] | posts, indexes and feeds through memory and disk; the checkpoint |
//! | [`watchers`] | which feeds changed, for those who watch them |
//! | `boost_target` | the post that a boost shows |
//! | [`boosts`] | the boosts of a post that came, changed or went, in slices |
//! | [`fan_out`] | a post into the feeds it belongs in |
//! | [`merge`] | a feed merged from the posts of those its account follows |
//! | [`prune`] | what does not belong in a feed any more, taken out of it |
//! | [`replies`] | the replies to a post that came or went |
//! | [`unfinished`] | what records call for and is not done yet, as it is stored |
//! | [`reevaluate`] | posts decided again because of what was said of their authors |
//! | [`expiry`] | posts that no feed needs any more are dropped |

pub mod actor;
pub mod boost_groups;
mod boost_target;
pub mod boosts;
pub mod expiry;
pub mod fan_out;
mod feed_delta;
pub mod feed_id;
pub mod feed_op;
pub mod followers;
pub mod merge;
pub mod ordered_feed;
pub mod post;
pub mod prune;
pub mod reevaluate;
pub mod replies;
pub mod reply_resolution;
pub mod reply_target;
pub mod rules;
pub mod store;
mod stored_pos;
pub mod unfinished;
pub mod watchers;
