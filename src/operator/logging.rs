//! The log's form: for people on a terminal, JSON otherwise.

use schemars::JsonSchema;
use serde::Deserialize;
use std::io::IsTerminal;
use std::sync::OnceLock;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry, fmt, reload};

/// What the log holds, and how it looks: the table `[logging]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// A filter that [`EnvFilter`] takes. Default `info`.
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

/// An error with its causes, for a line of the log.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

/// What the running log lets through.
static LEVEL: OnceLock<reload::Handle<EnvFilter, Registry>> = OnceLock::new();

/// Starts writing the log to standard error. A second call has no effect.
pub fn start(options: &Options) {
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
    let started = tracing_subscriber::registry()
        .with(filter)
        .with(lines)
        .try_init();
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
    EnvFilter::try_new(level).unwrap_or_else(|_| EnvFilter::new("info"))
}
