//! What of `[kafka.client]` librdkafka will not take, found out before anything is connected to.

use super::{Listener, Options, RESERVED, consumer_client, producer};
use rdkafka::config::{ClientConfig, FromClientConfigAndContext};
use rdkafka::consumer::BaseConsumer;
use rdkafka::error::{KafkaError as ClientError, KafkaResult};
use rdkafka::types::RDKafkaConfRes;
use slackwater_engine::spelling;
use std::collections::BTreeMap;

/// A setting that cannot be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrongSetting {
    /// Its name; none if it is about all of them together.
    pub name: Option<String>,
    /// What is wrong with it. The value is never shown: it may be a password.
    pub found: String,
    /// What may be there instead.
    pub allowed: String,
    /// Which name was probably meant.
    pub guess: Option<&'static str>,
}

/// Every setting of `[kafka.client]` that is unknown, is ours to set, or has a value it cannot have.
pub fn wrong_settings(client: &BTreeMap<String, String>) -> Vec<WrongSetting> {
    let one = |(name, value): (&String, &String)| wrong(name, value);
    client.iter().filter_map(one).collect()
}

/// Why no client can be made with settings each of which is good by itself: what this build cannot do (TLS without the
/// feature `kafka-tls`), or else a file that cannot be read, settings that contradict each other. Connects to nobody.
pub fn wrong_together(options: &Options) -> Vec<WrongSetting> {
    let unsupported = |(name, value): (&String, &String)| {
        let said = said(set(name, value).err()?);
        is_unsupported(&said).then(|| WrongSetting {
            name: Some(name.clone()),
            found: format!("what this build cannot do ({})", last_part(&said)),
            allowed: "what needs no TLS; or a build with --features kafka-tls".to_owned(),
            guess: None,
        })
    };
    let unsupported: Vec<_> = options.client.iter().filter_map(unsupported).collect();
    if !unsupported.is_empty() {
        return unsupported;
    }
    let Err(error) = try_to_make(options) else {
        return Vec::new();
    };
    vec![WrongSetting {
        name: None,
        found: format!(
            "settings that librdkafka cannot start with: {}",
            last_cause(&*error)
        ),
        allowed: "settings that fit together, files that can be read".to_owned(),
        guess: None,
    }]
}

/// Both clients, made without a broker to connect to, and let go again.
fn try_to_make(options: &Options) -> Result<(), Box<dyn std::error::Error>> {
    let without_brokers = |mut settings: ClientConfig| {
        settings.remove("bootstrap.servers");
        settings
    };
    let settings = without_brokers(consumer_client::settings(options)?);
    BaseConsumer::from_config_and_context(&settings, Listener::default())?;
    let settings = without_brokers(producer::settings(options)?);
    producer::try_to_create(&settings)?;
    Ok(())
}

fn last_cause(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(source) => last_cause(source),
        None => error.to_string().trim().replace('\n', " "),
    }
}

fn wrong(name: &str, value: &str) -> Option<WrongSetting> {
    let wrong = |found: &str, allowed: String| WrongSetting {
        name: Some(name.to_owned()),
        found: found.to_owned(),
        allowed,
        guess: None,
    };
    if let Some((_, why)) = RESERVED.iter().find(|(reserved, _)| *reserved == name) {
        let found = format!("a setting that Slackwater sets itself ({why})");
        return Some(wrong(&found, "any other".to_owned()));
    }
    match set(name, value).err()? {
        ClientError::ClientConfig(RDKafkaConfRes::RD_KAFKA_CONF_UNKNOWN, ..) => {
            Some(WrongSetting {
                guess: spelling::guess(name, NAMES.into_iter()),
                ..wrong(
                    "an unknown setting",
                    "the settings of librdkafka, by their names".to_owned(),
                )
            })
        }
        error => {
            let said = said(error);
            // That is for a cluster to mind, if there is one.
            if is_unsupported(&said) {
                return None;
            }
            Some(wrong(
                "a value that librdkafka does not take",
                allowed(&said, value),
            ))
        }
    }
}

fn set(name: &str, value: &str) -> KafkaResult<()> {
    let mut settings = ClientConfig::new();
    settings.set(name, value);
    settings.create_native_config().map(drop)
}

fn said(error: ClientError) -> String {
    match error {
        ClientError::ClientConfig(_, said, ..) => said,
        error => error.to_string(),
    }
}

fn is_unsupported(said: &str) -> bool {
    said.contains("at build time")
}

fn last_part(said: &str) -> &str {
    said.rsplit(": ").next().unwrap_or(said).trim()
}

/// What librdkafka says may be there: it repeats the value, which may be a secret that went to the wrong name.
fn allowed(said: &str, value: &str) -> String {
    match said.split_once("outside allowed range ") {
        Some((_, range)) => format!("a number in the range {}", range.trim()),
        None if value.is_empty() => "a value that is not empty".to_owned(),
        None => "what librdkafka's CONFIGURATION.md says of it".to_owned(),
    }
}

