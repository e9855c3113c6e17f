//! A connection to PostgreSQL. The only file that names its client.
//!
//! Nothing of a session is relied on, since a pooler in transaction mode gives each transaction another: no statement is prepared
//! under a name, and no setting outlives its transaction.

use super::database_tls::{Check, SslMode, client_config};
use super::database_url::DatabaseUrl;
use crate::api::auth::secret::Secret;
use futures_util::{Stream, TryStreamExt};
use std::time::Duration;
use tokio::task::AbortHandle;
use tokio_postgres::config::Host;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Config, NoTls, SimpleQueryMessage, config};
use tokio_postgres_rustls::MakeRustlsConnect;

pub use super::database_tls::TlsError;
pub use super::database_url::UrlError;
pub use tokio_postgres::Row;
pub use tokio_postgres::types::{FromSql, ToSql, Type};

/// How long the server may take to accept a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long packets may go unanswered before the connection is given up.
const UNANSWERED_MAX: Duration = Duration::from_secs(60);

/// A connection. When this is dropped, it ends.
#[derive(Debug)]
pub struct Database {
    client: Client,
    connection: AbortHandle,
    place: Place,
}

/// Where a database is, without anything secret.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// A host, or the folder of a socket.
    pub host: String,
    /// The port.
    pub port: u16,
    /// The name of the database.
    pub database: String,
}

