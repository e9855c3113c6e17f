//! The running service, if one listens where the configuration says.

use super::finding::Found;
use crate::config::Config;
use crate::error_chain::chain;
use crate::running_service::{RunningService, url_of};
use std::io::ErrorKind;
use std::time::Duration;
use tokio::net::TcpStream;

/// How long connecting to this machine may take.
const CONNECT_WAIT: Duration = Duration::from_secs(3);

pub(super) async fn running(config: &Config) -> Vec<Found> {
    let Some(at) = url_of(config.listen) else {
        return vec![Found::ok(
            "http.listen says no port, so no running service was looked for",
        )];
    };
    let address = (
        at.host_str()
            .unwrap_or_default()
            .trim_matches(['[', ']'])
            .to_owned(),
        config.listen.port(),
    );
    match tokio::time::timeout(CONNECT_WAIT, TcpStream::connect(address)).await {
        Ok(Err(error)) if error.kind() == ErrorKind::ConnectionRefused => {
            return vec![Found::ok(format!("none runs at {at}"))];
        }
        Ok(Err(error)) => {
            let to_do = "give http.listen an address of this machine";
            return vec![Found::wrong(
                format!("{at} cannot be connected to: {error}"),
                to_do,
            )];
        }
        Err(_) | Ok(Ok(_)) => {}
    }
    let service = match RunningService::at(at.clone(), config) {
        Ok(service) => service,
        Err(error) => {
            return vec![Found::wrong(
                chain(&error),
                "install the system's certificates",
            )];
        }
    };
    vec![match service.readiness().await {
        Ok(readiness) if readiness.ready => {
            Found::ok(format!("ready at {at}: {}", readiness.detail))
        }
        Ok(readiness) => Found::wrong(
            format!("not ready at {at}: {}", readiness.detail),
            "the reason says it; the other lines here and the service's log say more",
        ),
        Err(error) => Found::wrong(
            format!(
                "what listens at {at} does not answer as Slackwater: {}",
                chain(&error)
            ),
            "see what it is (ss -ltnp), or give http.listen another port",
        ),
    }]
}
