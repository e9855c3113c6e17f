//! Traces for OpenTelemetry: a made-up collector is sent spans of what the real binary does, and nothing that is a secret; one that is
//! away or hangs keeps nobody.

use crate::metrics::{LATE, note, two_readers};
use crate::support::instance::{self, Around, Instance, OFTEN};
use crate::support::upstream::StandIn;
use crate::support::{DEADLINE, wait_for};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use prost::Message;
use slackwater::clock;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tempfile::TempDir;

/// A made-up collector: it keeps what it is sent, and accepts it.
struct Collector {
    address: String,
    bodies: Arc<Mutex<Vec<Vec<u8>>>>,
}

/// A span as a test looks at it.
#[derive(Debug)]
struct Span {
    name: String,
    kind: SpanKind,
    attributes: BTreeMap<String, String>,
    /// Whether it is a part of another.
    is_part: bool,
    nanoseconds: u64,
}

impl Collector {
    fn start() -> Collector {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let bodies = Arc::<Mutex<Vec<_>>>::default();
        let kept = Arc::clone(&bodies);
        // It ends with the test's process: it only waits.
        std::thread::spawn(move || {
            for connection in listener.incoming().map_while(Result::ok) {
                let kept = Arc::clone(&kept);
                std::thread::spawn(move || take_all(&connection, &kept));
            }
        });
        Collector { address, bodies }
    }

    /// The spans it has been sent, with the name of the service in them.
    fn spans(&self) -> (String, Vec<Span>) {
        let mut service = String::new();
        let mut spans = Vec::new();
        for body in &*self.bodies.lock().unwrap() {
            let request = ExportTraceServiceRequest::decode(&**body).unwrap();
            for resource in request.resource_spans {
                let of = resource.resource.unwrap().attributes;
                let name = of.iter().find(|it| it.key == "service.name").unwrap();
                service = text(name.value.clone().unwrap().value.unwrap());
                for span in resource.scope_spans.into_iter().flat_map(|it| it.spans) {
                    assert!(span.events.is_empty(), "no lines of the log: {span:?}");
                    let attributes = span.attributes.into_iter();
                    let attributes = attributes.map(|it| {
                        let value = it.value.unwrap().value.unwrap();
                        (it.key, text(value))
                    });
                    spans.push(Span {
                        kind: SpanKind::try_from(span.kind).unwrap(),
                        name: span.name,
                        attributes: attributes.collect(),
                        is_part: !span.parent_span_id.is_empty(),
                        nanoseconds: span.end_time_unix_nano - span.start_time_unix_nano,
                    });
                }
            }
        }
        (service, spans)
    }

    /// Waits for a span of this name.
    fn wait_for(&self, name: &str) -> Span {
        wait_for(&format!("a span {name:?}"), || {
            let (_, spans) = self.spans();
            spans.into_iter().find(|span| span.name == name)
        })
    }
}

fn text(value: Value) -> String {
    match value {
        Value::StringValue(text) => text,
        Value::IntValue(number) => number.to_string(),
        other => format!("{other:?}"),
    }
}

/// Takes requests of a connection until it ends.
fn take_all(connection: &TcpStream, kept: &Mutex<Vec<Vec<u8>>>) -> Option<()> {
    let mut reader = BufReader::new(connection);
    loop {
        let mut length = 0;
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|read| *read != 0)?;
        assert!(line.starts_with("POST /v1/traces "), "{line}");
        while line.trim() != "" {
            line.clear();
            reader.read_line(&mut line).ok()?;
            let lower = line.to_ascii_lowercase();
            if let Some(bytes) = lower.strip_prefix("content-length:") {
                length = bytes.trim().parse().unwrap();
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).ok()?;
        kept.lock().unwrap().push(body);
        let answer =
            b"HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: 0\r\n\r\n";
        { connection }.write_all(answer).ok()?;
    }
}

/// What the service is started with for a collector at this address.
fn around(endpoint: &str) -> Around {
    let variables = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint),
        ("OTEL_SERVICE_NAME", "home.example"),
        ("OTEL_BSP_SCHEDULE_DELAY", "50"),
    ];
    Around {
        environment: variables
            .map(|(name, value)| (name.to_owned(), PathBuf::from(value)))
            .to_vec(),
        ..Around::default()
    }
}

