//! Secrets and settings from the environment, from a file, or as they are written.

use crate::config::Environment;

/// What a token begins with that is made at the first start.
pub(in crate::config) const MADE: &str = "made:";

/// The text that a value stands for, written as `env:NAME`, `file:PATH` or plainly, without line ends behind it. Errors: what was
/// found instead, without anything secret.
pub(in crate::config) fn secret_text(
    written: &str,
    environment: &Environment<'_>,
) -> Result<String, String> {
    let word = if let Some(name) = written.strip_prefix("env:") {
        let value = (environment.variable)(name);
        value.ok_or_else(|| format!("env:{}, which is not set", name.escape_debug()))?
    } else if let Some(path) = written.strip_prefix("file:") {
        std::fs::read_to_string(path)
            .map_err(|why| format!("file:{}, which cannot be read: {why}", path.escape_debug()))?
    } else if written.starts_with(MADE) {
        let written = written.escape_debug();
        return Err(format!("{written}, and only auth.service_tokens are made"));
    } else {
        written.to_owned()
    };
    Ok(word.trim_end_matches(['\r', '\n']).to_owned())
}
