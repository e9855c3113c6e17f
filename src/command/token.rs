//! `slackwater token`.

use super::configuration::config_or_default;
use super::terminal::print;
use slackwater::api::auth::jwt::{self, Algorithm};
use slackwater::api::auth::secret::Secret;
use slackwater::clock;
use std::error::Error;
use std::path::Path;
use std::time::Duration;

/// Prints a user token for `account`.
pub(crate) fn token(
    account: &str,
    file: Option<&Path>,
    scope: &str,
    lives: Duration,
    key: Option<&Path>,
) -> Result<(), Box<dyn Error>> {
    let (name, config) = config_or_default(file)?;
    let Some(options) = config.auth.jwt else {
        return Err(format!("{name} has no [auth.jwt]: tokens are signed as it says").into());
    };
    let key = match (key, options.algorithm) {
        (None, Algorithm::Hs256) => options.key.clone(),
        (None, algorithm) => {
            let algorithm = algorithm.name();
            return Err(format!("{algorithm} needs the private key: send --key FILE.pem").into());
        }
        (Some(file), _) => {
            let text = std::fs::read_to_string(file);
            Secret::new(&text.map_err(|e| format!("reading {}: {e}", file.display()))?)
        }
    };
    let minted = jwt::mint(&options, &key, account, scope, clock::now(), lives)
        .map_err(|e| format!("this is no key for {}: {e}", options.algorithm.name()))?;
    print(&minted)
}
