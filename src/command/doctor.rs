//! `slackwater doctor`.

use super::configuration::config_or_default;
use super::exit::{WARNINGS, WRONG};
use super::terminal::{print, tell};
use slackwater::clock;
use slackwater::doctor::{Finding, State, examine};
use std::error::Error;
use std::path::Path;
use std::process::ExitCode;

/// Prints what is found. The status says the worst of it.
pub(crate) fn doctor(file: Option<&Path>, json: bool) -> Result<ExitCode, Box<dyn Error>> {
    let (name, config) = config_or_default(file)?;
    tell(&format!("looking at what {name} calls for"));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?;
    let findings = runtime.block_on(examine(&config, clock::now()));
    // What still waits for something that does not answer does not keep us.
    runtime.shutdown_background();
    match json {
        true => print(&serde_json::to_string_pretty(&findings)?)?,
        false => findings
            .iter()
            .try_for_each(|finding| print(&line(finding)))?,
    }
    let worst = findings.iter().map(|finding| finding.state).max();
    Ok(match worst {
        Some(State::Wrong) => WRONG.into(),
        Some(State::Warning) => WARNINGS.into(),
        Some(State::Ok) | None => ExitCode::SUCCESS,
    })
}

fn line(finding: &Finding) -> String {
    let state = match finding.state {
        State::Ok => "ok      ",
        State::Warning => "warning ",
        State::Wrong => "WRONG   ",
    };
    let to_do = finding
        .to_do
        .as_ref()
        .map(|to_do| format!("\n          {to_do}"));
    format!(
        "{state}  {}: {}{}",
        finding.about,
        finding.found,
        to_do.unwrap_or_default()
    )
}