/// Why the database did not do as asked. What the server said is the source.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// The address is none.
    #[error(transparent)]
    Url(#[from] UrlError),
    /// The client cannot use the address.
    #[error("the database's address cannot be used")]
    Address(#[source] tokio_postgres::Error),
    /// No encrypted connection can be made.
    #[error("connecting to the database")]
    Tls(#[from] TlsError),
    /// No connection was made.
    #[error("connecting to the database")]
    Connect(#[source] tokio_postgres::Error),
    /// A statement failed.
    #[error("asking the database")]
    Statement(#[from] tokio_postgres::Error),
}

impl DatabaseError {
    /// Whether a lock was not to be had in time, so that the statement may be tried again.
    pub fn is_lock_timeout(&self) -> bool {
        let DatabaseError::Statement(error) = self else {
            return false;
        };
        let codes = [
            SqlState::LOCK_NOT_AVAILABLE,
            SqlState::T_R_DEADLOCK_DETECTED,
        ];
        error.code().is_some_and(|code| codes.contains(code))
    }

    /// Whether the role may not do this.
    pub fn is_forbidden(&self) -> bool {
        let DatabaseError::Statement(error) = self else {
            return false;
        };
        error.code() == Some(&SqlState::INSUFFICIENT_PRIVILEGE)
    }

    /// Whether the connection is gone, so that only another can go on.
    pub fn is_closed(&self) -> bool {
        match self {
            DatabaseError::Statement(error) => error.is_closed(),
            _ => true,
        }
    }
}

impl Database {
    /// Connects to the database at `address`.
    pub async fn connect(address: &Secret) -> Result<Database, DatabaseError> {
        let url: DatabaseUrl = address.reveal().parse()?;
        let mut config: Config = url.for_client.parse().map_err(DatabaseError::Address)?;
        config.connect_timeout(CONNECT_TIMEOUT);
        config.tcp_user_timeout(UNANSWERED_MAX);
        if config.get_application_name().is_none() {
            config.application_name("slackwater");
        }
        let place = Place::of(&config);
        let (mode, check) = match url.tls {
            SslMode::Off => (config::SslMode::Disable, None),
            SslMode::IfOffered => (config::SslMode::Prefer, Some(Check::Nothing)),
            SslMode::Always(check) => (config::SslMode::Require, Some(check)),
        };
        config.ssl_mode(mode);
        let (client, connection) = match check {
            None => {
                let (client, connection) = config
                    .connect(NoTls)
                    .await
                    .map_err(DatabaseError::Connect)?;
                (client, tokio::spawn(run(connection)).abort_handle())
            }
            Some(check) => {
                let tls = MakeRustlsConnect::new(client_config(&check)?);
                let (client, connection) =
                    config.connect(tls).await.map_err(DatabaseError::Connect)?;
                (client, tokio::spawn(run(connection)).abort_handle())
            }
        };
        Ok(Database {
            client,
            connection,
            place,
        })
    }

    /// Where it is.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// Whether the connection is gone, so that only another can go on.
    pub fn is_closed(&self) -> bool {
        self.client.is_closed()
    }

    /// Runs statements; several are one transaction, unless they say otherwise.
    pub async fn run(&self, statements: &str) -> Result<(), DatabaseError> {
        Ok(self.client.batch_execute(statements).await?)
    }

    /// The rows of a query without parameters, every column as text.
    pub async fn texts(&self, query: &str) -> Result<Vec<Vec<Option<String>>>, DatabaseError> {
        let messages = self.client.simple_query(query).await?;
        let rows = messages.into_iter().filter_map(|message| match message {
            SimpleQueryMessage::Row(row) => Some(
                (0..row.len())
                    .map(|nth| row.try_get(nth).ok().flatten().map(str::to_owned))
                    .collect(),
            ),
            _ => None,
        });
        Ok(rows.collect())
    }

    /// The rows of a query with parameters, `$1` and so on, each with its type.
    pub async fn rows(
        &self,
        query: &str,
        parameters: &[(&(dyn ToSql + Sync), Type)],
    ) -> Result<Vec<Row>, DatabaseError> {
        Ok(self.client.query_typed(query, parameters).await?)
    }

    /// The rows of a query one by one as they come: the server waits while nobody takes them.
    pub async fn stream(
        &self,
        query: &str,
    ) -> Result<impl Stream<Item = Result<Row, DatabaseError>> + use<>, DatabaseError> {
        let none: [(&(dyn ToSql + Sync), Type); 0] = [];
        let rows = self.client.query_typed_raw(query, none).await?;
        Ok(rows.map_err(DatabaseError::Statement))
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        self.connection.abort();
    }
}

impl Place {
    /// The address of this database for a role, to be shown: `PASSWORD` stands where the role's belongs. A folder is no host of a URL.
    pub fn address_for(&self, role: &str) -> String {
        let Place {
            host,
            port,
            database,
        } = self;
        match host.starts_with('/') {
            true => {
                format!("host={host} port={port} user={role} password=PASSWORD dbname={database}")
            }
            false => format!("postgres://{role}:PASSWORD@{host}:{port}/{database}"),
        }
    }

    fn of(config: &Config) -> Place {
        const DEFAULT_PORT: u16 = 5432;
        let host = match config.get_hosts().first() {
            Some(Host::Tcp(host)) => host.clone(),
            Some(Host::Unix(folder)) => folder.display().to_string(),
            None => String::new(),
        };
        Place {
            host,
            port: config.get_ports().first().copied().unwrap_or(DEFAULT_PORT),
            database: config
                .get_dbname()
                .or(config.get_user())
                .unwrap_or_default()
                .to_owned(),
        }
    }
}

/// Moves what is sent and received. Its end shows in the statement that is being run, or in the next.
async fn run(connection: impl Future<Output = Result<(), tokio_postgres::Error>>) {
    if let Err(error) = connection.await {
        tracing::debug!(%error, "the connection to the database ended: {error}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::str::FromStr;

    #[test]
    fn the_address_that_is_shown_for_a_role_leads_to_the_same_place() {
        for host in ["127.0.0.1", "db.example", "/var/run/postgresql"] {
            let place = Place {
                host: host.to_owned(),
                port: 5433,
                database: "mastodon_production".to_owned(),
            };
            let shown = place.address_for("slackwater");
            let url = DatabaseUrl::from_str(&shown).expect("an address");
            let config = Config::from_str(&url.for_client).expect("an address for the client");
            assert_eq!(Place::of(&config), place, "{shown}");
            assert_eq!(config.get_user(), Some("slackwater"), "{shown}");
        }
    }
}
