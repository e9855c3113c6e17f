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

pub mod check;
pub mod columns;
pub mod database;
mod database_tls;
pub mod database_url;
pub mod delays;
pub mod inspect;
pub mod install;
pub mod install_sql;

use crate::api::auth::secret::Secret;

/// Where Mastodon's database is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Its address, with the password if it takes one; none if there is no such database.
    pub database: Option<Secret>,
}
