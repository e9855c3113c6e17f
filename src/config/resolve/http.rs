//! `[http]` and `[stream]`: the address of the API, and its bounds.

use super::{Resolver, duration};
use crate::api;
use crate::api::limits::Limits;
use crate::api::websocket;
use crate::config::file;
use crate::config::mistake::quoted;
use ipnet::IpNet;
use std::net::{IpAddr, SocketAddr};

impl Resolver<'_> {
    /// Where the service listens. Without tokens only a loopback address is right.
    pub(super) fn listen(&mut self, written: &file::Http, default: SocketAddr) -> SocketAddr {
        let mut listen = default;
        if let Some(text) = &written.listen {
            match text.parse::<SocketAddr>() {
                Ok(address) => listen = address,
                Err(_) => {
                    let guess = [
                        text.replace("localhost", "127.0.0.1"),
                        format!("{text}:8787"),
                    ]
                    .into_iter()
                    .find(|guess| guess.parse::<SocketAddr>().is_ok());
                    let allowed = "an IP address and a port such as \"127.0.0.1:8787\"";
                    self.mistake(
                        "http.listen",
                        &quoted(text),
                        allowed,
                        guess.map(|it| quoted(&it)),
                    );
                }
            }
        }
        if !listen.ip().to_canonical().is_loopback() && !self.is_written("auth") {
            let found = format!("\"{listen}\", where anyone could act as the backend");
            let allowed = "a loopback address; any other once [auth] has service_tokens";
            self.mistake("http.listen", &found, allowed, None);
        }
        listen
    }

    /// The bounds of the API.
    pub(super) fn api(
        &mut self,
        http: &file::Http,
        stream: &file::Stream,
        default: api::Options,
    ) -> api::Options {
        let (connections, streams) = (default.connections, default.stream_options);
        api::Options {
            request_timeout: duration(http.request_timeout, default.request_timeout),
            requests_max: http.requests_max.unwrap_or(default.requests_max),
            requests_per_minute: http
                .requests_per_minute
                .unwrap_or(default.requests_per_minute),
            trusted_proxies: self
                .trusted_proxies(http)
                .unwrap_or(default.trusted_proxies),
            connections: Limits {
                all: stream.connections_max.unwrap_or(connections.all),
                per_account: stream
                    .connections_per_account_max
                    .unwrap_or(connections.per_account),
                per_address: stream
                    .connections_per_address_max
                    .unwrap_or(connections.per_address),
            },
            stream_options: api::StreamOptions {
                horizon_every: duration(stream.horizon_every, streams.horizon_every),
                socket: websocket::Options {
                    ping_every: duration(stream.ping_every, streams.socket.ping_every),
                    send_timeout: duration(stream.send_timeout, streams.socket.send_timeout),
                },
            },
            live_max_age: duration(stream.live_max_age, default.live_max_age),
        }
    }

    fn trusted_proxies(&mut self, written: &file::Http) -> Option<Vec<IpNet>> {
        let mut proxies = Vec::new();
        for (nth, text) in written.trusted_proxies.as_ref()?.iter().enumerate() {
            match network(text) {
                Some(network) => proxies.push(network),
                None => {
                    let key = format!("http.trusted_proxies[{nth}]");
                    let allowed = "an IP address, or a network such as \"10.0.0.0/8\"";
                    self.mistake(&key, &quoted(text), allowed, None);
                }
            }
        }
        Some(proxies)
    }
}

/// The network that a text is, or the one address.
pub(super) fn network(text: &str) -> Option<IpNet> {
    let address = || text.parse::<IpAddr>().map(IpNet::from);
    text.parse().or_else(|_| address()).ok()
}
