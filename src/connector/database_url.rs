//! The address of a PostgreSQL, as `DATABASE_URL` has it: a URL, or words such as `host=localhost dbname=mastodon`.

use super::database_tls::{Check, SslMode};
use std::path::PathBuf;
use std::str::FromStr;
use url::Url;

/// An address, with what concerns TLS taken out: the client knows fewer modes than libpq has.
#[derive(Debug)]
pub(super) struct DatabaseUrl {
    /// What is left for the client.
    pub(super) for_client: String,
    /// Whether and how the connection is encrypted.
    pub(super) tls: SslMode,
}

/// What is wrong with an address. It shows nothing of it, since it may hold a password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// It is neither a URL nor words.
    #[error(
        "the database's address is no URL such as postgres://USER:PASSWORD@HOST:5432/DATABASE, nor words such as \
         host=/var/run/postgresql dbname=DATABASE"
    )]
    Form,
    /// There is no such mode.
    #[error("sslmode={0}: allowed are disable, allow, prefer, require, verify-ca and verify-full")]
    Mode(String),
    /// The file of certificates is asked for without a check.
    #[error(
        "sslrootcert needs sslmode=verify-ca or sslmode=verify-full, else no certificate is checked"
    )]
    Unchecked,
}

/// Whether this is an address.
pub fn check(text: &str) -> Result<(), UrlError> {
    DatabaseUrl::from_str(text).map(|_| ())
}

impl FromStr for DatabaseUrl {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<DatabaseUrl, UrlError> {
        let text = text.trim();
        let (mut mode, mut roots) = (None, None);
        let mut take = |key: &str, value: &str| match key {
            "sslmode" => {
                mode = Some(value.to_owned());
                true
            }
            "sslrootcert" => {
                roots = Some(value.to_owned());
                true
            }
            // Rails takes these as its own.
            "pool"
            | "prepared_statements"
            | "advisory_locks"
            | "encoding"
            | "schema_search_path" => true,
            _ => false,
        };
        let for_client = if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            // A host that is a folder, with a socket in it, is no host of a URL: then nothing is there to be read as one.
            let mut url = Url::parse(text).map_err(|_| UrlError::Form)?;
            let pairs: Vec<(String, String)> = url.query_pairs().into_owned().collect();
            let kept: Vec<_> = pairs
                .iter()
                .filter(|(key, value)| !take(key, value))
                .collect();
            url.set_query(None);
            if !kept.is_empty() {
                url.query_pairs_mut().extend_pairs(kept);
            }
            url.to_string()
        } else if text.contains('=') && !text.contains("://") {
            let kept = text
                .split_whitespace()
                .filter(|word| match word.split_once('=') {
                    Some((key, value)) => !take(key, value.trim_matches('\'')),
                    None => true,
                });
            kept.collect::<Vec<_>>().join(" ")
        } else {
            return Err(UrlError::Form);
        };
        let check = match (mode.as_deref(), roots) {
            (Some("verify-ca"), roots) => Check::Issuer(roots.map(PathBuf::from)),
            (Some("verify-full"), roots) => Check::IssuerAndName(roots.map(PathBuf::from)),
            (_, Some(_)) => return Err(UrlError::Unchecked),
            (_, None) => Check::Nothing,
        };
        let tls = match mode.as_deref() {
            Some("disable") => SslMode::Off,
            // "allow" begins without; who offers TLS is taken at its word sooner, which does no harm.
            None | Some("allow" | "prefer") => SslMode::IfOffered,
            Some("require" | "verify-ca" | "verify-full") => SslMode::Always(check),
            Some(other) => return Err(UrlError::Mode(other.escape_debug().to_string())),
        };
        Ok(DatabaseUrl { for_client, tls })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<(String, SslMode), UrlError> {
        DatabaseUrl::from_str(text).map(|url| (url.for_client, url.tls))
    }

    #[test]
    fn what_concerns_tls_is_taken_out_of_an_address_and_the_rest_is_left() {
        let at = "postgres://m:p%40ss@db.example:6432/mastodon";
        for (written, left, tls) in [
            (at.to_owned(), at, SslMode::IfOffered),
            (format!("{at}?sslmode=disable"), at, SslMode::Off),
            (
                format!("{at}?sslmode=require&pool=5"),
                at,
                SslMode::Always(Check::Nothing),
            ),
            (
                format!("{at}?sslmode=verify-full"),
                at,
                SslMode::Always(Check::IssuerAndName(None)),
            ),
            (
                format!("{at}?sslmode=verify-ca&sslrootcert=/etc/ca.pem"),
                at,
                SslMode::Always(Check::Issuer(Some("/etc/ca.pem".into()))),
            ),
            (
                "host=/run/postgresql dbname=mastodon sslmode=disable".to_owned(),
                "host=/run/postgresql dbname=mastodon",
                SslMode::Off,
            ),
        ] {
            assert_eq!(read(&written), Ok((left.to_owned(), tls)), "{written}");
        }
        let application = format!("{at}?application_name=x");
        assert_eq!(read(&application).unwrap().0, application);
    }

    #[test]
    fn an_address_that_is_none_is_refused_without_showing_it() {
        for wrong in [
            "",
            "secret",
            "mysql://a:secret@b/c",
            "postgres://a:secret@b:port/c",
        ] {
            let error = read(wrong).unwrap_err();
            assert_eq!(error, UrlError::Form, "{wrong}");
            assert!(!error.to_string().contains("secret"));
        }
        let at = "postgres://m@h/d";
        assert_eq!(
            read(&format!("{at}?sslmode=on")),
            Err(UrlError::Mode("on".to_owned()))
        );
        assert_eq!(
            read(&format!("{at}?sslrootcert=/x")),
            Err(UrlError::Unchecked)
        );
        assert_eq!(
            read(&format!("{at}?sslmode=require&sslrootcert=/x")),
            Err(UrlError::Unchecked)
        );
    }
}
