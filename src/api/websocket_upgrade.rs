//! A request to upgrade to a websocket (RFC 6455, section 4.2). axum's own has no frames, and long messages go in several.

use axum::body::Body;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use hyper::upgrade::OnUpgrade;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

/// A request that asks for a websocket and may have one.
#[derive(Debug)]
pub struct Upgrade {
    pub(super) on_upgrade: OnUpgrade,
    accept: HeaderValue,
}

/// Why a request cannot become a websocket.
#[derive(Debug)]
pub struct UpgradeError(pub &'static str);

impl IntoResponse for UpgradeError {
    fn into_response(self) -> Response {
        (StatusCode::BAD_REQUEST, self.0).into_response()
    }
}

impl<S: Sync> FromRequestParts<S> for Upgrade {
    type Rejection = UpgradeError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Upgrade, UpgradeError> {
        let headers = &parts.headers;
        if parts.method != Method::GET {
            return Err(UpgradeError("the method is not GET"));
        }
        if !has(headers, &header::CONNECTION, "upgrade") {
            return Err(UpgradeError("`Connection` does not say upgrade"));
        }
        if !has(headers, &header::UPGRADE, "websocket") {
            return Err(UpgradeError("`Upgrade` does not say websocket"));
        }
        if !has(headers, &header::SEC_WEBSOCKET_VERSION, "13") {
            return Err(UpgradeError("`Sec-WebSocket-Version` is not 13"));
        }
        let key = headers.get(header::SEC_WEBSOCKET_KEY);
        let key = key.ok_or(UpgradeError("`Sec-WebSocket-Key` is missing"))?;
        let accept = HeaderValue::from_str(&derive_accept_key(key.as_bytes()));
        let accept = accept.map_err(|_| UpgradeError("`Sec-WebSocket-Key` is none"))?;
        let on_upgrade = parts.extensions.remove::<OnUpgrade>();
        let on_upgrade = on_upgrade.ok_or(UpgradeError("this connection cannot be upgraded"))?;
        Ok(Upgrade { on_upgrade, accept })
    }
}

impl Upgrade {
    /// The response that upgrades the connection; `protocol` is the chosen one of those that the client offered.
    pub fn response(&self, protocol: Option<&str>) -> Response {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        let headers = response.headers_mut();
        headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(header::SEC_WEBSOCKET_ACCEPT, self.accept.clone());
        if let Some(protocol) = protocol.and_then(|it| HeaderValue::from_str(it).ok()) {
            headers.insert(header::SEC_WEBSOCKET_PROTOCOL, protocol);
        }
        response
    }
}

/// Whether a request asks for a websocket, be it in a form that may have one or not.
pub(super) fn is_asked_for(method: &Method, headers: &HeaderMap) -> bool {
    let asks = |name, word| has(headers, &name, word);
    method == Method::GET
        && asks(header::CONNECTION, "upgrade")
        && asks(header::UPGRADE, "websocket")
}

/// Whether a word is among the words of a header.
fn has(headers: &HeaderMap, name: &HeaderName, word: &str) -> bool {
    let values = headers.get_all(name).into_iter();
    let words = values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','));
    words
        .into_iter()
        .any(|it| it.trim().eq_ignore_ascii_case(word))
}