/// The names of librdkafka's settings, for guesses; a setting that is not among them may be good all the same.
const NAMES: [&str; 159] = [
    "acks",
    "allow.auto.create.topics",
    "api.version.fallback.ms",
    "api.version.request",
    "api.version.request.timeout.ms",
    "auto.commit.enable",
    "auto.commit.interval.ms",
    "auto.offset.reset",
    "batch.num.messages",
    "batch.size",
    "bootstrap.servers",
    "broker.address.family",
    "broker.address.ttl",
    "broker.version.fallback",
    "check.crcs",
    "client.dns.lookup",
    "client.id",
    "client.rack",
    "compression.codec",
    "compression.level",
    "compression.type",
    "connections.max.idle.ms",
    "consume.callback.max.messages",
    "coordinator.query.interval.ms",
    "debug",
    "delivery.report.only.error",
    "delivery.timeout.ms",
    "enable.auto.commit",
    "enable.auto.offset.store",
    "enable.gapless.guarantee",
    "enable.idempotence",
    "enable.metrics.push",
    "enable.partition.eof",
    "enable.random.seed",
    "enable.sasl.oauthbearer.unsecure.jwt",
    "enable.ssl.certificate.verification",
    "fetch.error.backoff.ms",
    "fetch.max.bytes",
    "fetch.message.max.bytes",
    "fetch.min.bytes",
    "fetch.queue.backoff.ms",
    "fetch.wait.max.ms",
    "group.id",
    "group.instance.id",
    "group.protocol",
    "group.protocol.type",
    "group.remote.assignor",
    "heartbeat.interval.ms",
    "https.ca.location",
    "https.ca.pem",
    "isolation.level",
    "linger.ms",
    "log.connection.close",
    "log.thread.name",
    "log_level",
    "max.in.flight",
    "max.in.flight.requests.per.connection",
    "max.partition.fetch.bytes",
    "max.poll.interval.ms",
    "message.copy.max.bytes",
    "message.max.bytes",
    "message.send.max.retries",
    "message.timeout.ms",
    "metadata.broker.list",
    "metadata.max.age.ms",
    "metadata.recovery.rebootstrap.trigger.ms",
    "metadata.recovery.strategy",
    "offset.store.method",
    "offset.store.path",
    "offset.store.sync.interval.ms",
    "partition.assignment.strategy",
    "partitioner",
    "produce.offset.report",
    "queue.buffering.backpressure.threshold",
    "queue.buffering.max.kbytes",
    "queue.buffering.max.messages",
    "queue.buffering.max.ms",
    "queued.max.messages.kbytes",
    "queued.min.messages",
    "queuing.strategy",
    "receive.message.max.bytes",
    "reconnect.backoff.jitter.ms",
    "reconnect.backoff.max.ms",
    "reconnect.backoff.ms",
    "request.required.acks",
    "request.timeout.ms",
    "retries",
    "retry.backoff.max.ms",
    "retry.backoff.ms",
    "sasl.kerberos.keytab",
    "sasl.kerberos.kinit.cmd",
    "sasl.kerberos.min.time.before.relogin",
    "sasl.kerberos.principal",
    "sasl.kerberos.service.name",
    "sasl.mechanism",
    "sasl.mechanisms",
    "sasl.oauthbearer.assertion.algorithm",
    "sasl.oauthbearer.assertion.claim.aud",
    "sasl.oauthbearer.assertion.claim.exp.seconds",
    "sasl.oauthbearer.assertion.claim.iss",
    "sasl.oauthbearer.assertion.claim.jti.include",
    "sasl.oauthbearer.assertion.claim.nbf.seconds",
    "sasl.oauthbearer.assertion.claim.sub",
    "sasl.oauthbearer.assertion.file",
    "sasl.oauthbearer.assertion.jwt.template.file",
    "sasl.oauthbearer.assertion.private.key.file",
    "sasl.oauthbearer.assertion.private.key.passphrase",
    "sasl.oauthbearer.assertion.private.key.pem",
    "sasl.oauthbearer.client.credentials.client.id",
    "sasl.oauthbearer.client.credentials.client.secret",
    "sasl.oauthbearer.client.id",
    "sasl.oauthbearer.client.secret",
    "sasl.oauthbearer.config",
    "sasl.oauthbearer.extensions",
    "sasl.oauthbearer.grant.type",
    "sasl.oauthbearer.metadata.authentication.type",
    "sasl.oauthbearer.method",
    "sasl.oauthbearer.scope",
    "sasl.oauthbearer.token.endpoint.url",
    "sasl.password",
    "sasl.username",
    "security.protocol",
    "session.timeout.ms",
    "socket.blocking.max.ms",
    "socket.connection.setup.timeout.ms",
    "socket.keepalive.enable",
    "socket.max.fails",
    "socket.nagle.disable",
    "socket.receive.buffer.bytes",
    "socket.send.buffer.bytes",
    "socket.timeout.ms",
    "ssl.ca.certificate.stores",
    "ssl.ca.location",
    "ssl.ca.pem",
    "ssl.certificate.location",
    "ssl.certificate.pem",
    "ssl.cipher.suites",
    "ssl.crl.location",
    "ssl.curves.list",
    "ssl.endpoint.identification.algorithm",
    "ssl.engine.id",
    "ssl.engine.location",
    "ssl.key.location",
    "ssl.key.password",
    "ssl.key.pem",
    "ssl.keystore.location",
    "ssl.keystore.password",
    "ssl.providers",
    "ssl.sigalgs.list",
    "statistics.interval.ms",
    "sticky.partitioning.linger.ms",
    "topic.blacklist",
    "topic.metadata.propagation.max.ms",
    "topic.metadata.refresh.fast.cnt",
    "topic.metadata.refresh.fast.interval.ms",
    "topic.metadata.refresh.interval.ms",
    "topic.metadata.refresh.sparse",
    "transaction.timeout.ms",
    "transactional.id",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn client(settings: &[(&str, &str)]) -> BTreeMap<String, String> {
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        settings.iter().map(own).collect()
    }

    #[test]
    fn every_name_that_is_guessed_is_one() {
        for name in NAMES {
            let unknown = matches!(
                set(name, ""),
                Err(ClientError::ClientConfig(
                    RDKafkaConfRes::RD_KAFKA_CONF_UNKNOWN,
                    ..
                ))
            );
            assert!(!unknown, "{name}");
        }
    }

    #[test]
    fn all_that_is_wrong_is_said_at_once_and_no_value_is_shown() {
        let client = client(&[
            ("security.protocl", "hunter2"),
            ("linger.ms", "-5"),
            ("security.protocol", "hunter2"),
            ("enable.auto.commit", "true"),
            ("fetch.min.bytes", "1000"),
            ("sasl.pasword", "hunter2"),
            ("nonsense", "7"),
        ]);
        let wrong = wrong_settings(&client);
        let told: Vec<_> = wrong
            .iter()
            .map(|it| (it.name.as_deref().unwrap(), it.found.as_str(), it.guess))
            .collect();
        let (bad, unknown) = (
            "a value that librdkafka does not take",
            "an unknown setting",
        );
        let ours = "a setting that Slackwater sets itself (offsets are kept beside the data they belong to)";
        let expected = [
            ("enable.auto.commit", ours, None),
            ("linger.ms", bad, None),
            ("nonsense", unknown, None),
            ("sasl.pasword", unknown, Some("sasl.password")),
            ("security.protocl", unknown, Some("security.protocol")),
            ("security.protocol", bad, None),
        ];
        assert_eq!(told, expected);
        assert!(!format!("{wrong:?}").contains("hunter2"), "{wrong:?}");
        let range = wrong.iter().find(|it| it.allowed.contains("range"));
        assert!(
            range.is_some_and(|it| it.name.as_deref() == Some("linger.ms")),
            "{wrong:?}"
        );
    }

    #[test]
    fn what_no_client_can_be_made_with_is_said() {
        let with = |settings: &[(&str, &str)]| {
            let client = client(settings);
            assert_eq!(wrong_settings(&client), [], "{settings:?}");
            wrong_together(&Options {
                client,
                ..Options::default()
            })
        };
        assert_eq!(with(&[]), []);
        let plain = [
            ("security.protocol", "sasl_plaintext"),
            ("sasl.mechanisms", "PLAIN"),
            ("sasl.username", "me"),
            ("sasl.password", "hush"),
        ];
        assert_eq!(with(&plain), []);
        let unfit = with(&[("max.in.flight.requests.per.connection", "10")]);
        let [unfit] = unfit.as_slice() else {
            panic!("{unfit:?}");
        };
        assert!(
            unfit.name.is_none() && unfit.found.contains("max.in.flight"),
            "{unfit:?}"
        );
        let tls = with(&[
            ("security.protocol", "sasl_ssl"),
            ("sasl.mechanisms", "PLAIN"),
            ("ssl.ca.location", "/etc/ssl/certs"),
        ]);
        if cfg!(feature = "kafka-tls") {
            return;
        }
        let names: Vec<_> = tls.iter().filter_map(|it| it.name.as_deref()).collect();
        assert_eq!(names, ["security.protocol", "ssl.ca.location"]);
        for it in &tls {
            assert!(it.found.contains("OpenSSL"), "{it:?}");
            assert!(it.allowed.contains("kafka-tls"), "{it:?}");
        }
    }
}
