//! The settings of the demo: its configuration as a file that may be edited while it runs, and its accounts.

use super::DemoError;
use super::fediverse::people::{DeliveryStyle, PEOPLE, Person};
use super::fediverse::relationships;
use crate::config::settings::Settings;
use crate::config::{self, Config, MissingToken};
use serde_json::Value;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// The account whose feed is shown first: it waits for nobody.
pub const ACCOUNT: &str = "demo";

/// Accounts beside that: their names, their patience, and whether they follow the origin that holds posts for long.
const PATIENT: [(&str, &str, bool); 2] = [
    ("demo-patient-30s", "30s", true),
    ("demo-patient-30s-without-threads-like", "30s", false),
];

/// Writes the configuration into the demo's folder, and reads it as `serve` does. Where it is, and what it says.
pub fn configuration(
    folder: &Path,
    listen: SocketAddr,
) -> Result<(PathBuf, (Config, Settings)), DemoError> {
    let file = folder.join("slackwater.toml");
    let within = |name: &str| Value::from(folder.join(name).display().to_string());
    // A string of JSON is one of TOML too.
    let text = format!(
        r#"# The demo. What is below [ordering] is in force as soon as this file is saved.
[log]
path = {log}
[feed]
path = {feeds}
[http]
listen = "{listen}"
[logging]
level = "warn"
[stream]
connections_max = 500

[ordering]
reorder_window = "2s"

[ordering.origin."threads-like.example"]
reorder_window = "21s"
[ordering.origin."bridge.example"]
reorder_window = "12s"
# slow.example has no window of its own yet: its page says which one would find its posts in time.
"#,
        log = within("log"),
        feeds = within("feeds"),
    );
    std::fs::write(&file, text).map_err(|source| DemoError::Folder {
        path: file.display().to_string(),
        source,
    })?;
    let read = config::load_with_settings(Some(&file), MissingToken::Assume);
    let read = read.map_err(|e| DemoError::Settings(e.to_string()))?;
    Ok((file, read))
}

/// The documents of all accounts.
pub fn accounts() -> Vec<Value> {
    let everybody: Vec<&Person> = PEOPLE.iter().collect();
    let quick: Vec<&Person> = everybody
        .iter()
        .filter(|it| it.style() != DeliveryStyle::ThreadsLike)
        .copied()
        .collect();
    let mut documents = relationships(ACCOUNT, "0s", &everybody);
    for (account, patience, follows_all) in PATIENT {
        let follows = if follows_all { &everybody } else { &quick };
        documents.extend(relationships(account, patience, follows));
    }
    documents
}

#[cfg(test)]
mod tests {
    use super::*;
    use slackwater_order::window::ReorderWindow;
    use std::time::Duration;

    /// A failure means that the demo shows another story than it tells.
    #[test]
    fn its_file_is_a_configuration_that_leaves_one_origin_without_a_window() {
        let folder = tempfile::tempdir().unwrap();
        let listen = SocketAddr::from(([127, 0, 0, 1], 8787));
        let (file, (config, _)) = configuration(folder.path(), listen).unwrap();
        assert_eq!(config.listen, listen);
        assert!(config.store.path.starts_with(folder.path()));
        assert_eq!(config::load(&file).unwrap(), config);
        let windows = &config.pipeline.engine.windows;
        let window = |host: &str| windows.of(host).reorder_window;
        let fixed = |seconds| ReorderWindow::Fixed(Duration::from_secs(seconds));
        assert_eq!(window("threads-like.example"), fixed(21));
        assert_eq!(window("bridge.example"), fixed(12));
        assert_eq!(window("slow.example"), fixed(2));
    }
}
