//! Mastodon's database, read into records.
//!
//! | module | what it is |
//! |---|---|
//! | [`Options`] | where the database is |
//! | [`database`] | a connection to PostgreSQL, by statements that survive a pooler; the only file that names its client |
//! | [`database_url`], `database_tls` | the address of a database, and how its certificate is checked |
//! | [`columns`] | the tables and columns of Mastodon that are read, and the versions they came with |
//! | [`install_sql`] | the statements that install and uninstall, one transaction for each |
//! | [`install`] | those statements run beside a Mastodon that works |
//! | [`inspect`], [`check`] | what is there, and what is to be done about it |
//! | [`delays`] | the delays of an instance's own posts, as a trace |
//! | [`outbox`], [`batch`] | what was noted, and put together by what it is about |
//! | [`read_back`] | rows as they are now |
//! | [`mapping`] | rows into activities and relations |
//! | [`resolve`] | what was noted, read back and said |
//! | [`account_relations`] | every relation of some accounts |
//! | [`drain`] | one turn at the outbox, into the log |
//! | [`resync`], [`import`], [`recheck`], [`progress`] | what was there before; what was not noted; and how far that has come |
//! | [`sign_in`] | when an account was last seen, and how far the installation goes |
//! | [`follow`] | all of it while the service runs |
//! | [`token_bearers`] | whose an access token is |

pub mod account_relations;
pub mod batch;
pub mod check;
pub mod columns;
pub mod database;
mod database_tls;
pub mod database_url;
pub mod delays;
pub mod drain;
pub mod follow;
pub mod import;
pub mod inspect;
pub mod install;
pub mod install_sql;
pub mod mapping;
pub mod outbox;
pub mod progress;
pub mod read_back;
pub mod recheck;
pub mod resolve;
pub mod resync;
pub mod sign_in;
pub mod token_bearers;

use crate::api::auth::secret::Secret;

/// Where Mastodon's database is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Its address, with the password if it takes one; none if there is no such database.
    pub database: Option<Secret>,
    /// The host that the instance is known by: local accounts' ids are made of it.
    pub web_domain: String,
}
