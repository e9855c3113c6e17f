//! Words that must not be shown, from the environment, a file or the configuration itself.

use crate::config::Environment;

/// What a value written as `env:NAME`, `file:PATH` or plainly stands for, without line ends behind it; else what
/// was found instead, fit to be shown.
pub(super) fn secret_text(written: &str, environment: &Environment<'_>) -> Result<String, String> {
    let word = if let Some(name) = written.strip_prefix("env:") {
        let value = (environment.variable)(name);
        value.ok_or_else(|| format!("env:{}, which is not set", name.escape_debug()))?
    } else if let Some(path) = written.strip_prefix("file:") {
        std::fs::read_to_string(path)
            .map_err(|why| format!("file:{}, which cannot be read: {why}", path.escape_debug()))?
    } else {
        written.to_owned()
    };
    Ok(word.trim_end_matches(['\r', '\n']).to_owned())
}
