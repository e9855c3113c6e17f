//! The bounds of the API as they are configured, and how its streams end.

use super::limits::Limits;
use super::websocket;
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// The bounds of the API: the tables `[http]` and `[stream]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// The longest time that a request may take. 1 second to 10 minutes, default 30 seconds.
    pub request_timeout: Duration,
    /// Requests answered at a time; more are told to come back (503). 1 to 1,000,000, default 10,000.
    pub requests_max: usize,
    /// Requests that one account, or without one an address, may make in a minute, the backend's aside. 1 to 1,000,000,
    /// default 300.
    pub requests_per_minute: u32,
    /// The proxies whose `X-Forwarded-For` is believed. Default loopback.
    pub trusted_proxies: Vec<IpNet>,
    /// Streams open at a time. 1 to 1,000,000 each; default 20,000 in all, 50 of an account, 1,000 from an address.
    pub connections: Limits,
    /// How streams are kept.
    pub stream_options: StreamOptions,
    /// How long after its place a post may come and still be pushed as new to clients of Mastodon's API though it is behind, if
    /// their feed is not held longer. 0 to 7 days, default 1 minute.
    pub live_max_age: Duration,
}

/// How streams are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamOptions {
    /// How often a reader is told how far its feed is complete. 1 to 15 seconds, default 15 seconds.
    pub horizon_every: Duration,
    /// The socket. Default a ping every 30 seconds, and 10 seconds to send.
    pub socket: websocket::Options,
}

/// How streams end with the service. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Shutdown {
    /// Ends all streams.
    pub stopping: CancellationToken,
    /// Counts the streams that have not ended.
    pub streams: TaskTracker,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            request_timeout: Duration::from_secs(30),
            requests_max: 10_000,
            requests_per_minute: 300,
            trusted_proxies: vec![
                IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::new(127, 0, 0, 0), 8)),
                IpNet::V6(Ipv6Net::new_assert(Ipv6Addr::LOCALHOST, 128)),
            ],
            connections: Limits {
                all: 20_000,
                per_account: 50,
                per_address: 1_000,
            },
            stream_options: StreamOptions {
                horizon_every: Duration::from_secs(15),
                socket: websocket::Options {
                    ping_every: Duration::from_secs(30),
                    send_timeout: Duration::from_secs(10),
                },
            },
            live_max_age: Duration::from_secs(60),
        }
    }
}
