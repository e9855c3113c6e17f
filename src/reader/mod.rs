//! What readers and backends see over HTTP.
//!
//! | module | what it is |
//! |---|---|
//! | [`page`] | which ids of a feed a page shows |
//! | [`entry`] | a post as the API shows it |
//! | [`filling`] | a page being filled with them |
//! | [`cursor`] | a place in the log as text |
//! | [`answer`] | every other answer's shape |
//! | [`problem`] | errors as RFC 9457 problem documents |
//! | [`auth`] | who may ask |
//! | [`door`] | request bodies into records for the log |
//! | [`http`] | the routes |
//! | [`view`] | the state requests are answered from |
//! | [`openapi`] | the description of all this, made from the types |

pub mod answer;
pub mod auth;
pub mod cursor;
pub mod door;
pub mod entry;
pub mod filling;
pub mod http;
pub mod openapi;
pub mod page;
pub mod problem;
pub mod view;
