//! `slackwater copy-log`.

use super::terminal::{bar, print, show_progress};
use slackwater::config;
use slackwater::log::{Options, copy_to_kafka};
use slackwater::operator::logging;
use std::error::Error;
use std::path::Path;

/// Copies a built-in log into the topics that a configuration names.
pub(crate) fn copy_log(folder: &Path, file: &Path) -> Result<(), Box<dyn Error>> {
    let config = config::load(file)?;
    let Options::Kafka(kafka) = &config.log else {
        let file = file.display();
        return Err(format!("{file} has log.kind = \"built-in\": name the configuration that the service will have, with Kafka").into());
    };
    logging::start(&logging::Options {
        level: "warn".to_owned(),
        ..config.logging
    });
    let runtime = tokio::runtime::Runtime::new()?;
    let bar = bar("copying the log");
    let copied = copy_to_kafka::copy(folder, kafka, runtime.handle(), &mut |read, all| {
        show_progress(&bar, read, all);
    });
    bar.finish_and_clear();
    let copied = copied?.map(|(topic, records)| format!("{records} records of {}", topic.name()));
    print(&format!("copied {}", copied.join(" and ")))
}
