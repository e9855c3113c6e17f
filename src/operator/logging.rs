//! The log's form: for people on a terminal, JSON otherwise.

use super::traces;
use schemars::JsonSchema;
use serde::Deserialize;
use std::io::IsTerminal;
use std::sync::OnceLock;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry, fmt, reload};

/// The targets that `debug` and `trace` alone are about: this service's own steps, and what Kafka's client says of itself.
const OURS: [&str; 2] = ["slackwater", "librdkafka"];

/// What the log holds, and how it looks: the table `[logging]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// A filter that [`EnvFilter`] takes, in which `debug` and `trace` alone are about this service's own steps. Default `info`.
    pub level: String,
    /// How lines look. Default [`Format::Auto`].
    pub format: Format,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// For people on a terminal, JSON elsewhere.
    #[default]
    Auto,
    /// For people.
    Human,
    /// An object a line.
    Json,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            level: "info".to_owned(),
            format: Format::Auto,
        }
    }
}

/// What the running log lets through.
static LEVEL: OnceLock<reload::Handle<EnvFilter, Registry>> = OnceLock::new();

/// Starts writing the log to standard error. A second call has no effect.
pub fn start(options: &Options) {
    start_with_traces(options, None);
}

/// As [`start`], with spans that are sent to a collector, if there is what sends them.
pub fn start_with_traces(options: &Options, send: Option<traces::SendRequest>) {
    let (filter, handle) = reload::Layer::new(filter_of(&options.level));
    let human = match options.format {
        Format::Human => true,
        Format::Json => false,
        Format::Auto => std::io::stderr().is_terminal(),
    };
    let lines = fmt::layer().with_writer(std::io::stderr);
    let lines: Box<dyn Layer<_> + Send + Sync> = if human {
        let lines = lines.with_target(false);
        lines.with_ansi(std::io::stderr().is_terminal()).boxed()
    } else {
        let lines = lines.json().flatten_event(true);
        lines.with_current_span(false).with_span_list(false).boxed()
    };
    let (traces, mistake) = match send.map(traces::layer) {
        None => (None, None),
        Some(Ok(traces)) => (Some(traces), None),
        Some(Err(mistake)) => (None, Some(mistake)),
    };
    let spans = Targets::new().with_target(traces::TARGET, LevelFilter::INFO);
    let started = tracing_subscriber::registry()
        .with(lines.with_filter(filter))
        .with(traces.map(|traces| traces.with_filter(spans)))
        .try_init();
    if let Some(mistake) = mistake {
        tracing::error!(
            error = &mistake as &dyn std::error::Error,
            "no traces are sent: {mistake}"
        );
    }
    if started.is_err() || LEVEL.set(handle).is_err() {
        tracing::debug!("the log was started before");
    }
}

/// From now on the log lets this through. No effect before it is started.
pub fn set_level(level: &str) {
    if let Some(handle) = LEVEL.get()
        && let Err(error) = handle.reload(filter_of(level))
    {
        tracing::warn!(
            error = &error as &dyn std::error::Error,
            "the log's level stays as it was: {error}"
        );
    }
}

fn filter_of(level: &str) -> EnvFilter {
    // Spans are for the collector alone.
    let no_spans = format!("{}=off", traces::TARGET);
    EnvFilter::try_new(format!("{},{no_spans}", directives(level)))
        .unwrap_or_else(|_| EnvFilter::new(format!("info,{no_spans}")))
}

/// A level as the filter takes it. One word such as `debug` would be about every library too, and sled alone writes so many lines
/// that nothing else is found: it is about ours, and whoever wants a library's steps names it (`debug,hyper=debug`).
fn directives(level: &str) -> String {
    let mut of_ours = Vec::new();
    let mut others = Vec::new();
    for part in level.split(',').map(str::trim) {
        match part.parse::<LevelFilter>() {
            Ok(verbose) if LevelFilter::INFO < verbose => {
                of_ours.push("info".to_owned());
                of_ours.extend(OURS.map(|target| format!("{target}={verbose}")));
            }
            _ => others.push(part.to_owned()),
        }
    }
    // Of two for the same target the last is taken.
    of_ours.append(&mut others);
    of_ours.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A failure means that nobody finds our own steps among those of sled, or cannot ask for a library's.
    #[test]
    fn debug_alone_is_about_our_own_steps_and_a_library_can_be_named() {
        let check = |level: &str, expected: &str| {
            assert_eq!(directives(level), expected);
            assert!(EnvFilter::try_new(expected).is_ok(), "{expected}");
        };
        check("info", "info");
        check("warn,slackwater::log=debug", "warn,slackwater::log=debug");
        check("debug", "info,slackwater=debug,librdkafka=debug");
        check("TRACE", "info,slackwater=trace,librdkafka=trace");
        check(
            "sled=debug, debug",
            "info,slackwater=debug,librdkafka=debug,sled=debug",
        );
        check(
            "slackwater=warn,debug",
            "info,slackwater=debug,librdkafka=debug,slackwater=warn",
        );
    }
}
