//! Words that must not be shown.

use std::fmt;
use subtle::ConstantTimeEq;

/// A word that is never printed, and compared in the time its length takes.
#[derive(Clone)]
pub struct Secret(Box<str>);

impl Secret {
    /// Keeps `text` secret.
    pub fn new(text: &str) -> Secret {
        Secret(text.into())
    }

    /// Whether `given` is this secret, found out in a time that says nothing of where they differ.
    pub fn is(&self, given: &[u8]) -> bool {
        self.0.as_bytes().ct_eq(given).into()
    }

    /// The word itself, where it has to be used.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Secret) -> bool {
        self.is(other.0.as_bytes())
    }
}

impl Eq for Secret {}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_never_shown() {
        let secret = Secret::new("0123456789abcdef");
        assert_eq!(format!("{secret:?}"), "Secret(redacted)");
    }

    #[test]
    fn a_secret_is_itself_and_nothing_else() {
        let secret = Secret::new("0123456789abcdef");
        assert!(secret.is(b"0123456789abcdef"));
        assert!(!secret.is(b"0123456789abcdeF"));
        assert!(!secret.is(b"0123456789abcde"));
        assert!(!secret.is(b""));
    }
}
