//! Connections that are encrypted, and certificates that are checked.

use crate::support::postgres::{Database, Version};
use slackwater::api::auth::secret::Secret;
use slackwater::connector::database;
use std::error::Error;

/// Whether the connection is encrypted; or why there is none, with its causes.
fn is_encrypted(url: &str) -> Result<bool, String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let asked = runtime.block_on(async {
        let connected = database::Database::connect(&Secret::new(url)).await?;
        connected
            .texts("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
            .await
    });
    match asked {
        Ok(rows) => Ok(rows[0][0].as_deref() == Some("t")),
        Err(error) => {
            let mut causes = vec![error.to_string()];
            let mut cause = error.source();
            while let Some(error) = cause {
                causes.push(error.to_string());
                cause = error.source();
            }
            Err(causes.join(": "))
        }
    }
}

/// A failure means that what a managed database sends can be read on the way, or that somebody else can say they are it.
#[test]
fn a_connection_is_encrypted_and_checked_as_the_address_asks() {
    let database = Database::mastodon(Version::NEWEST);
    let roots = |mode: &str, file: &str| {
        format!("sslmode={mode}&sslrootcert={}", database.certificates(file))
    };
    for (host, query, encrypted) in [
        ("127.0.0.1", "sslmode=disable", false),
        ("127.0.0.1", "sslmode=prefer", true),
        ("127.0.0.1", "sslmode=require", true),
        ("127.0.0.1", &roots("verify-ca", "authority.pem"), true),
        ("localhost", &roots("verify-ca", "authority.pem"), true),
        ("localhost", &roots("verify-full", "authority.pem"), true),
    ] {
        assert_eq!(
            is_encrypted(&database.url_at(host, query)),
            Ok(encrypted),
            "{host} {query}"
        );
    }
    for (host, query, why) in [
        (
            "127.0.0.1",
            &roots("verify-full", "authority.pem"),
            "not valid for name",
        ),
        (
            "localhost",
            &roots("verify-full", "stranger.pem"),
            "invalid peer certificate",
        ),
        (
            "localhost",
            &roots("verify-ca", "stranger.pem"),
            "invalid peer certificate",
        ),
        (
            "localhost",
            &"sslmode=verify-full".to_owned(),
            "certificate",
        ),
        (
            "localhost",
            &roots("verify-full", "nowhere.pem"),
            "reading the certificates in",
        ),
        (
            "localhost",
            &roots("verify-full", "server.key"),
            "reading the certificates in",
        ),
    ] {
        let error = is_encrypted(&database.url_at(host, query)).unwrap_err();
        assert!(error.contains(why), "{host} {query}: {error}");
    }
    // pgbouncer as it is set up here cannot encrypt.
    let pooler = database.pooled(&[]);
    assert_eq!(is_encrypted(&pooler.url()), Ok(false));
    let error = is_encrypted(&format!("{}?sslmode=require", pooler.url())).unwrap_err();
    assert!(error.contains("TLS"), "{error}");
}
