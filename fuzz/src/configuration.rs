//! The configuration file.

use slackwater::config::{Environment, MissingToken, parse};

/// A failure means that a slip in the file stops the service without a word, or that a mistake is not said.
pub fn holds(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else {
        return;
    };
    // Nothing of the machine is read: what is `file:` or `made:` names no file, and what is `env:` is the name itself.
    if text.contains("file:") || text.contains("made:") {
        return;
    }
    let environment = Environment {
        variable: &|name| Some(name.to_owned()),
        memory_bytes: 0,
        variables: Vec::new(),
        missing_token: MissingToken::Assume,
    };
    let read = |text: &str| parse(text, "fuzz.toml", &environment);
    match read(text) {
        Ok(config) => {
            assert_eq!(read(text).ok(), Some(config), "it is read in two ways");
        }
        Err(mistakes) => {
            assert!(!mistakes.0.is_empty(), "it is refused without a mistake");
            // The end of a file that ends with a line break is on a line of its own.
            let lines = text.split('\n').count();
            for mistake in &mistakes.0 {
                assert!(
                    mistake.line.is_none_or(|line| (1..=lines).contains(&line)),
                    "{mistake:?}"
                );
                assert!(
                    mistake.file == "fuzz.toml" && !mistake.allowed.is_empty(),
                    "{mistake:?}"
                );
            }
            assert!(!mistakes.to_string().is_empty());
        }
    }
}
