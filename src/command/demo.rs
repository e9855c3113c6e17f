//! `slackwater demo`.

use slackwater::demo;
use slackwater::operator::logging;
use slackwater::service::signals::AtOnce;
use std::error::Error;

/// Shows the made-up fediverse.
pub(crate) fn show(options: demo::Options, at_once: &AtOnce) -> Result<(), Box<dyn Error>> {
    // Anything less than a warning would disturb the picture.
    logging::start(&logging::Options {
        level: "warn".to_owned(),
        ..logging::Options::default()
    });
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    Ok(runtime.block_on(demo::run(options, || at_once.give_up()))?)
}
