//! Who may ask. Secrets are compared in constant time and never logged.

use super::problem::Problem;
use crate::config::Secret;
use axum::http::{HeaderMap, StatusCode, header};

/// Who is taken for the backend.
#[derive(Clone, Debug, Default)]
pub struct Auth {
    /// Tokens any one of which makes a caller the backend. None at all: every caller is (on loopback only; the
    /// configuration sees to that).
    pub service_tokens: Vec<Secret>,
}

impl Auth {
    /// Whether the caller may act as the backend.
    pub fn backend(&self, headers: &HeaderMap) -> Result<(), Problem> {
        if self.service_tokens.is_empty() {
            return Ok(());
        }
        let refused = |detail| Err(Problem::new(StatusCode::UNAUTHORIZED, detail));
        let Some(given) = headers.get(header::AUTHORIZATION) else {
            return refused("this needs a service token: send `Authorization: Bearer <token>`");
        };
        let Some(token) = bearer(given.as_bytes()) else {
            return refused("the Authorization header is not `Bearer <token>`");
        };
        // Every token is compared, so that the time taken does not tell which one came close.
        let known = self
            .service_tokens
            .iter()
            .fold(false, |known, secret| known | secret.is(token));
        if known {
            Ok(())
        } else {
            refused("this is not a service token of this instance")
        }
    }
}

fn bearer(header: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = header.split_at_checked(7)?;
    scheme
        .eq_ignore_ascii_case(b"Bearer ")
        .then(|| token.trim_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(auth: &Auth, authorization: Option<&'static str>) -> Result<(), u16> {
        let mut headers = HeaderMap::new();
        if let Some(value) = authorization {
            headers.insert(header::AUTHORIZATION, value.parse().unwrap());
        }
        auth.backend(&headers).map_err(|problem| problem.status)
    }

    #[test]
    fn only_a_service_token_makes_the_backend() {
        let auth = Auth {
            service_tokens: vec![
                Secret::new("first-first-first"),
                Secret::new("other-other-other"),
            ],
        };
        assert_eq!(ask(&auth, Some("Bearer first-first-first")), Ok(()));
        assert_eq!(ask(&auth, Some("bearer other-other-other")), Ok(()));
        for bad in [
            None,
            Some("Bearer first-first-firs"),
            Some("Bearer "),
            Some("Basic first-first-first"),
            Some("x"),
        ] {
            assert_eq!(ask(&auth, bad), Err(401), "{bad:?}");
        }
    }

    #[test]
    fn without_tokens_every_caller_is_the_backend() {
        assert_eq!(ask(&Auth::default(), None), Ok(()));
    }
}
