//! Traces for OpenTelemetry: spans sent to a collector (OTLP over HTTP, as protobuf), if the environment names one. Without that no
//! span is made.
//!
//! The variables are those of OpenTelemetry's specification: `OTEL_EXPORTER_OTLP_ENDPOINT` or `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT`,
//! `OTEL_EXPORTER_OTLP_HEADERS`, `OTEL_SERVICE_NAME`, `OTEL_TRACES_SAMPLER`, `OTEL_BSP_…`, `OTEL_SDK_DISABLED`.
//!
//! A span has no token, no text and nobody's name: routes and not paths, numbers and words of ours. What cannot be sent is dropped: at
//! most 2,048 spans wait, and nothing waits for them.

use crate::error_chain::chain;
use async_trait::async_trait;
use opentelemetry::KeyValue;
use opentelemetry::trace::TracerProvider;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{SpanExporter, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};
use std::fmt;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tracing::Subscriber;
use tracing_opentelemetry::OpenTelemetryLayer;
use tracing_subscriber::registry::LookupSpan;

/// The target of all spans: they go to the collector, and never to the log.
pub const TARGET: &str = "slackwater_traces";

/// The name of the service in traces, unless `OTEL_SERVICE_NAME` or `OTEL_RESOURCE_ATTRIBUTES` has another.
const SERVICE: &str = "slackwater";
/// How long the last spans may take when the service ends.
const END_WAIT: Duration = Duration::from_secs(2);

/// What sends spans, once something does.
static PROVIDER: OnceLock<SdkTracerProvider> = OnceLock::new();

/// Sends a request to the collector, and waits for its answer. It is called on a thread that does nothing else.
pub type SendRequest =
    Box<dyn Fn(Request<Bytes>) -> Result<Response<Bytes>, HttpError> + Send + Sync>;

/// Why no traces are sent though a collector is named: a variable of the environment cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct TracesError(String);

/// Where spans are handed to what sends them to the collector that the environment names.
///
/// Errors: what the environment says cannot be used.
pub(super) fn layer<S>(send: SendRequest) -> Result<OpenTelemetryLayer<S, SdkTracer>, TracesError>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
{
    let collector = Collector {
        send,
        is_away: AtomicBool::default(),
    };
    let exporter = SpanExporter::builder()
        .with_http()
        .with_http_client(collector)
        .build()
        .map_err(|source| TracesError(source.to_string()))?;
    let mut resource = Resource::builder();
    if std::env::var_os("OTEL_SERVICE_NAME").is_none() {
        resource = resource.with_service_name(SERVICE);
    }
    let version = KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
    let provider = SdkTracerProvider::builder()
        .with_resource(resource.with_attribute(version).build())
        .with_batch_exporter(exporter)
        .build();
    let tracer = provider.tracer(SERVICE);
    // A second start of the log has no effect.
    let _ = PROVIDER.set(provider);
    Ok(tracing_opentelemetry::layer()
        .with_tracer(tracer)
        .with_location(false)
        .with_threads(false)
        .with_target(false)
        .with_level(false)
        .with_tracked_inactivity(false))
}

/// Sends the last spans, if there are any, and waits for that a moment at most.
pub fn finish() {
    if let Some(provider) = PROVIDER.get()
        && let Err(error) = provider.shutdown_with_timeout(END_WAIT)
    {
        tracing::debug!(%error, "the last spans were not sent: {error}");
    }
}

/// Whether the environment names a collector, and does not say that it is not to be used.
pub fn are_asked_for() -> bool {
    are_asked_for_by(|name| std::env::var(name).ok())
}

fn are_asked_for_by(variable: impl Fn(&str) -> Option<String>) -> bool {
    let is_set = |name| variable(name).is_some_and(|value| !value.trim().is_empty());
    let is_disabled = variable("OTEL_SDK_DISABLED");
    let is_disabled = is_disabled.is_some_and(|value| value.trim().eq_ignore_ascii_case("true"));
    let endpoints = [
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
        "OTEL_EXPORTER_OTLP_ENDPOINT",
    ];
    !is_disabled && endpoints.into_iter().any(is_set)
}

/// The collector, as spans are sent to it.
struct Collector {
    send: SendRequest,
    /// Whether the last spans were not accepted: it is logged once.
    is_away: AtomicBool,
}

impl fmt::Debug for Collector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Collector")
    }
}

impl Collector {
    fn note(&self, trouble: Option<String>) {
        let is_away = trouble.is_some();
        if self.is_away.swap(is_away, Ordering::Relaxed) == is_away {
            return;
        }
        match trouble {
            Some(trouble) => tracing::warn!(
                %trouble,
                "the collector takes no traces, and they are dropped: {trouble}"
            ),
            None => tracing::info!("the collector takes traces again"),
        }
    }
}

#[async_trait]
impl HttpClient for Collector {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let answer = (self.send)(request);
        self.note(match &answer {
            Err(error) => Some(chain(&**error)),
            Ok(answer) if !answer.status().is_success() => Some(answer.status().to_string()),
            Ok(_) => None,
        });
        answer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_made_only_for_a_collector_that_is_named() {
        let check = |variables: &[(&str, &str)], expected: bool| {
            let variable = |name: &str| {
                let found = variables.iter().find(|(there, _)| *there == name);
                found.map(|(_, value)| (*value).to_owned())
            };
            assert_eq!(are_asked_for_by(variable), expected, "{variables:?}");
        };
        let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318");
        check(&[], false);
        check(&[endpoint], true);
        check(
            &[("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://c/v1/traces")],
            true,
        );
        check(&[("OTEL_EXPORTER_OTLP_ENDPOINT", " ")], false);
        check(&[endpoint, ("OTEL_SDK_DISABLED", "TRUE")], false);
        check(&[endpoint, ("OTEL_SDK_DISABLED", "no")], true);
        check(&[("OTEL_SERVICE_NAME", "home")], false);
    }
}
