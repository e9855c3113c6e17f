//! Requests to a collector of traces: from the one thread that makes them, in a runtime of their own, so that a service that is busy or
//! ends sends them too.

use crate::api::outgoing::Outgoing;
use crate::operator::traces::SendRequest;
use http_body_util::Full;
use opentelemetry_http::Response;
use parking_lot::Mutex;
use std::io;
use std::time::Duration;

/// How long a collector may take to accept spans. Meanwhile others gather, and beyond a bound are dropped.
const ANSWER_WAIT: Duration = Duration::from_secs(10);
/// The longest answer of a collector, in bytes.
const ANSWER_BYTES_MAX: usize = 64 << 10;

/// What sends traces. An error if this machine has no certificates to trust a collector by, or no room for a runtime.
pub fn sender() -> io::Result<SendRequest> {
    let http = Outgoing::new()?;
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = Mutex::new(runtime.enable_all().build()?);
    Ok(Box::new(move |request| {
        let request = request.map(Full::new);
        let sending = http.send(request, ANSWER_WAIT, ANSWER_BYTES_MAX);
        let answer = runtime.lock().block_on(sending)?;
        let mut response = Response::new(answer.body);
        *response.status_mut() = answer.status;
        *response.headers_mut() = answer.headers;
        Ok(response)
    }))
}