/// A failure means that an operator does not see where the time goes, or that a trace holds what is nobody else's business.
#[test]
fn a_collector_is_sent_requests_batches_checkpoints_and_calls_of_the_backend_and_no_secret() {
    let collector = Collector::start();
    let backend = StandIn::start();
    let token = backend.token("7", "read");
    let dir = TempDir::new().unwrap();
    let config = instance::built_in(&format!("{OFTEN}{}", backend.config()));
    let mut instance = Instance::start_within(dir.path(), &config, around(&collector.address));
    let door = &instance.door;
    instance.wait_until_ready();
    two_readers(door);
    let post =
        note(LATE, 1, Duration::from_secs(600)).replace("post 1", "what nobody else may read");
    door.post_lines("/v1/activities", &[post]);
    let home = door
        .request(reqwest::Method::GET, "/api/v1/timelines/home?limit=7")
        .bearer_auth(&token)
        .send()
        .unwrap();
    assert_ne!(home.status(), 401);
    assert_eq!(door.get("/v1/accounts/none/feeds/home").status, 404);

    let posted = collector.wait_for("POST /v1/activities");
    assert_eq!(posted.kind, SpanKind::Server);
    assert!(0 < posted.nanoseconds && !posted.is_part, "{posted:?}");
    let has = |span: &Span, name: &str, value: &str| {
        let there = span.attributes.get(name).map(String::as_str);
        assert_eq!(there, Some(value), "{name} of {span:?}");
    };
    has(&posted, "http.route", "/v1/activities");
    has(&posted, "http.request.method", "POST");
    has(&posted, "http.response.status_code", "202");
    let read = collector.wait_for("GET /v1/accounts/{account}/feeds/{feed}");
    has(&read, "http.response.status_code", "404");
    let batch = collector.wait_for("batch");
    let records: u64 = batch.attributes["records"].parse().unwrap();
    assert!((1..=8).contains(&records), "{batch:?}");
    assert!(!collector.wait_for("checkpoint").is_part);
    let asked = collector.wait_for("GET /api/v1/accounts/verify_credentials");
    assert_eq!(asked.kind, SpanKind::Client);
    assert!(asked.is_part, "of the request that it was for: {asked:?}");
    has(&asked, "http.response.status_code", "200");

    // The last ones are sent when it ends.
    let (status, _) = instance.terminate();
    assert!(status.success());
    let (service, spans) = collector.spans();
    assert_eq!(service, "home.example");
    assert!(spans.len() < 2_000, "{} spans", spans.len());
    for body in &*collector.bodies.lock().unwrap() {
        let body = String::from_utf8_lossy(body);
        for secret in [&*token, "what nobody else may read", LATE, "limit=7"] {
            assert!(!body.contains(secret), "{secret} in {body}");
        }
    }
    // And none of them is in the log.
    assert!(!instance.said().contains("slackwater_traces"));
}

/// A failure means that a collector which is away or hangs costs readers their service.
#[test]
fn a_collector_that_is_away_or_hangs_keeps_nobody() {
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap();
    let hangs = format!("http://{}", nobody.local_addr().unwrap());
    let away = {
        let gone = TcpListener::bind("127.0.0.1:0").unwrap();
        format!("http://{}", gone.local_addr().unwrap())
    };
    for (endpoint, is_away) in [(away, true), (hangs, false)] {
        let dir = TempDir::new().unwrap();
        let config = instance::built_in("");
        let mut instance = Instance::start_within(dir.path(), &config, around(&endpoint));
        instance.wait_until_ready();
        two_readers(&instance.door);
        // More than may wait, so that some are dropped.
        let begun = clock::stopwatch();
        for _ in 0..3_000 {
            assert_eq!(instance.door.get("/v1/feeds/public").status, 200);
        }
        assert!(begun.elapsed() < DEADLINE, "{:?}", begun.elapsed());
        if is_away {
            wait_for("a word about it", || {
                let said = instance.said();
                said.contains("the collector takes no traces").then_some(())
            });
            let said = instance.said();
            assert_eq!(said.matches("the collector takes no traces").count(), 1);
        }
        let (status, took) = instance.terminate();
        assert!(status.success());
        assert!(took < Duration::from_secs(15), "{took:?}");
    }
}

#[test]
fn an_address_that_is_none_is_said_and_the_service_goes_on() {
    let dir = TempDir::new().unwrap();
    let config = instance::built_in("");
    let instance = Instance::start_within(dir.path(), &config, around("not an address"));
    instance.wait_until_ready();
    let said = instance.said();
    assert!(said.contains("no traces are sent: "), "{said}");
}
