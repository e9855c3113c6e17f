//! Whose an access token is, as Mastodon's database has it: asked by the function that the installation made, so that the role
//! can ask about a token that it was shown and can list none.

use super::database::{Database, DatabaseError, ToSql, Type};
use crate::api::auth::registered::{Bearer, TokenRegister};
use crate::api::auth::secret::Secret;
use crate::api::auth::token::Token;
use crate::api::outgoing::Cause;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;

/// The longest time that an answer may take, connecting included: a proxy waits for it.
const ANSWER_WAIT: Duration = Duration::from_secs(2);

/// The account and the scopes of a token; no row if nobody may use it.
const BEARER: &str = "SELECT account_id, scopes FROM slackwater.token_bearer($1)";

/// The account that may use a token, by its decimal number, and the token's scopes; none if nobody may.
pub async fn bearer(database: &Database, token: &str) -> Result<Option<Bearer>, DatabaseError> {
    let parameter: &(dyn ToSql + Sync) = &token;
    let rows = database.rows(BEARER, &[(parameter, Type::TEXT)]).await?;
    let Some(row) = rows.first() else {
        return Ok(None);
    };
    Ok(Some(Bearer {
        account: row.try_get::<_, i64>(0)?.to_string(),
        scopes: row.try_get::<_, Option<String>>(1)?.unwrap_or_default(),
    }))
}

/// Asks Mastodon's database about tokens, over one connection that all share.
#[derive(Debug)]
pub struct TokenBearers {
    address: Secret,
    connection: Mutex<Option<Arc<Database>>>,
}

impl TokenBearers {
    /// Connects to the database at `address` when it is first asked.
    pub fn new(address: Secret) -> TokenBearers {
        TokenBearers {
            address,
            connection: Mutex::default(),
        }
    }

    /// The connection that is open, or another.
    async fn connection(&self) -> Result<Arc<Database>, DatabaseError> {
        let mut connection = self.connection.lock().await;
        if let Some(open) = connection.as_ref().filter(|it| !it.is_closed()) {
            return Ok(Arc::clone(open));
        }
        let opened = Arc::new(Database::connect(&self.address).await?);
        *connection = Some(Arc::clone(&opened));
        Ok(opened)
    }
}

impl TokenRegister for TokenBearers {
    fn bearer<'a>(&'a self, token: &'a Token) -> BoxFuture<'a, Result<Option<Bearer>, Cause>> {
        let answer = async {
            let asking = async { bearer(&*self.connection().await?, token.reveal()).await };
            match tokio::time::timeout(ANSWER_WAIT, asking).await {
                Ok(answer) => Ok(answer?),
                Err(elapsed) => {
                    // A connection that does not answer is not kept for the next who asks.
                    if let Ok(mut connection) = self.connection.try_lock() {
                        *connection = None;
                    }
                    Err(elapsed.into())
                }
            }
        };
        answer.boxed()
    }
}
