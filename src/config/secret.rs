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

    /// The word itself, for whom it is meant.
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

/// What a value written as `env:NAME`, `file:PATH` or plainly stands for, without line ends behind it; else what
/// was found instead, fit to be shown.
pub(super) fn secret_text(
    written: &str,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<String, String> {
    let word = if let Some(name) = written.strip_prefix("env:") {
        env(name).ok_or_else(|| format!("env:{}, which is not set", name.escape_debug()))?
    } else if let Some(path) = written.strip_prefix("file:") {
        std::fs::read_to_string(path)
            .map_err(|why| format!("file:{}, which cannot be read: {why}", path.escape_debug()))?
    } else {
        written.to_owned()
    };
    Ok(word.trim_end_matches(['\r', '\n']).to_owned())
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
